"""The real processes, started by the command line, on servers and a scripted model of the test's.

Invariant: whatever was started is ended by its own process id, however the test ends.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode
from uuid import UUID

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from infrastructure.demo_model import DemoModel, ServedRequest
from infrastructure.embedded import Stack
from infrastructure.event_log.reader import LogReader
from infrastructure.postgres.database import Database
from infrastructure.postgres.migrations import migrate
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from tests.faults import time_machine
from tests.faults.user import User
from tests.prepared import Prepared

PROJECT: Final = Path(__file__).parents[2]
PATIENCE: Final = 25.0
"""Seconds for anything that must come to pass."""
EVERYTHING: Final = ("api", "relay", "projector", "worker", "sweeper")
LEASE: Final = "1.5"
LISTENING: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


async def until(
    true: Callable[[], Any | Awaitable[Any]], what: str = "", seconds: float = PATIENCE
) -> Any:
    """Wait until something holds; its value."""
    ends = time.monotonic() + seconds
    while True:
        found = true()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < ends, f"never came to pass: {what or true}"
        await asyncio.sleep(0.02)


class Part:
    """One process of the service."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: dict[str, str],
        log: Path,
        listener: socket.socket | None = None,
    ) -> None:
        """Start it; `listener` is passed on to it as a supervisor does (sd_listen_fds(3))."""
        self.name = name
        self.log = log
        self._process: Prepared | subprocess.Popen[bytes]
        with log.open("ab") as sink:
            if listener is None:
                self._process = Prepared(
                    command, env=env, stdout=sink, stderr=sink, start_new_session=True
                )
                return
            before = ["-c", LISTENING, str(listener.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - our own program.
                [sys.executable, *before, "-m", "interface.cli", *command],
                cwd=PROJECT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                pass_fds=(listener.fileno(),),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """End it as a crash would."""
        if self.code is None:
            self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    @property
    def asleep(self) -> bool:
        """Whether it was stopped and not woken yet."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    async def ended(self, seconds: float = 30.0) -> int:
        """Its exit code, once it has ended."""
        await until(lambda: self.code is not None, f"{self.name} ends", seconds)
        assert self.code is not None
        return self.code

    def tell(self, number: int = signal.SIGTERM) -> None:
        """Ask it to end, and do not wait for it."""
        self._process.send_signal(number)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.tell(number)
        return await self.ended()


class Service:
    """Any number of each process, one model server, and the users' way in."""

    def __init__(self, stack: Stack, folder: Path, **settings: str) -> None:
        """Describe it; `settings` are environment variables without `BP_`, in small letters."""
        self.stack = stack
        self.folder = folder
        self.model = DemoModel(pace=0, control=True)
        self.parts: list[Part] = []
        self.settings = settings
        self.master = folder / "master.key"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.faults = 0
        """How many faults were injected: what is paid twice must not be more."""
        self.unreadable: set[UUID] = set()
        """Features to which a later version wrote: their read models stand still."""
        self.users: list[User] = []
        self._asked_before = 0
        self._parts_before = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        migrate(self.stack.dsn)
        MasterKey.generate_file(self.master)
        await self.model.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for user in self.users:
            await user.close()
        for part in self.parts:
            part.kill()
        await self.model.stop()

    def environment(self, **settings: str) -> dict[str, str]:
        """What a process is given, and nothing of the test's own environment."""
        wanted = {
            "database_url": database_url(self.stack.dsn),
            "nats_url": self.stack.nats_url,
            "artifacts_url": (self.folder / "artifacts").as_uri(),
            "master_key_file": str(self.master),
            "data_dir": str(self.folder / "data"),
            "port": str(self.port),
            "log_format": "json",
            "model": "anthropic",
            "lease_seconds": LEASE,
            "retry_seconds": "0.1,0.1,0.1",
            "sweep_seconds": "0.3",
            "drain_seconds": "0.2",
            "leave_seconds": "0.2",
            **self.settings,
            **settings,
        }
        return {
            "PATH": os.defpath,
            "PYTHONDONTWRITEBYTECODE": "1",
            "ANTHROPIC_BASE_URL": self.model.url,
            **{f"BP_{name.upper()}": value for name, value in wanted.items()},
        }

    def launch(self, name: str, listener: socket.socket | None = None, **settings: str) -> Part:
        """Start a process and do not wait for it."""
        log = self.folder / f"{name}-{len(self.parts)}.log"
        part = Part(name, [name], self.environment(**settings), log, listener)
        self.parts.append(part)
        return part

    async def command(self, *words: str) -> tuple[int, str]:
        """Run an operator's command beside the service; its exit code, and what it said."""
        log = self.folder / f"command-{len(self.parts)}.log"
        part = Part("command", words, self.environment(), log)
        self.parts.append(part)
        return await part.ended(60.0), part.said()

    async def start(self, *names: str, **settings: str) -> list[Part]:
        """Start processes together; they are ready when this returns."""
        started = [self.launch(name, **settings) for name in names]
        for part in started:
            await self.ready(part)
        return started

    async def ready(self, part: Part) -> None:
        async def is_ready() -> bool:
            assert part.code is None, f"{part.name} ended: {part.said()[-2000:]}"
            if part.name != "api":
                return '"event":"running"' in part.said().replace(" ", "")
            return await answers(self.port)

        await until(is_ready, f"{part.name} is ready")

    async def begin(self, *names: str) -> None:
        """Make ready for another test: nothing scripted, nobody there, and these processes only."""
        for user in self.users:
            await user.close()
        self.users, self.faults = [], 0
        self._asked_before = len(self.model.requests)
        self._parts_before = len(self.parts)
        self.model.forget()
        with psycopg.connect(self.stack.dsn) as connection:  # What a test that failed left open.
            connection.execute(
                "UPDATE app.tasks SET status = 'cancelled' WHERE status IN ('queued', 'running')"
            )
        for part in self.parts:
            if part.code is None and part.name not in names:
                part.kill()
        await self.start(*(name for name in names if not self.running(name)))

    def explain(self) -> None:
        """Print how things stand: pytest shows it if the test failed."""
        for row in self.rows(
            "SELECT step, status, attempt, lease_owner, lease_until - clock_timestamp(),"
            " not_before - clock_timestamp(), error FROM app.tasks WHERE feature_id = ANY (%s)",
            self.features(),
        ):
            print(*row)  # noqa: T201
        for entry in self.requests:
            print(entry.agent, entry.fault, entry.outcome)  # noqa: T201
        for part in self.parts[self._parts_before :]:
            print(f"--- {part.log.name} ({part.code})\n{part.said()[-2000:]}")  # noqa: T201

    async def until_held(self) -> None:
        """Wait until the model holds an answer back."""
        await until(lambda: self.model.held, "the model is asked")

    def model_busy(self) -> int:
        """How many requests the model has not answered yet, or only just."""
        return max(1, sum(entry.outcome == "pending" for entry in self.requests))

    @property
    def requests(self) -> list[ServedRequest]:
        """What the model's server was asked in this test."""
        return self.model.requests[self._asked_before :]

    def overlook(self) -> None:
        """Count no request that was made so far: what it was for is kept apart."""
        self._asked_before = len(self.model.requests)

    def asked(self, agent: str) -> list[ServedRequest]:
        """The same, of one agent."""
        return [entry for entry in self.requests if entry.agent == agent]

    def features(self) -> list[UUID]:
        """Those of this test."""
        return [feature for user in self.users for feature in user.features]

    def set_back(self, kept: Path) -> None:
        """Put a copy of the database back, under whoever lives, and give up what it lacks.

        What was asked of the model before is in no log that could be held against it.
        """
        time_machine.set_back(self.stack, kept)
        held = dict(self.rows("SELECT stream_id, version FROM es.streams"))
        for user in self.users:
            user.set_back(held)
        self._asked_before = len(self.model.requests)

    def told(self, event: str) -> list[dict[str, Any]]:
        """What the processes of this test said under this name, in their logs."""
        lines = [
            json.loads(line)
            for part in self.parts
            for line in part.said().splitlines()
            if f'"{event}"' in line and line.startswith("{")
        ]
        return [line for line in lines if line["event"] == event]

    def running(self, name: str) -> list[Part]:
        """The processes of a kind that live."""
        return [part for part in self.parts if part.name == name and part.code is None]

    def fault(self, part: Part) -> None:
        """Kill a process, and count it."""
        self.faults += 1
        part.kill()

    async def user(self) -> User:
        """Somebody new, with a key of their own."""
        user = User(self.url)
        self.users.append(user)
        email = f"{secrets.token_hex(6)}@example.com"
        await user.sign_up(email, secrets.token_urlsafe(16))
        await user.command("PUT", "/api/settings/api-key", {"api_key": "sk-ant-" + "x" * 32})
        return user

    async def events(self, feature: UUID) -> list[Any]:
        """The feature's events as they stand in the log, opened."""
        ring = KeyRing(MasterKey.from_file(self.master))
        with psycopg.connect(self.stack.dsn) as connection:
            row = connection.execute(
                "SELECT tenant_id FROM es.streams WHERE stream_id = %s", (feature,)
            ).fetchone()
        if row is None:
            return []
        async with Database(self.stack.dsn, "bp_projector", max_size=1) as database:
            return list(await LogReader(database, ring).of_feature(row[0], feature))

    async def happened(self, feature: UUID, *kinds: type, count: int = 1) -> list[Any]:
        """Wait until the log holds so many events of these kinds; they."""

        async def there() -> list[Any]:
            found = [r for r in await self.events(feature) if isinstance(r.event, kinds)]
            return found if len(found) >= count else []

        found: list[Any] = await until(there, f"{count} of {[k.__name__ for k in kinds]}")
        return found

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the database holds, as its owner."""
        with psycopg.connect(self.stack.dsn) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[call-overload]


async def answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def database_url(dsn: str) -> str:
    """The URL of a server behind a private socket."""
    parts = conninfo_to_dict(dsn)
    query = {"host": parts["host"], "port": parts.get("port", 5432), "user": parts["user"]}
    return f"postgresql:///{quote(str(parts['dbname']))}?{urlencode(query)}"
