"""How often somebody may try, by name: a leaky bucket each, in bounded memory.

Invariant: never more than `largest` names are remembered, whoever asks; the one that was quiet
longest is forgotten first.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from msgspec import Struct

LARGEST: Final = 20_000


class Allowance(Struct, frozen=True):
    """`tries` at once, and as many again in `seconds`."""

    tries: int
    seconds: float


class Throttle:
    """Counts tries under names, each kind of name with its own allowance."""

    def __init__(self, monotonic: Callable[[], float], largest: int = LARGEST) -> None:
        """Take a clock of seconds that never goes back, and how many names to remember."""
        self._monotonic = monotonic
        self._largest = largest
        self._empty_at: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def wait(self, name: tuple[str, ...], allowance: Allowance) -> float:
        """Seconds until this name may try again; 0.0 if it may now. Counts nothing."""
        one = allowance.seconds / allowance.tries
        full_for = self._empty_at.get(name, 0.0) - self._monotonic()
        return max(0.0, full_for + one - allowance.seconds)

    def count(self, name: tuple[str, ...], allowance: Allowance) -> None:
        """Count one try."""
        now = self._monotonic()
        before = self._empty_at.pop(name, 0.0)
        self._empty_at[name] = max(now, before) + allowance.seconds / allowance.tries
        while len(self._empty_at) > self._largest:
            self._empty_at.popitem(last=False)

    def forget(self, name: tuple[str, ...]) -> None:
        """Begin anew for a name: whoever signs in well has not guessed."""
        self._empty_at.pop(name, None)
