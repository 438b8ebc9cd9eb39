"""Places that tenants share: each has some at most, and those who wait take turns.

Invariant: nobody waits while a place is free that is theirs to take; a tenant that asks for much
makes only itself wait longer.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from application.running.computing import Crowded


class Places:
    """So many in all, so many for each."""

    def __init__(self, in_all: int, each: int, waiting_each: int) -> None:
        self._free = in_all
        self._each = each
        self._waiting_each = waiting_each
        self._taken: Counter[object] = Counter()
        self._waiting: OrderedDict[object, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def one(self, whose: object) -> AsyncIterator[None]:
        """Hold a place, after waiting for one. Raises Crowded."""
        await self._take(whose)
        try:
            yield
        finally:
            self._give_back(whose)

    async def _take(self, whose: object) -> None:
        if self._free and self._taken[whose] < self._each:
            self._hold(whose)
            return
        mine = self._waiting.setdefault(whose, deque())
        if len(mine) >= self._waiting_each:
            raise Crowded
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(whose)
            else:
                mine.remove(turn)
                self._forget(whose)
            raise

    def _hold(self, whose: object) -> None:
        self._free -= 1
        self._taken[whose] += 1

    def _give_back(self, whose: object) -> None:
        self._free += 1
        self._taken[whose] -= 1
        if not self._taken[whose]:
            del self._taken[whose]
        for other in list(self._waiting):
            if not self._free:
                return
            if self._taken[other] < self._each:
                self._waiting[other].popleft().set_result(None)
                self._hold(other)
                self._waiting.move_to_end(other)
                self._forget(other)

    def _forget(self, whose: object) -> None:
        if not self._waiting[whose]:
            del self._waiting[whose]
