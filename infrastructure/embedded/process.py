"""A child process that never outlives us: started in its own session, told to end when we do.

Linux sends the signal even after a `kill -9` of this process. The request belongs to the thread
that made it, hence the rule: start from the main thread. Other systems have no such request; there
the next start stops what was left over.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infrastructure.embedded.errors import StackError

PR_SET_PDEATHSIG = 1  # From prctl(2).
LOG_LIMIT_BYTES = 10_000_000
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

# A server needs nothing of our environment, and our environment holds secrets.
ENVIRONMENT: Mapping[str, str] = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": os.defpath}


def tied_to_us(when_we_die: signal.Signals) -> Callable[[], None]:
    """Return what the child runs before its program; refuse outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        raise StackError("embedded servers must be started from the main thread")
    parent = os.getpid()

    def in_child() -> None:
        os.setsid()  # Ctrl-C reaches only us: we stop the children in order.
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(when_we_die))
            if os.getppid() != parent:  # We died in between, and the request came too late.
                os._exit(1)

    return in_child


class Server:
    """One running server."""

    def __init__(
        self, command: Sequence[str], *, log: Path, stop: signal.Signals, force: signal.Signals
    ) -> None:
        """Start `command`; `stop` asks it to end, also when we die, `force` insists."""
        self.log = log
        self._stop, self._force = stop, force
        _rotate(log)
        with log.open("ab") as sink:
            self.log_start = sink.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own binaries, no shell.
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=dict(ENVIRONMENT),
                cwd="/",
                preexec_fn=tied_to_us(stop),  # noqa: PLW1509 - one system call, nothing that locks.
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.ended() is None:
            self._process.kill()
            self._process.wait()

    def stop(self, patience_seconds: float) -> None:
        """Ask it to end, then insist; does nothing when it has ended already."""
        for signal_, patience in ((self._stop, patience_seconds), (self._force, 5.0)):
            if self.ended() is not None:
                return
            self._process.send_signal(signal_)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self.kill()

    def said(self) -> str:
        """Return what it has logged since it started."""
        with self.log.open("rb") as source:
            source.seek(self.log_start)
            return source.read(1_000_000).decode(errors="replace")


def _rotate(log: Path) -> None:
    """Keep one older log, so that logs take at most twice the limit."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
