"""Signs of life of a loop that works for everybody: that it got round, and when it last did.

Invariant: only a round that did its work counts; one that failed, or waits, leaves no sign.
"""

import time
from collections.abc import Callable


class Pulse:
    """One loop's."""

    def __init__(
        self, name: str, *, within_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin as if a round had just ended.

        Args:
            name: Of the loop.
            within_seconds: A healthy loop gets round at least so often, also without work.
            clock: Seconds that only grow.
        """
        self.name = name
        self.within_seconds = within_seconds
        self.rounds = 0
        """Since the process started."""
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """A round did its work, or found none."""
        self.rounds += 1
        self._last = self._clock()

    @property
    def age_seconds(self) -> float:
        """Since the last round."""
        return self._clock() - self._last

    @property
    def late(self) -> bool:
        """Whether it should have got round by now."""
        return self.age_seconds > self.within_seconds
