"""The embedded PostgreSQL: one cluster in one folder, reachable only through a private socket.

Invariant: a data folder is either complete or not there; a killed initdb leaves no half cluster.
"""

import contextlib
import hashlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import structlog
from psycopg.conninfo import make_conninfo

from infrastructure.embedded import leftovers, privileges
from infrastructure.embedded.binaries import POSTGRES_MAJOR, postgres_bin
from infrastructure.embedded.errors import (
    FolderDamaged,
    FolderNotWritable,
    FolderOfAnotherVersion,
    ServerFailed,
    StackError,
)
from infrastructure.embedded.process import ENVIRONMENT, Server, tied_to_us

log = structlog.get_logger(__name__)

READY_WITHIN_SECONDS = 120.0  # Recovery after a crash may replay a gigabyte of log.
STOPPED_WITHIN_SECONDS = 20.0
SOCKET_PATH_LIMIT = 100  # sun_path holds 104 bytes on macOS and 108 on Linux.

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "wal_level": "replica",
    "timezone": "UTC",
    "jit": "off",
    # Parallel queries need more /dev/shm than containers have.
    "max_parallel_workers_per_gather": "0",
    # Statements and details of errors quote values, and values are the tenants' own.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# Every commit still reaches the operating system: a kill loses nothing, a power cut may.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}

# What PostgreSQL 18 says of files that it needs and cannot use.
DAMAGE = re.compile(
    r"PANIC|pg_control|control file|checkpoint record|not a valid data directory|invalid page"
    r"|missing or erroneous|invalid data in file|could not (open|read|access) (file|directory)"
    r"|could not find the database system|required WAL directory|incompatible with server"
    r'|database "postgres" does not exist'
)
FAULT = re.compile(r"FATAL:|PANIC:|^postgres: ")
NOT_YET = re.compile(r"database system is (starting up|not yet accepting|in recovery)")
BACKENDS_STILL_THERE = re.compile(r"shared memory block .{1,200} is still in use")


class Postgres:
    """A cluster under `root`; start and stop it from the main thread."""

    def __init__(self, root: Path, *, durable: bool) -> None:
        """Take the cluster under `root`; without `durable`, a crash of the machine may lose it."""
        self._privileges = privileges.find(postgres_bin() / "postgres")
        self._settings = SETTINGS if durable else SETTINGS | NOT_DURABLE
        self._durable = durable
        self._log = root / "postgres.log"
        self._home = root if self._privileges.owner is None else root / "postgres"
        self.data = self._home / f"pg{POSTGRES_MAJOR}"
        self._socket = _socket_folder(self.data)
        self._server: Server | None = None
        self.dsn = make_conninfo(
            host=str(self._socket), port=5432, user="postgres", dbname="postgres"
        )

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._running().pid

    def start(self) -> None:
        """Make the cluster if there is none, stop what was left running, and launch the server."""
        self._prepare_home()
        self._initialise()
        leftovers.stop(self.data / "postmaster.pid", "postgres", self.data, signal.SIGINT)
        self._prepare_socket()
        self._launch()

    def wait_ready(self) -> None:
        """Return once it answers a query; ServerFailed or FolderDamaged when it never will."""
        began = time.monotonic()
        while True:
            try:
                self.check()
            except ServerFailed:
                self._explain_or_launch_again(began)
            try:
                with psycopg.connect(self.dsn, connect_timeout=5) as connection:
                    connection.execute("SELECT 1")
                break
            except psycopg.OperationalError as error:
                if faults := _faults(str(error)):  # It runs, and never will let us in.
                    raise self._refusal(faults) from None
            if time.monotonic() - began > READY_WITHIN_SECONDS:
                raise ServerFailed(
                    "PostgreSQL", f"not ready within {READY_WITHIN_SECONDS:.0f} s", self._log
                )
            time.sleep(0.01)
        log.info("postgres_ready", pid=self.pid, seconds=round(time.monotonic() - began, 3))

    def check(self) -> None:
        """Raise ServerFailed if it has ended."""
        code = self._running().ended()
        if code is not None:
            raise ServerFailed("PostgreSQL", f"ended with code {code}", self._log)

    def stop(self) -> None:
        """Roll back what is open, write a checkpoint, end."""
        if self._server is not None:
            self._server.stop(STOPPED_WITHIN_SECONDS)
            self._server = None
        if self._socket.parent != self._home:
            with contextlib.suppress(OSError):
                self._socket.rmdir()

    def kill(self) -> None:
        """End the postmaster as a crash would; its backends notice and follow."""
        self._running().kill()

    def _running(self) -> Server:
        if self._server is None:
            raise ServerFailed("PostgreSQL", "is not started", self._log)
        return self._server

    def _prepare_home(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self._privileges.owner is not None:
            self._privileges.hand_over(self._home)
            root = self._home.parent
            root.chmod(root.stat().st_mode | 0o011)  # Pass through, of our own folder only.

    def _initialise(self) -> None:
        version = self.data / "PG_VERSION"
        if not version.exists():
            if self.data.exists() and any(self.data.iterdir()):
                raise FolderDamaged(self.data, "PG_VERSION is missing")
            self._initdb()
        found = version.read_text().strip()
        if found != POSTGRES_MAJOR:
            raise FolderOfAnotherVersion(self.data, found, POSTGRES_MAJOR)
        if version.stat().st_uid != self._privileges.uid:
            raise FolderNotWritable(self.data, "another user made it")

    def _initdb(self) -> None:
        began = time.monotonic()
        for left in self._home.glob(f"{self.data.name}.init-*"):
            shutil.rmtree(left, ignore_errors=True)
        # A new name each time: what a killed start left may still be writing into the old one.
        half = Path(tempfile.mkdtemp(prefix=f"{self.data.name}.init-", dir=self._home))
        self._privileges.hand_over(half)
        made = subprocess.run(  # noqa: S603 - our own binary, no shell; see process.py.
            [
                *self._privileges.prefix,
                str(postgres_bin() / "initdb"),
                f"--pgdata={half}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",  # The same order of text on every machine.
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                *([] if self._durable else ["--no-sync"]),
            ],
            env=dict(ENVIRONMENT),
            cwd="/",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            preexec_fn=tied_to_us(signal.SIGKILL),
        )
        if made.returncode:
            self._log.write_text(made.stdout + made.stderr)
            complaints = [line for line in made.stderr.splitlines() if "rror:" in line]
            reason = complaints[-1].strip() if complaints else f"ended with code {made.returncode}"
            raise ServerFailed("initdb", f"failed ({reason})", self._log)
        half.replace(self.data)
        log.info("postgres_initialised", seconds=round(time.monotonic() - began, 3))

    def _prepare_socket(self) -> None:
        with contextlib.suppress(FileExistsError):
            self._socket.mkdir(mode=0o700)
            self._privileges.hand_over(self._socket)
        status = self._socket.lstat()
        if not self._socket.is_dir() or self._socket.is_symlink() or status.st_mode & 0o077:
            raise FolderNotWritable(self._socket, "not a private folder")
        if status.st_uid != self._privileges.uid:
            raise FolderNotWritable(self._socket, "it belongs to another user")

    def _launch(self) -> None:
        settings = self._settings | {"unix_socket_directories": str(self._socket)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._server = Server(
            [
                *self._privileges.prefix,
                str(postgres_bin() / "postgres"),
                "-D",
                str(self.data),
                *options,
            ],
            log=self._log,
            stop=signal.SIGINT,  # "Fast": waits for no client.
            force=signal.SIGQUIT,
        )

    def _explain_or_launch_again(self, began: float) -> None:
        said = self._running().said()
        if BACKENDS_STILL_THERE.search(said) and time.monotonic() - began < STOPPED_WITHIN_SECONDS:
            time.sleep(0.05)  # Backends of a killed postmaster need a moment to notice.
            self._launch()
            return
        raise self._refusal(_faults(said))

    def _refusal(self, faults: list[str]) -> StackError:
        reason = faults[-1].split(":  ", 1)[-1].strip() if faults else "it gave no reason"
        if "No space left" not in reason and any(DAMAGE.search(line) for line in faults):
            return FolderDamaged(self.data, reason)
        return ServerFailed("PostgreSQL", f"did not start ({reason})", self._log)


def _faults(said: str) -> list[str]:
    return [line for line in said.splitlines() if FAULT.search(line) and not NOT_YET.search(line)]


def _socket_folder(data: Path) -> Path:
    """Return the folder beside the data, or a short one where that path does not fit a socket."""
    beside = data.parent / "run"
    fits = len(bytes(beside / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT
    if fits and not set(str(beside)) & set(',"'):  # Both would be read as a list of folders.
        return beside
    name = hashlib.sha256(bytes(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"bp-{name}"
