"""No test starts a server without saying so, and the quick loop leaves out those that say so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.pages import PROJECT, text

TESTS = """
import contextlib, socket, subprocess, sys
import pytest

def listen():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))

@pytest.fixture
def port(servers): listen()

@pytest.fixture
def hidden(): listen()

def test_quiet(): subprocess.run([sys.executable, "-c", ""], check=True)
def test_asks_by_a_fixture(port): listen()
@pytest.mark.servers
def test_is_marked(): listen()
@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.servers)], ids=str)
def test_is_marked_in_part(real): real and listen()
def test_slips_in(): listen()
def test_slips_in_by_a_fixture(hidden): pass
def test_slips_in_and_swallows_it():
    with contextlib.suppress(Exception): listen()
def test_slips_in_as_a_program(): subprocess.run(["/usr/bin/nats-server"])
def test_slips_in_as_a_module(): subprocess.run([sys.executable, "-m", "interface.cli", "up"])
"""
SLIPPING = {
    "test_slips_in",
    "test_slips_in_by_a_fixture",
    "test_slips_in_and_swallows_it",
    "test_slips_in_as_a_program",
    "test_slips_in_as_a_module",
}
SAYING = {"test_asks_by_a_fixture", "test_is_marked", "test_is_marked_in_part[True]"}
QUIET = {"test_quiet", "test_is_marked_in_part[False]"}


@pytest.mark.parametrize("options", [(), ("--fast",)], ids=["whole", "fast"])
def test_a_server_cannot_slip_in(tmp_path: Path, options: tuple[str, ...]) -> None:
    file = tmp_path / "test_these.py"
    file.write_text(TESTS)
    own = ["-c", "/dev/null", "--rootdir", str(tmp_path), "-p", "tests.servers"]
    done = subprocess.run(  # noqa: S603 - our own program.
        [sys.executable, "-m", "pytest", *own, "-p", "no:cacheprovider", "-vv", *options, file],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT), "PYTHONSAFEPATH": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes = dict(re.findall(r"::(test_\S+) (PASSED|FAILED|ERROR)", done.stdout))
    passed = {name for name, outcome in outcomes.items() if outcome == "PASSED"}
    assert passed == (QUIET if options else QUIET | SAYING), done.stdout + done.stderr
    assert outcomes.keys() - passed == SLIPPING
    assert done.stdout.count("pytestmark = pytest.mark.servers") >= len(SLIPPING)


def test_the_quick_loop_is_what_the_launcher_runs() -> None:
    assert re.search(r"pytest --fast\b", text("bp"))
