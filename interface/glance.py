"""A look at the dependencies that everybody may ask for, and that is taken now and then.

Invariant: however many ask, one look is under way at a time, and one is taken in `FRESH_SECONDS`.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from interface.http.services import Health, Readiness

FRESH_SECONDS: Final = 1.0


class Glance:
    """The port `Health` over another one."""

    def __init__(self, health: Health, monotonic: Callable[[], float]) -> None:
        """Take who looks, and a clock of seconds that never goes back."""
        self._health = health
        self._monotonic = monotonic
        self._looking: asyncio.Task[Readiness] | None = None
        self._until = 0.0

    async def report(self) -> Readiness:
        """What was seen, a second ago at most. Never raises."""
        looking = self._looking
        if looking is None or (looking.done() and self._monotonic() >= self._until):
            looking = self._looking = asyncio.create_task(self._look())
        # Whoever asked first may leave: the others wait for the same look.
        return await asyncio.shield(looking)

    async def _look(self) -> Readiness:
        found = await self._health.report()
        self._until = self._monotonic() + FRESH_SECONDS
        return found
