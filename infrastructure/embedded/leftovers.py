"""Servers left running by an earlier start that could not stop them.

A process is stopped only when its command line names our folder: a process id may have been given
to somebody else since.
"""

import contextlib
import signal
from pathlib import Path

import psutil
import structlog

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 20.0


def running(pid_file: Path, program: str, folder: Path) -> psutil.Process | None:
    """Return the process of `pid_file` if it is `program` working on `folder`."""
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if process.name().startswith(program) and str(folder) in "\0".join(process.cmdline()):
            return process
    return None


def stop(pid_file: Path, program: str, folder: Path, ask: signal.Signals) -> None:
    """Stop such a process, and remove a file that would make a later start take it for alive."""
    process = running(pid_file, program, folder)
    if process is not None:
        log.warning("leftover_server_stopped", program=program, pid=process.pid)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(ask)
            try:
                process.wait(PATIENCE_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(PATIENCE_SECONDS)
    pid_file.unlink(missing_ok=True)
