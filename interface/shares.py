"""Places that are taken under names, so that there are always some left for a name that has none.

A name may hold half as many as are still free: the rule of dynamic thresholds, by which switches
share a buffer among ports (Choudhury and Hahne, 1998). One name alone gets a third; n names get an
equal part each, and leave two such parts free. So nobody is thrown out for a newcomer.

Invariant: never more than `in_all` are taken, and only by whom there is something to give back.
"""

from collections.abc import Hashable
from typing import Final

SHARE: Final = 0.5
"""Of what is still free, for one name."""


class Shares:
    """So many places."""

    def __init__(self, in_all: int) -> None:
        """Take how many there are."""
        self._in_all = in_all
        self._held: dict[Hashable, int] = {}
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many are taken now."""
        return self._taken

    @property
    def full(self) -> bool:
        """Whether there is none left for anybody."""
        return self._taken >= self._in_all

    def take(self, name: Hashable | None) -> bool:
        """Take a place under a name, unless it has its share; None has no share, only a place."""
        if self.full:
            return False
        if name is not None:
            held = self._held.get(name, 0)
            if held >= SHARE * (self._in_all - self._taken):
                return False
            self._held[name] = held + 1
        self._taken += 1
        return True

    def give_back(self, name: Hashable | None) -> None:
        """Give one back that was taken under this name."""
        self._taken -= 1
        if name is None:
            return
        self._held[name] -= 1
        if not self._held[name]:
            del self._held[name]
