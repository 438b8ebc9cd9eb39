"""Long work in the event loop, a little at a time: histories are gone through without a stop.

What a history is folded into is needed here, and its events are opened with keys that no other
process gets. So it is not sent away, but cut into slices that take milliseconds.

Invariant: whatever many ask for, one slice is done between two looks at everything else; slices of
different work take turns, and no tenant has more than a few works under way.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import Final, TypeVar

from application.running.places import Places

T = TypeVar("T")

SLICE: Final = 50
"""Events between two looks at everything else: some milliseconds, whatever they are folded into."""
AT_ONCE: Final = 16
AT_ONCE_EACH: Final = 2
"""Long works of all, and of one tenant, that are under way together."""
WAITING_EACH: Final = 64


class Turns:
    """Takes turns in one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._places = Places(AT_ONCE, AT_ONCE_EACH, WAITING_EACH)

    def long(self, whose: object) -> AbstractAsyncContextManager[None]:
        """While a work that may be long is under way: its tenant's others wait. Raises Crowded."""
        return self._places.one(whose)

    async def through(self, items: Sequence[T], step: Callable[[T], object]) -> None:
        """Take a step for each item, in order; others get their turn in between."""
        rest = iter(items)
        if len(items) <= SLICE:
            _slice(rest, step)
            return
        more = True
        while more:
            async with self._turn:
                more = _slice(rest, step)
                # Held over the pause, so that others' slices are done after it and not before.
                await asyncio.sleep(0)


def _slice(rest: Iterator[T], step: Callable[[T], object]) -> bool:
    """Take some steps; whether there may be more."""
    few = list(islice(rest, SLICE))
    for item in few:
        step(item)
    return len(few) == SLICE
