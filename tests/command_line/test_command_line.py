"""The command line as people meet it: processes, exit codes, and one line for what went wrong."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import httpx2
import psutil
import psycopg
import pytest
from uuid_utils.compat import uuid7

from infrastructure.sealing import MasterKey
from interface.cli.app import main
from tests import prepared
from tests.prepared_data import prepare

pytestmark = pytest.mark.servers

PROJECT: Final = Path(__file__).parents[2]
READY: Final = re.compile(r"is ready at (http://\S+)")
PATIENCE: Final = 40.0
NOWHERE: Final = {
    "BP_DATABASE_URL": "postgresql://nobody:hidden-word@127.0.0.1:1/nothing",
    "BP_NATS_URL": "nats://127.0.0.1:1",
}


class Done(NamedTuple):
    """How a command ended."""

    code: int
    said: str
    complained: str

    @property
    def error(self) -> str:
        """The one line of an expected failure."""
        assert self.code == 1, (self.code, self.said, self.complained)
        assert "Traceback" not in self.complained + self.said
        [line] = [x for x in self.complained.splitlines() if x.startswith("error: ")]
        return line


def environment(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
        "BP_DATA_DIR": str(folder / "data"),
        "BP_PORT": "0",
        **settings,
    }


def run(folder: Path, *words: str, **settings: str) -> Done:
    """Run a command to its end, as a process of its own."""
    done = prepared.run(words, env=environment(folder, settings))
    return Done(done.returncode, done.stdout, done.stderr)


def run_by_name(folder: Path, *words: str, **settings: str) -> Done:
    """The same as people start it, a second and a half slower: once for each kind of command."""
    done = subprocess.run(  # noqa: S603 - our own program.
        [sys.executable, "-m", "interface.cli", *words],
        cwd=PROJECT,
        env=environment(folder, settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


Here = Callable[..., Done]


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Here:
    """Run a command that starts nothing in this process: a second faster."""

    def run_here(*words: str, **settings: str) -> Done:
        for name, value in environment(tmp_path, settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["bp", *words])
        code = main()
        said, complained = capfd.readouterr()
        return Done(code, said, complained)

    return run_here


class Up:
    """A running `up`; `by_name` as people start it."""

    def __init__(self, folder: Path, *, by_name: bool = False, **settings: str) -> None:
        self.folder = folder
        self.log = folder / "up.log"
        self.process: subprocess.Popen[bytes] | prepared.Prepared
        env = environment(folder, settings)
        with self.log.open("wb") as sink:
            if by_name:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "interface.cli", "up"],
                    cwd=PROJECT,
                    env=env,
                    stdout=sink,
                    stderr=sink,
                    start_new_session=True,
                )
            else:
                self.process = prepared.Prepared(
                    ["up"], env=env, stdout=sink, stderr=sink, start_new_session=True
                )
        self.url = self._wait()

    def _wait(self) -> str:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            found = READY.search(self.log.read_text(errors="replace"))
            if found:
                return found[1]
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def stop(self, number: int = signal.SIGINT) -> int:
        """The exit code; fails if any process of it is left."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        _, left = psutil.wait_procs(family, timeout=5)
        assert left == []
        return code


@contextmanager
def up(folder: Path, *, by_name: bool = False, **settings: str) -> Iterator[Up]:
    running = Up(folder, by_name=by_name, **settings)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
            running.process.wait(PATIENCE)


def feature_of(url: str, until: str = "spec_ready", *, working: bool = False) -> UUID:
    """A feature made through the API, once it is there and somebody works on it, or nobody."""
    with httpx2.Client(base_url=url, trust_env=False, timeout=10) as http:
        body = {"email": f"{uuid7().hex}@example.com", "password": "a long enough one"}
        token = http.post("/auth/signup", json=body).raise_for_status().json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        feature = http.post("/api/features", json={}).raise_for_status().json()["id"]
        path = f"/api/features/{feature}"
        http.post(f"{path}/brief", json={"brief": "- A person can add a plant."}).raise_for_status()
        ends, version = time.monotonic() + PATIENCE, 2
        while time.monotonic() < ends:
            shown = http.get(path, params={"min_version": version}).json()
            version = shown["version"]
            busy = any(each["attempt"] for each in shown["in_progress"])
            if shown["status"] == until and (busy if working else not shown["in_progress"]):
                return UUID(feature)
    raise AssertionError(shown)


# Wrong usage, and what is wrong before anything starts.


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["up", "--nonsense"], ["log", "show"], ["log", "show", "no-id"], ["replay"]],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_points_to_the_help(here: Here, words: list[str]) -> None:
    done = here(*words)
    assert done.code == 2
    assert "--help" in done.complained
    assert "Traceback" not in done.complained


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("BP_PORT", "eighty"),
        ("BP_PORT", "70000"),
        ("BP_MODEL", "other"),
        ("BP_DATABASE_URL", "mysql://x"),
        ("BP_NATS_URL", "http://x"),
        ("BP_ARTIFACTS_URL", "ftp://x"),
        ("BP_RETRY_SECONDS", "soon"),
        ("BP_LEASE_SECONDS", "0"),
        ("BP_FAIL_POINT", "anywhere"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_takes(
    here: Here, tmp_path: Path, setting: str, value: str
) -> None:
    line = here("up", **{setting: value}).error
    assert setting in line
    assert "It takes:" in line
    assert not (tmp_path / "data").exists()


def test_a_process_ends_with_the_same_line_and_code(tmp_path: Path) -> None:
    assert "BP_PORT" in run_by_name(tmp_path, "up", BP_PORT="eighty").error
    assert run_by_name(tmp_path, "nonsense").code == 2


def test_a_busy_port_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = run(tmp_path, "up", BP_PORT=port).error
    assert port in line
    assert "BP_PORT" in line


def test_a_damaged_folder_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    database = tmp_path / "data" / "pg18"
    database.mkdir(parents=True, mode=0o700)
    (database / "base").write_text("precious")
    line = run(tmp_path, "up").error
    assert "damaged" in line
    assert "backup" in line
    assert (database / "base").read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "cannot be read"), ("  \n", "is empty"), ("x" * 40_001, "40,000")],
    ids=["missing", "empty", "giant"],
)
def test_a_brief_that_cannot_be_used_is_refused_before_anything_starts(
    here: Here, tmp_path: Path, text: str | None, expected: str
) -> None:
    brief = tmp_path / "brief.md"
    if text is not None:
        brief.write_text(text)
    assert expected in here("demo", "--brief", str(brief)).error
    assert not (tmp_path / "data").exists()


def test_a_process_of_its_own_needs_to_be_told_where_the_servers_are(tmp_path: Path) -> None:
    line = run_by_name(tmp_path, "worker").error
    assert "BP_DATABASE_URL" in line or "BP_MASTER_KEY" in line


@pytest.mark.parametrize("command", ["migrate", "features"])
def test_a_database_that_cannot_be_reached_is_one_line_without_the_password(
    tmp_path: Path, command: str
) -> None:
    MasterKey.generate_file(tmp_path / "key")
    done = run(tmp_path, command, BP_MASTER_KEY_FILE=str(tmp_path / "key"), **NOWHERE)
    assert "database" in done.error
    assert "hidden-word" not in done.complained + done.said


# A whole life.


@pytest.mark.campaign
def test_up_starts_refuses_a_second_one_stops_in_order_and_starts_again(tmp_path: Path) -> None:
    with up(tmp_path, by_name=True) as first:
        line = run(tmp_path, "up").error
        assert str(first.process.pid) in line
        assert "in use" in line
        assert httpx2.get(f"{first.url}/health", trust_env=False).status_code == 200
        feature = feature_of(first.url)
        assert first.stop(signal.SIGINT) == 0
        assert "Traceback" not in first.log.read_text()
    assert not (tmp_path / "data" / "addresses.json").exists()
    # Without a service, commands start the servers for as long as they take.
    listed = run_by_name(tmp_path, "features", "--json")
    assert [row["id"] for row in json.loads(listed.said)] == [str(feature)], listed.complained
    with up(tmp_path) as second:
        assert str(feature) in run(tmp_path, "features", "--json").said
        assert second.stop(signal.SIGTERM) == 0
    shutil.move(tmp_path / "data" / "master.key", tmp_path / "kept.key")
    MasterKey.generate_file(tmp_path / "data" / "master.key")
    assert "master key" in run(tmp_path, "up").error


def test_up_lets_its_steps_go_on_and_is_there_until_it_is_told_to_stop_again(
    tmp_path: Path,
) -> None:
    prepare(tmp_path / "data")
    slow = {"BP_DEMO_PACE_SECONDS": "1", "BP_DRAIN_SECONDS": "3600", "BP_LOG_FORMAT": "json"}
    with up(tmp_path, **slow) as running:
        feature_of(running.url, "spec_generating", working=True)
        with httpx2.Client(base_url=running.url, trust_env=False, timeout=PATIENCE) as http:
            running.process.send_signal(signal.SIGTERM)
            ends = time.monotonic() + PATIENCE
            while '"draining"' not in running.log.read_text():
                assert time.monotonic() < ends
                assert http.get("/health").status_code == 200
            for _ in range(5):
                assert http.get("/health").status_code == 200
            answer = http.get("/health/ready")
            assert (answer.status_code, answer.json()["status"]) == (503, "stopping")
        assert running.process.poll() is None
        assert running.stop(signal.SIGTERM) == 0
        said = running.log.read_text()
        assert '"handed_back": 1' in said
        assert "Traceback" not in said


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, UUID]]:
    """A running `up` with one feature."""
    folder = tmp_path_factory.mktemp("up")
    prepare(folder / "data")
    with up(folder) as running:
        yield running, feature_of(running.url)


def rows(done: Done) -> Any:
    assert done.code == 0, done.complained
    return json.loads(done.said)


@pytest.mark.campaign
def test_operators_look_at_features_and_their_log(service: tuple[Up, UUID]) -> None:
    running, feature = service
    [listed] = rows(run_by_name(running.folder, "features", "--json"))
    assert (listed["id"], listed["status"]) == (str(feature), "spec_ready")
    shown = rows(run(running.folder, "log", "show", str(feature), "--json"))
    assert [row["version"] for row in shown] == [*range(1, len(shown) + 1)]
    assert shown[0]["type"] == "feature_created"
    [verified] = rows(run_by_name(running.folder, "log", "verify", str(feature), "--json"))
    assert (verified["valid"], verified["events"]) == (True, len(shown))
    assert "no such feature" in run(running.folder, "log", "show", str(uuid7())).error


def test_operators_see_and_rebuild_the_read_models(service: tuple[Up, UUID]) -> None:
    running, _ = service
    before = rows(run_by_name(running.folder, "projections", "status", "--json"))
    assert {row["projection"] for row in before} >= {"dashboard", "feature", "run"}
    rebuilt = run(running.folder, "projections", "rebuild", "dashboard")
    assert rebuilt.code == 0, rebuilt.complained
    assert "dashboard" in rebuilt.said
    assert len(rows(run(running.folder, "features", "--json"))) == 1
    assert "nonsense" in run(running.folder, "projections", "rebuild", "nonsense").error


def test_operators_take_a_feature_back_and_the_log_says_who(service: tuple[Up, UUID]) -> None:
    running, feature = service
    done = run(running.folder, "replay", str(feature), "--to", "2")
    assert done.code == 0, done.complained
    shown = rows(run(running.folder, "log", "show", str(feature), "--json"))
    [replayed] = [row for row in shown if row["type"] == "feature_replayed"]
    assert replayed["actor"].startswith("operator:")
    assert "checkpoint" in run(running.folder, "replay", str(feature), "--to", "999").error


def test_operators_fork_a_feature_for_its_owner(service: tuple[Up, UUID]) -> None:
    running, feature = service
    done = run(running.folder, "fork", str(feature), "--at", "1")
    assert done.code == 0, done.complained
    assert f"forked from {feature}" in done.said
    fork_id = done.said.split()[0]
    shown = rows(run(running.folder, "log", "show", fork_id, "--json"))
    assert [row["type"] for row in shown] == ["feature_forked"]
    assert shown[0]["actor"].startswith("operator:")
    assert "checkpoint" in run(running.folder, "fork", str(feature), "--at", "999").error


@pytest.mark.campaign
def test_operators_decide_on_dead_letters(service: tuple[Up, UUID]) -> None:
    running, feature = service
    note = json.loads((running.folder / "data" / "addresses.json").read_text())
    letters = [uuid7(), uuid7()]
    with psycopg.connect(note["database"]) as connection:
        for number, letter in enumerate(letters):
            connection.execute(
                "INSERT INTO app.dead_letters (id, consumer, event_id, subject, position,"
                " deliveries, cause) SELECT %s, %s, event_id, 's', position, 3, 'test'"
                " FROM es.events WHERE stream_id = %s AND version = 2",
                (letter, f"consumer-{number}", feature),
            )
    listed = rows(run_by_name(running.folder, "dead-letters", "list", "--json"))
    assert {row["id"] for row in listed} == {str(letter) for letter in letters}
    assert "0 new tasks" in run(running.folder, "dead-letters", "requeue", str(letters[0])).said
    assert run(running.folder, "dead-letters", "discard", str(letters[1])).code == 0
    assert rows(run(running.folder, "dead-letters", "list", "--json")) == []
    assert run(running.folder, "dead-letters", "discard", str(letters[1])).error


def test_a_worker_of_its_own_is_refused_with_wrong_credentials_of_nats(
    service: tuple[Up, UUID],
) -> None:
    running, _ = service
    note = json.loads((running.folder / "data" / "addresses.json").read_text())
    wrong = re.sub(r"//[^@]+@", "//not-the-token@", note["nats"])
    database = note["database"]
    if "://" not in database:
        parts = psycopg.conninfo.conninfo_to_dict(database)
        database = f"postgresql:///{parts['dbname']}?host={parts['host']}&user={parts['user']}"
    done = run(
        running.folder,
        "worker",
        BP_DATABASE_URL=database,
        BP_NATS_URL=wrong,
        BP_MASTER_KEY_FILE=str(running.folder / "data" / "master.key"),
    )
    assert "credentials" in done.error
    assert "not-the-token" not in done.error


def test_the_api_document_is_checked_without_any_server(tmp_path: Path) -> None:
    assert run_by_name(tmp_path, "openapi", "--check").code == 0
    assert not (tmp_path / "data").exists()
