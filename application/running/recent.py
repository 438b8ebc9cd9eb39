"""What was used last, in memory, and never more of it than fits.

Invariant: what was neither found nor kept for the longest time is forgotten first.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def _one(_value: object) -> int:
    return 1


class Recent(Generic[K, V]):
    """Values by key. Of one event loop or thread; who shares it between threads locks it."""

    def __init__(self, at_most: int, weigh: Callable[[V], int] = _one) -> None:
        """Take the limit, in values, or in what `weigh` counts of each, as bytes."""
        self._at_most = at_most
        self._weigh = weigh
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._weight = 0

    def find(self, key: K) -> V | None:
        """The value, if it is still here."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: K, value: V) -> None:
        """Put a value under a key, in place of the one before. None is no value."""
        self.forget(key)
        self._kept[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._at_most:
            _, forgotten = self._kept.popitem(last=False)
            self._weight -= self._weigh(forgotten)

    def forget(self, key: K) -> None:
        """Drop a value, if it is here."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._weight -= self._weigh(found)

    def forget_all(self, concerned: Callable[[K], bool]) -> None:
        """Drop all values whose keys are concerned."""
        for key in [key for key in self._kept if concerned(key)]:
            self.forget(key)

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()
        self._weight = 0

    def __contains__(self, key: object) -> bool:
        """Whether there is a value; that alone is no use of it."""
        return key in self._kept

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._kept)
