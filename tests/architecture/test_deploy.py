"""What stands in `deploy` starts commands that exist, with settings that are read."""

import re
from configparser import ConfigParser

import pytest

from application.execution.attempt import HAND_BACK_SECONDS
from infrastructure.artifacts.opening import open_store
from infrastructure.artifacts.s3 import S3Store
from infrastructure.computing.own_process import END_SECONDS
from interface.cli.app import app
from interface.cli.generate.documents import commands
from interface.limits import LARGEST_CONNECTIONS, connections_for
from interface.server import DRAIN_SECONDS, LINGER_SECONDS
from interface.settings import Settings, read_settings, variable
from tests.architecture.pages import PROJECT, text

PROCESSES = {"api", "worker", "relay", "projector", "sweeper"}
UNIT = "build-practical@.service"


def _example() -> dict[str, str]:
    """The example as systemd reads it, and a shell: each value in single quotes, on one line."""
    lines = text("deploy/bp.env.example").splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    pairs = [re.fullmatch(r"(BP_[A-Z_]+)='([^']*)'", line) for line in settings]
    assert all(pairs), "a value without single quotes is cut by a shell, or cannot be read"
    return {pair[1]: pair[2] for pair in pairs if pair}


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


def test_behind_the_proxy_of_the_example_people_are_told_apart() -> None:
    example = _example()
    assert example["BP_PUBLIC_URL"].startswith("https://")
    assert example["BP_TRUSTED_PROXIES"] == example["BP_HOST"]
    for page in ("deploy/bp.env.example", "deploy/README.md"):
        assert "count as one" in " ".join(text(page).replace("#", "").split())


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


def test_systemd_keeps_the_socket_where_the_example_has_the_api_listen() -> None:
    socket = _unit("build-practical-api.socket")["Socket"]
    assert socket["ListenStream"] == f"{_example()['BP_HOST']}:{_example()['BP_PORT']}"
    assert socket["Service"] == UNIT.replace("@", "@api")
    taken = _unit("build-practical@api.service.d/socket.conf")
    assert taken["Service"]["Sockets"] == "build-practical-api.socket"
    assert taken["Unit"]["Requires"] == taken["Unit"]["After"] == "build-practical-api.socket"
    assert "build-practical-api.socket" in text("deploy/README.md")


def test_a_process_has_the_time_to_drain_and_a_child_that_is_killed_does_not_end_it() -> None:
    service = _unit(UNIT)["Service"]
    drain = float(str(Settings.model_fields["drain_seconds"].default))
    leave = float(str(Settings.model_fields["leave_seconds"].default))
    hand_back = 2 * HAND_BACK_SECONDS + END_SECONDS
    assert float(service["TimeoutStopSec"]) > drain + hand_back
    assert float(service["TimeoutStopSec"]) > leave + LINGER_SECONDS + DRAIN_SECONDS
    assert (service["KillMode"], service["OOMPolicy"]) == ("mixed", "continue")
    assert service["Restart"] == "on-failure"


def test_every_process_is_a_command() -> None:
    assert {" ".join(words) for words, _ in commands(app)} >= PROCESSES


def test_the_unit_lets_a_process_take_as_many_connections_as_it_would() -> None:
    assert connections_for(int(_unit(UNIT)["Service"]["LimitNOFILE"])) == LARGEST_CONNECTIONS


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
