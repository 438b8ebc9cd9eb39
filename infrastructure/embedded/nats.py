"""The embedded NATS server with JetStream: loopback only, behind a token.

Its store is disposable, the database is the truth; so it may sync its files at its own pace.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import time
from pathlib import Path

import structlog

from infrastructure.embedded import leftovers
from infrastructure.embedded.binaries import nats_server
from infrastructure.embedded.errors import ServerFailed
from infrastructure.embedded.process import Server

log = structlog.get_logger(__name__)

READY_WITHIN_SECONDS = 30.0
STOPPED_WITHIN_SECONDS = 10.0
ANY_PORT = -1

CONFIGURATION = """\
server_name: embedded
listen: "127.0.0.1:{port}"
pid_file: {pid_file}
ports_file_dir: {ports}
max_payload: 1MB
authorization {{ token: {token} }}
jetstream {{ store_dir: {store}, max_memory_store: 64MB, max_file_store: 2GB }}
"""


class Nats:
    """A server under `root`; start and stop it from the main thread."""

    def __init__(self, root: Path) -> None:
        """Take the server under `root`; it gets a free port when first started, and keeps it."""
        self._log = root / "nats.log"
        self._token_file = root / "nats.token"
        self._configuration = root / "nats.conf"
        self._pid_file = root / "nats.pid"
        self._ports = root / "nats.ports"
        self._store = root / "nats"
        self._server: Server | None = None
        self._port = ANY_PORT

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def url(self) -> str:
        """The address with the token in it: a secret, never to be logged."""
        return f"nats://{self._token()}@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Stop what was left running and launch the server."""
        leftovers.stop(self._pid_file, "nats-server", self._configuration, signal.SIGTERM)
        shutil.rmtree(self._ports, ignore_errors=True)
        for folder in (self._ports, self._store):
            folder.mkdir(mode=0o700, exist_ok=True)
        paths = {"pid_file": self._pid_file, "ports": self._ports, "store": self._store}
        quoted = {name: _quoted(str(path)) for name, path in paths.items()}
        _write_secret(
            self._configuration,
            CONFIGURATION.format(port=self._port, token=_quoted(self._token()), **quoted),
        )
        self._server = Server(
            [str(nats_server()), "-c", str(self._configuration)],
            log=self._log,
            stop=signal.SIGTERM,
            force=signal.SIGKILL,
        )

    def wait_ready(self) -> None:
        """Return once it greets a client; ServerFailed when it never will."""
        began = time.monotonic()
        while not self._greets():
            self.check()
            if time.monotonic() - began > READY_WITHIN_SECONDS:
                reason = f"is not ready within {READY_WITHIN_SECONDS:.0f} s"
                raise ServerFailed("NATS", reason, self._log)
            time.sleep(0.01)
        log.info("nats_ready", pid=self.pid, seconds=round(time.monotonic() - began, 3))

    def check(self) -> None:
        """Raise ServerFailed if it has ended."""
        code = self._running().ended()
        if code is not None:
            faults = [line for line in self._running().said().splitlines() if "[FTL]" in line]
            reason = faults[-1].split("[FTL]", 1)[1].strip() if faults else f"code {code}"
            raise ServerFailed("NATS", f"ended ({reason})", self._log)

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(STOPPED_WITHIN_SECONDS)
            self._server = None

    def kill(self) -> None:
        """End it as a crash would."""
        self._running().kill()

    def wipe(self) -> None:
        """Forget every stream, consumer and message; the server must be stopped."""
        if self._server is not None and self._server.ended() is None:
            raise ServerFailed("NATS", "must be stopped before its store is wiped", self._log)
        shutil.rmtree(self._store)

    def _running(self) -> Server:
        if self._server is None:
            raise ServerFailed("NATS", "is not started", self._log)
        return self._server

    def _greets(self) -> bool:
        with contextlib.suppress(OSError, ValueError, LookupError):
            said = json.loads((self._ports / f"nats-server_{self.pid}.ports").read_text())
            port = int(said["nats"][0].rsplit(":", 1)[1])
            with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
                if client.recv(4) == b"INFO":
                    # Clients reconnect to the port they know: a restart must come back on it.
                    self._port = port
                    return True
        return False

    def _token(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            if token := self._token_file.read_text().strip():
                return token
        _write_secret(self._token_file, secrets.token_urlsafe(32))
        return self._token_file.read_text()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _write_secret(path: Path, text: str) -> None:
    """Write a file that only we can read, complete or not at all."""
    half = path.with_name(f"{path.name}.new")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    half.replace(path)
