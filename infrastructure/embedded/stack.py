"""Both embedded servers as one context manager: inside it they run, after it they do not.

Invariant: one process at a time holds a data folder, by a lock that ends with the process.
"""

import errno
import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import structlog

from infrastructure.embedded.errors import DiskFull, FolderInUse, FolderNotWritable
from infrastructure.embedded.nats import Nats
from infrastructure.embedded.postgres import Postgres

log = structlog.get_logger(__name__)

# An empty cluster takes 40 MB, and its write-ahead log grows in steps of 16 MB.
FREE_MB_NEEDED = 256


class Stack:
    """PostgreSQL and NATS under one data folder; use it in the main thread, as a context manager.

    `durable=False` trades safety against power loss for speed, for tests.
    """

    def __init__(self, root: Path, durable: bool = True) -> None:  # noqa: FBT001, FBT002 - reads well.
        """Name the folder; nothing is touched before the context is entered."""
        self.root = root.absolute()
        self._durable = durable
        self._lock: TextIO | None = None
        self._postgres: Postgres | None = None
        self._nats: Nats | None = None

    @property
    def dsn(self) -> str:
        """What psycopg connects to: superuser and database `postgres`, over a private socket."""
        return self._both()[0].dsn

    @property
    def nats_url(self) -> str:
        """What nats-py connects to; holds a token, so it is never to be logged."""
        return self._both()[1].url

    @property
    def pg_pid(self) -> int:
        """The process id of the running postmaster."""
        return self._both()[0].pid

    @property
    def nats_pid(self) -> int:
        """The process id of the running NATS server."""
        return self._both()[1].pid

    def __enter__(self) -> Self:
        """Start both; StackError says in one line why not and what to do."""
        try:
            self._take_folder()
            self._postgres = Postgres(self.root, durable=self._durable)
            self._nats = Nats(self.root)
            self._nats.start()
            self._postgres.start()
            self._nats.wait_ready()
            self._postgres.wait_ready()
        except OSError as error:
            self._stop()
            if error.errno == errno.ENOSPC:
                raise self._disk_full() from None
            raise FolderNotWritable(self.root, error.strerror or str(error)) from None
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop NATS, then PostgreSQL, and give the folder back."""
        self._stop()

    def check(self) -> None:
        """Raise StackError if one of the servers has ended; costs two system calls."""
        for server in self._both():
            server.check()

    def restart_nats(self, wipe: bool = False) -> None:  # noqa: FBT001, FBT002 - reads well.
        """Stop NATS if it runs and start it on the same port, on request with an empty store."""
        _, nats = self._both()
        nats.stop()
        if wipe:
            nats.wipe()
        nats.start()
        nats.wait_ready()

    def restart_postgres(self) -> None:
        """Stop PostgreSQL if it runs, and start it on the same socket."""
        postgres, _ = self._both()
        postgres.stop()
        postgres.start()
        postgres.wait_ready()

    def stop_postgres(self) -> Path:
        """Stop PostgreSQL in order; its data folder, which may be copied or replaced now."""
        postgres, _ = self._both()
        postgres.stop()
        return postgres.data

    def kill_postgres(self) -> None:
        """End PostgreSQL as a crash would; `restart_postgres` brings it back."""
        self._both()[0].kill()

    def kill_nats(self) -> None:
        """End NATS as a crash would; `restart_nats` brings it back."""
        self._both()[1].kill()

    def _both(self) -> tuple[Postgres, Nats]:
        if self._postgres is None or self._nats is None:
            message = "the stack is used outside its `with` block"
            raise RuntimeError(message)
        return self._postgres, self._nats

    def _take_folder(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self.root / "supervisor.lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            lock.close()
            raise FolderInUse(self.root, pid) from None
        self._lock = lock
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        if shutil.disk_usage(self.root).free < FREE_MB_NEEDED * 1_000_000:
            raise self._disk_full()

    def _disk_full(self) -> DiskFull:
        free_mb = shutil.disk_usage(self.root).free // 1_000_000
        return DiskFull(self.root, free_mb, FREE_MB_NEEDED)

    def _stop(self) -> None:
        try:
            for server in (self._nats, self._postgres):
                if server is not None:
                    server.stop()
        finally:
            self._postgres = self._nats = None
            if self._lock is not None:
                self._lock.close()
                self._lock = None
