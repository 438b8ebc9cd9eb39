"""How long the event loop of a process keeps everything else waiting, and whether by our own work.

Invariant: it measures from inside the loop, so that nothing that holds the loop escapes it; what
others took, on the machine or in threads of ours, is told apart by the processor's time of the
loop's own thread.
"""

import asyncio
from collections.abc import Callable
from time import monotonic, thread_time
from typing import Final, TypeAlias

import structlog

log = structlog.get_logger(__name__)

Observe: TypeAlias = Callable[[float], None]

LOOK_SECONDS: Final = 0.05
"""Between two looks: a stretch that held the loop is found to within so much."""
BOUND_SECONDS: Final = 0.1
"""No text may hold the loop for longer."""
QUIET_SECONDS: Final = 10.0
"""Between two warnings; the next one tells the longest stretch since."""


class LoopLag:
    """Looks at the clock again and again, and notes how late it gets to it."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self.observe: Observe = lambda _: None
        """Told of every lag, in seconds."""
        self.longest = 0.0
        """The longest lag so far, whoever had the processor."""
        self.longest_held = 0.0
        """The longest stretch for which our own work in the loop held it."""
        self._untold = 0.0
        self._told_at = -QUIET_SECONDS

    async def run(self, stop: asyncio.Event) -> None:
        """Measure until told to stop."""
        while not stop.is_set():
            began, worked = monotonic(), thread_time()
            await asyncio.sleep(LOOK_SECONDS)
            now = monotonic()
            lag = max(0.0, now - began - LOOK_SECONDS)
            self.note(lag, min(lag, thread_time() - worked), now)

    def note(self, lag: float, held: float, now: float) -> None:
        """Take in one look.

        Args:
            lag: Seconds that it came late.
            held: Seconds of the processor that the loop itself used meanwhile, at most `lag`.
            now: When, by a clock that never goes back.
        """
        self.observe(lag)
        self.longest = max(self.longest, lag)
        self.longest_held = max(self.longest_held, held)
        self._untold = max(self._untold, held)
        if self._untold > BOUND_SECONDS and now - self._told_at >= QUIET_SECONDS:
            log.warning(
                "loop_lagged", held_seconds=round(self._untold, 3), lag_seconds=round(lag, 3)
            )
            self._untold, self._told_at = 0.0, now
