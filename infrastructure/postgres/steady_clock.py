"""Notices that the database's clock was set, by a clock of this process that only grows.

Invariant: before stored times are compared with the database's clock, they are moved along with it;
as long as it is not certain whether it was set, nothing is taken for expired.
"""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import structlog

log = structlog.get_logger(__name__)

TRIES: Final = 3
"""The first may leave it open, the second settles it; another process may come between."""

CERTAIN_SECONDS: Final = 0.25
"""So much more than can have passed is no inaccuracy any more; as in the SQL function."""

Asked = tuple[datetime | None, float, int, float]


def growing() -> float:
    """Seconds that only grow, while this machine sleeps, too, where the system can tell."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class _Answer(NamedTuple):
    at: datetime
    jumps: int
    sent: float
    """When it was asked for, by our clock: the database's was read after that."""
    received: float
    """And before that."""


class SteadyClock:
    """What one process knows of one database's clock."""

    def __init__(self, clock: Callable[[], float] = growing) -> None:
        """Take a clock of seconds that only grow."""
        self._clock = clock
        self._last: _Answer | None = None
        self._ahead = 0.0

    def now(self) -> float:
        """Our own clock."""
        return self._clock()

    def asked(self, now: float) -> Asked:
        """What to ask `app.keep_time` with at this moment of `now()`."""
        if self._last is None:
            return (None, 0.0, 0, 0.0)
        return (self._last.at, now - self._last.received, self._last.jumps, self._ahead)

    def answered(self, sent: float, row: Sequence[Any]) -> bool:
        """Take the answer to what was asked at `sent`: whether what expired, really expired."""
        received = self._clock()
        steady, at, jumps, moved = row
        last, self._ahead = self._last, 0.0
        if moved:
            log.warning("database_clock_set", seconds=round(moved, 1), consequence="leases moved")
        if not steady and last is not None:
            # Both readings lie between that sending and this receiving, if nobody set the clock.
            ahead = (at - last.at).total_seconds() - (received - last.sent)
            if ahead > CERTAIN_SECONDS:
                self._ahead = ahead
                return False
        self._last = _Answer(at, jumps, sent, received)
        return bool(steady)
