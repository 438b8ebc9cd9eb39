"""One step in a process of its own, on behalf of a worker that holds its lease.

The worker's word comes over standard input: first the order, then at most one word, when to end;
signs of life go back over standard output. Invariant: without its worker it ends at once, for the
lease ends with that.
"""

import asyncio
import contextlib
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import msgspec
import structlog

from application.ports import Unavailable
from infrastructure.computing.own_process import BEGUN, OVER, STOP, UNAVAILABLE
from interface.event_loop import run
from interface.foundation import configured, open_foundation
from interface.processes import StepOrder, open_continuity, open_crew, open_demo_model
from interface.settings import Settings
from interface.watchdog import LEASES, watched

log = structlog.get_logger(__name__)

MEMORY_BYTES: Final = 1_073_741_824
"""Of what it writes to. A worker with 32 steps takes a fifth of that."""
PROGRESS_SECONDS: Final = 0.5
"""How often a sign of life is passed on, at most."""
ORPHANED: Final = 3
LONGEST: Final = 65_536


class InputLines:
    """Standard input by lines, read without Python's buffers, whose lock outlives their thread."""

    def __init__(self) -> None:
        self._rest = b""

    def next(self) -> bytes | None:
        """The next line; None when nobody is there any more."""
        while b"\n" not in self._rest:
            read = os.read(0, LONGEST)
            if not read:
                return None
            self._rest += read
        line, self._rest = self._rest.split(b"\n", 1)
        return line


class Signs:
    """Standard output for our worker alone: whatever else is printed goes where errors go."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._at = 0.0

    def begun(self) -> None:
        """From here on an end is the step's."""
        os.write(self._out, BEGUN + b"\n")

    def over(self) -> None:
        """The step has come to its end."""
        os.write(self._out, OVER + b"\n")

    def alive(self) -> None:
        """Pass a sign of life on."""
        now = time.monotonic()
        if now - self._at >= PROGRESS_SECONDS:
            self._at = now
            os.write(self._out, b".\n")


def main() -> int:
    """Take the order and carry it out; the exit code says whether there was a word."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # Meant for our worker, which tells us when to end.
    signs, lines = Signs(), InputLines()
    line = lines.next()
    if line is None:
        return ORPHANED
    order = msgspec.json.decode(line, type=StepOrder)
    settings = configured(**order.settings)
    _limit_memory()
    return run(_carry_out(order, settings, signs, lines))


def _limit_memory() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    least = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
    resource.setrlimit(resource.RLIMIT_DATA, (least, most))


async def _carry_out(order: StepOrder, settings: Settings, signs: Signs, lines: InputLines) -> int:
    word = b""

    def told(said: bytes) -> None:
        nonlocal word
        word = said
        working.cancel()

    async def work() -> None:
        async with AsyncExitStack() as scope:
            stop = asyncio.Event()
            base = await open_foundation(scope, settings, order.addresses, stop)
            watch = await open_continuity(scope, base, ("worker",))
            # When the log is set back, our worker finds that, too, and tells us to end.
            watching = asyncio.ensure_future(watch.run(stop))
            scope.push_async_callback(_over, watching)
            demo_url = await open_demo_model(scope, settings)
            crew = await open_crew(scope, base, demo_url)
            signs.begun()
            await crew.runner.run(order.claim, signs.alive, lambda: word == STOP)
            signs.over()

    async with watched(LEASES * settings.lease_seconds):
        working = asyncio.create_task(work())
        listening = (lines, asyncio.get_running_loop(), told)
        threading.Thread(target=_listen, args=listening, name="orders", daemon=True).start()
        try:
            await working
        except asyncio.CancelledError:
            return 0
        except Unavailable as down:
            log.warning("step_postponed", step=order.claim.step, reason=str(down))
            return UNAVAILABLE
    return 0


async def _over(task: asyncio.Future[None]) -> None:
    """End a task that runs beside the step."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _listen(
    lines: InputLines, loop: asyncio.AbstractEventLoop, told: Callable[[bytes], None]
) -> None:
    line = lines.next()
    if line is None:
        os._exit(ORPHANED)
    with contextlib.suppress(RuntimeError):  # The loop is closed: there is nothing to end.
        loop.call_soon_threadsafe(told, line)


if __name__ == "__main__":
    sys.exit(main())
