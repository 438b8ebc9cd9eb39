"""Ends a process whose event loop stands still, so that its supervisor starts another.

Such a process holds up everybody it serves and obeys no signal to stop. Invariant: only time in
which the process ran counts, so a process that was put to sleep, or is starved, is not ended.

Python's own threads cannot see a loop that computes without letting go of the interpreter, as a
pattern that backtracks does: for that there is a timer of the system, of computing time alone,
whose signal ends the process unless it is set anew. A thread sees a loop that waits and computes
nothing.
"""

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

TICK_SECONDS: Final = 0.25
LOOK_SECONDS: Final = 0.5
LEASES: Final = 4
"""A loop that stood still for one lease has lost all that it held; after so many it is ended."""
STOOD_STILL: Final = 70
"""The exit code (EX_SOFTWARE of sysexits.h)."""


@asynccontextmanager
async def watched(seconds: float) -> AsyncIterator[None]:
    """Inside this the loop must come round; otherwise the process ends, with where it stood.

    Args:
        seconds: How long the loop may stand still, of the process's own time.
    """
    watch = _Watch(seconds)
    faulthandler.register(signal.SIGVTALRM, chain=True)
    ticking = asyncio.create_task(watch.tick())
    looking = threading.Thread(target=watch.look, name="watchdog", daemon=True)
    looking.start()
    try:
        yield
    finally:
        ticking.cancel()
        watch.over.set()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        faulthandler.unregister(signal.SIGVTALRM)


class _Watch:
    def __init__(self, seconds: float) -> None:
        self.over = threading.Event()
        self._seconds = seconds
        self._ticks = 0

    async def tick(self) -> None:
        """Say that the loop comes round, for as long as it does."""
        while True:
            self._ticks += 1
            signal.setitimer(signal.ITIMER_VIRTUAL, self._seconds)
            await asyncio.sleep(TICK_SECONDS)

    def look(self) -> None:
        """Count our own looks, not the clock: asleep, this thread counts nothing either."""
        seen, missed = self._ticks, 0
        while not self.over.wait(LOOK_SECONDS):
            missed = missed + 1 if self._ticks == seen else 0
            seen = self._ticks
            if missed * LOOK_SECONDS >= self._seconds:
                # Past logging, whose lock the loop may hold. Names and lines, no values.
                faulthandler.dump_traceback(file=sys.stderr)
                os._exit(STOOD_STILL)
