"""What stands in `deploy` starts commands that exist, with settings that are read."""

import re
from configparser import ConfigParser

import pytest

from infrastructure.artifacts.opening import open_store
from infrastructure.artifacts.s3 import S3Store
from interface.cli.app import app
from interface.cli.documents import commands
from interface.settings import Settings, read_settings, variable
from tests.architecture.pages import PROJECT, text

PROCESSES = {"api", "worker", "relay", "projector", "sweeper"}
UNIT = "build-practical@.service"


def _example() -> dict[str, str]:
    lines = text("deploy/bp.env.example").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return dict(pairs)  # type: ignore[arg-type]  # Pairs, or the test fails here.


def _unit(name: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # Its documented use.
    parser.read_string(text(f"deploy/{name}"))
    return parser


def test_the_example_sets_only_what_is_read() -> None:
    known = {variable(name) for name in Settings.model_fields}
    assert set(_example()) <= known


def test_the_example_names_every_server_that_is_not_embedded() -> None:
    needed = {"BP_DATABASE_URL", "BP_NATS_URL", "BP_ARTIFACTS_URL", "BP_MASTER_KEY_FILE"}
    assert needed <= set(_example())


def test_the_example_is_taken_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _example().items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.model == "anthropic"
    assert settings.artifacts_url is not None
    assert isinstance(open_store(settings.artifacts_url), S3Store)


def test_the_target_starts_each_process_once() -> None:
    lines = text("deploy/build-practical.target").splitlines()
    wanted = [line.removeprefix("Wants=") for line in lines if line.startswith("Wants=")]
    assert sorted(wanted) == sorted(f"build-practical@{name}.service" for name in PROCESSES)


def test_every_process_is_a_command() -> None:
    assert {" ".join(words) for words, _ in commands(app)} >= PROCESSES


def test_the_unit_starts_the_launcher_without_rights_to_spare() -> None:
    service = _unit(UNIT)["Service"]
    launcher, instance = service["ExecStart"].split()
    assert launcher == f"{service['WorkingDirectory']}/bp"
    assert (PROJECT / "bp").stat().st_mode & 0o111
    assert instance == "%i"
    assert service["NoNewPrivileges"] == "yes"
    assert service["User"] != "root"
    assert _example()["BP_DATA_DIR"] == f"/var/lib/{service['StateDirectory']}"
    assert f"Copy to {service['EnvironmentFile']} " in text("deploy/bp.env.example")


INSTALLS = re.compile(r"\b(?:npm|pnpm|yarn)\s+(?:ci|i|install|add|update|rebuild)\b[^&|;\n]*")


def test_scripts_of_packages_never_run_while_this_project_is_built() -> None:
    """Those are other people's programs: what is installed is only what a build reads."""
    read = [*PROJECT.glob("deploy/*"), *PROJECT.glob(".github/**/*.yml"), PROJECT / "bp"]
    found = [line for path in read if path.is_file() for line in INSTALLS.findall(path.read_text())]
    assert found
    assert [line for line in found if "--ignore-scripts" not in line] == []
