"""What a loop that serves all says while it cannot work: once when it begins, then now and then.

Invariant: an outage of hours is a few lines in the log, and its end is one.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from application.ports import Unavailable

SAY_AGAIN_SECONDS: Final = 60.0


class NeedsOperator(Exception):
    """Something only an operator can put right. It says what, so that no trace is needed."""


class Outage:
    """One loop's standstill."""

    def __init__(
        self,
        log: Any,  # noqa: ANN401  # A bound logger of structlog, which has no common type.
        event: str,
        *,
        again_seconds: float = SAY_AGAIN_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        **always: Any,  # noqa: ANN401  # Whatever names the loop in its lines.
    ) -> None:
        """Take the log, what the line is called, and after how long it is said again."""
        self._log = log
        self._event = event
        self._again = again_seconds
        self._now = monotonic
        self._always = always
        self._began: float | None = None
        self._said = 0.0
        self._kind: type[Exception] | None = None

    @property
    def lasts(self) -> bool:
        """Whether the loop stands still."""
        return self._began is not None

    def on(self, error: Exception) -> None:
        """The loop cannot work, for this reason; a defect is told with its trace."""
        now = self._now()
        if self._began is None:
            self._began = now
        elif type(error) is self._kind and now - self._said < self._again:
            return
        self._said, self._kind = now, type(error)
        if isinstance(error, Unavailable):
            self._log.warning(self._event, reason=str(error), **self._always)
        elif isinstance(error, NeedsOperator):
            self._log.error(self._event, reason=str(error), **self._always)
        else:
            self._log.error(self._event, exc_info=error, **self._always)

    def over(self) -> None:
        """The loop works again, or still does."""
        if self._began is not None:
            seconds = round(self._now() - self._began, 1)
            self._log.info(f"{self._event}_over", seconds=seconds, **self._always)
            self._began = self._kind = None
