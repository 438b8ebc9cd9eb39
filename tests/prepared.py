"""Processes of the program without the second and a half that Python takes to import it.

For each worker of pytest, one process imports the libraries and every layer below the command
line, and waits. To start the program is then to fork it: a process of its own, with the arguments,
environment, folder, files and session that it is given, which imports `interface.cli`, runs it as
`python -m interface.cli` does, and ends as every process of Python does.

Invariant: nothing but modules is shared; what is prepared runs no thread and read no setting. That
`python -m interface.cli` itself does the same is for `tests/command_line` to show.
"""

import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from atexit import register
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Final

PROJECT: Final = Path(__file__).parents[1]
PROGRAM: Final = "interface.cli"
PREPARED: Final = (
    "cyclopts", "rich.table", "application.continuity.watch", "infrastructure.demo_model",
    "interface.api", "interface.http.app", "interface.processes", "interface.starting",
    "interface.server", "interface.event_loop",
)  # fmt: skip
LONGEST_REQUEST_BYTES: Final = 150_000


class Prepared:
    """A running program: what `subprocess.Popen` is to one started by its name."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        stdout: int | IO[bytes] | IO[str],
        stderr: int | IO[bytes] | IO[str],
        cwd: Path = PROJECT,
        start_new_session: bool = False,
    ) -> None:
        """Start it. `stdout` and `stderr` are open files or their descriptors."""
        # As `Popen` does: a test that did not ask for servers must not start one this way.
        command = [sys.executable, "-m", PROGRAM, *words]
        sys.audit("subprocess.Popen", sys.executable, command, None, None)
        request = {
            "words": list(words),
            "env": dict(env),
            "cwd": str(cwd),
            "session": start_new_session,
        }
        reading, writing = os.pipe()
        try:
            with Path(os.devnull).open("rb") as nothing:
                files = [writing, nothing.fileno(), *map(_descriptor, (stdout, stderr))]
                message = json.dumps(request).encode()
                assert len(message) < LONGEST_REQUEST_BYTES
                socket.send_fds(_ready(), [message], files)
        finally:
            os.close(writing)
        self._status = os.fdopen(reading, "rb", buffering=0)
        self.pid = int(self._line())
        self.returncode: int | None = None
        """Negative for a signal; None while it runs, as far as was looked."""
        os.set_blocking(reading, False)

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.returncode is None and (line := self._status.read(64)):
            self.returncode = os.waitstatus_to_exitcode(int(line))
            self._status.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, in seconds at most; its exit code."""
        ends = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if ends is not None and time.monotonic() > ends:
                raise subprocess.TimeoutExpired(PROGRAM, timeout or 0)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            part = self._status.read(1)
            assert part, "what prepares processes has ended"
            line += part
        return line


def run(
    words: Sequence[str], *, env: Mapping[str, str], cwd: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, as `subprocess.run` does with what it says captured."""
    said, complained = (os.memfd_create(name) for name in ("said", "complained"))
    try:
        process = Prepared(words, env=env, stdout=said, stderr=complained, cwd=cwd)
        code = process.wait()
        texts = [_text(file) for file in (said, complained)]
    finally:
        os.close(said)
        os.close(complained)
    return subprocess.CompletedProcess([PROGRAM, *words], code, *texts)


def _text(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode()


def _descriptor(file: int | IO[bytes] | IO[str]) -> int:
    return file if isinstance(file, int) else file.fileno()


@cache
def _ready() -> socket.socket:
    """The way to the process that forks; it ends with us, when this way is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - this very module.
            [sys.executable, "-m", "tests.prepared", str(theirs.fileno())],
            cwd=PROJECT,
            env={"PATH": os.defpath, "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    register(process.wait)
    register(ours.close)
    return ours


def _wait_for_requests(way: socket.socket) -> list[str] | None:
    """Fork for each request: the words, in the process that is to run them; None at the end."""
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        message, files, _, _ = socket.recv_fds(way, LONGEST_REQUEST_BYTES, 4)
        if not message:
            return None
        if os.fork() == 0:
            break
        for file in files:
            os.close(file)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status, *standard = files
    child = os.fork()
    if child:
        _keep(child, status)
    for number, file in enumerate(standard):
        os.dup2(file, number)
    os.closerange(len(standard), os.sysconf("SC_OPEN_MAX"))
    return _become(json.loads(message))


def _reap(number: int, frame: object) -> None:
    """Let keepers go that have ended; what they took of the processor counts as ours."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _keep(child: int, status: int) -> None:
    """Tell its id and how it ends, and end: an ended process is to be gone at once."""
    os.closerange(0, status)
    os.closerange(status + 1, os.sysconf("SC_OPEN_MAX"))
    os.write(status, f"{child}\n".encode())
    _, how = os.waitpid(child, 0)
    os.write(status, f"{how}\n".encode())
    os._exit(0)


def _become(request: dict) -> list[str]:
    """Take on what the request says of a process."""
    if request["session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    out = os.fdopen(1, "wb", buffering=0 if at_once else -1, closefd=False)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=at_once)
    sys.stderr = os.fdopen(
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
    return request["words"]


def _main() -> None:
    """Import, then be the program as often as asked."""
    way = socket.socket(fileno=int(sys.argv[1]))
    for module in PREPARED:
        importlib.import_module(module)
    assert PROGRAM not in sys.modules, "it looks at the terminal when it is imported"
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "a thread would be lost in a fork"
    gc.collect()
    gc.freeze()  # Or each process looks through all modules when it ends, for half a second.
    words = _wait_for_requests(way)
    if words is not None:
        sys.argv = [PROGRAM, *words]
        runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
