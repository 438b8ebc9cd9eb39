"""The script `bp` on checkouts of its own, whose empty locks fetch nothing from anywhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

BP = Path(__file__).parents[2] / "bp"
SHOW = """
import os, sys
from domain import NAME
print(os.getpid(), NAME, *sys.argv[1:])
"""
TOOLS = ("bash", "cmp", "cp", "dirname", "env", "flock", "mkdir", "mv", "rm")


def checkout(root: Path) -> Path:
    for package, text in (("domain", "NAME = 'ours'"), ("interface", "")):
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").write_text(text)
    (root / "interface" / "cli.py").write_text(SHOW)
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (root / lock).write_text("# nothing\n")
    shutil.copy(BP, root / "bp")
    return root


def only_these_tools(folder: Path) -> Path:
    folder.mkdir()
    for tool in TOOLS:
        if found := shutil.which(tool):
            (folder / tool).symlink_to(found)
    return folder


def start(root: Path, *arguments: str, **options) -> subprocess.Popen[str]:
    environment = {"PATH": f"{Path(sys.base_prefix) / 'bin'}:{os.defpath}"} | options.pop("env", {})
    return subprocess.Popen(  # noqa: S603 - the script under test.
        [root / "bp", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def run(root: Path, *arguments: str, **options) -> tuple[int, str, str]:
    with start(root, *arguments, **options) as process:
        said, complained = process.communicate(timeout=100)
    return process.returncode, said, complained


def pins(lock: str) -> set[str]:
    """Return `name==version ; marker` of each entry."""
    lines = (BP.parent / lock).read_text().splitlines()
    return {line.rstrip(" \\") for line in lines if line and line[0] not in "# "}


def test_the_tests_run_on_the_very_versions_that_the_program_runs_on():
    assert pins("requirements.lock")
    assert pins("requirements.lock") <= pins("requirements-dev.lock")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_hashes_and_no_address(lock):
    text = (BP.parent / lock).read_text()
    assert all(text.split(pin, 1)[1].lstrip(" \\\n").startswith("--hash=") for pin in pins(lock))
    assert "://" not in text


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A checkout that was started once; tests leave it as good as they found it."""
    root = checkout(tmp_path_factory.mktemp("launcher") / "a folder")
    code, _, complained = run(root)
    assert code == 0, complained
    assert "installing" in complained
    return root


@pytest.fixture(scope="module")
def copying(installed, tmp_path_factory) -> dict[str, str]:
    """A Python that copies an environment where it is asked to make one: that takes seconds."""
    folder = tmp_path_factory.mktemp("copying")
    made = folder / "made"
    shutil.copytree(installed / ".venv", made, symlinks=True)
    for lock in made.glob("requirements*.lock"):
        lock.unlink()
    python = folder / "python3"
    python.write_text(
        f'#!/bin/bash\n[ "$1 $2" = "-m venv" ] && exec cp -a "{made}/." "$3"\n'
        f'exec "{Path(sys.base_prefix) / "bin" / "python3"}" "$@"\n'
    )
    python.chmod(0o755)
    return {"PATH": f"{folder}:{os.defpath}"}


def test_a_second_start_installs_nothing(installed):
    code, said, complained = run(installed, "up", "--port", "8 0")
    assert (code, complained) == (0, "")
    assert said.split(maxsplit=1)[1] == "ours up --port 8 0\n"


def test_it_works_from_a_folder_with_a_package_of_the_same_name(installed, tmp_path):
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain" / "__init__.py").write_text("NAME = 'theirs'")
    assert " ours" in run(installed, cwd=tmp_path)[1]


def test_signals_reach_the_program_itself_because_the_script_becomes_it(installed):
    with start(installed) as process:
        said, _ = process.communicate(timeout=100)
    assert int(said.split()[0]) == process.pid


def test_a_changed_lock_is_installed(installed):
    (installed / "requirements.lock").write_text("# still nothing\n")
    assert "installing" in run(installed)[2]
    assert run(installed)[2] == ""


@pytest.mark.campaign
def test_an_installation_that_was_cut_short_is_made_anew(installed, copying):
    (installed / ".venv" / ".installing").touch()
    code, said, complained = run(installed, env=copying)
    assert (code, " ours" in said) == (0, True)
    assert "making the virtual environment" in complained
    assert run(installed)[2] == ""


@pytest.mark.campaign
def test_an_environment_whose_python_is_gone_is_made_anew(installed, copying):
    python = installed / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert "making the virtual environment" in run(installed, env=copying)[2]
    assert " ours" in run(installed)[1]


@pytest.mark.campaign
def test_a_refused_installation_says_so_and_is_tried_again(installed):
    lock = installed / "requirements.lock"
    before = lock.read_text()
    lock.write_text("no requirement\n")
    for _ in range(2):
        code, said, complained = run(installed)
        assert (code, said) == (1, "")
        assert "could not be installed" in complained
    lock.write_text(before)
    assert run(installed)[0] == 0


def test_two_first_starts_at_once_install_once(tmp_path, copying):
    root = checkout(tmp_path / "new")
    both = [start(root, env=dict(copying)), start(root, env=dict(copying))]
    complaints = [process.communicate(timeout=100)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert "".join(complaints).count("installing") == 1


def test_without_python_it_says_what_to_install(tmp_path):
    tools = only_these_tools(tmp_path / "tools")
    code, _, complained = run(checkout(tmp_path / "new"), env={"PATH": str(tools)})
    assert code == 1
    assert complained.count("\n") <= 2
    assert "Python 3.11 to 3.14 is needed" in complained
    assert "apt install python3" in complained


def test_without_the_venv_module_it_says_what_to_install(tmp_path):
    tools = only_these_tools(tmp_path / "tools")
    (tools / "python3").write_text(
        f'#!/bin/bash\n[[ "$*" != *ensurepip* ]] && exec {sys.executable} "$@"\n'
    )
    (tools / "python3").chmod(0o755)
    code, _, complained = run(checkout(tmp_path / "new"), env={"PATH": str(tools)})
    assert code == 1
    assert "apt install python3-venv" in complained
