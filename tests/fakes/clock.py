"""A clock that a test may turn."""

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that moves a millisecond with each look, and as far as a test turns it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
