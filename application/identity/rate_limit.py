"""How often somebody may try, by name: a leaky bucket each, in bounded memory.

Invariant: never more than `largest` names are remembered, whoever asks; the one that was quiet
longest is forgotten first.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

LARGEST: Final = 20_000

Name: TypeAlias = tuple[str, ...]


class Allowance(Struct, frozen=True):
    """`tries` at once, and as many again in `seconds`."""

    tries: int
    seconds: float

    @property
    def each(self) -> float:
        """Seconds until one more is allowed."""
        return self.seconds / self.tries


class TooOften(Exception):
    """More often than is allowed. Nothing was done."""

    def __init__(self, retry_after_seconds: float, detail: str = "") -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Tries(Protocol):
    """A count of tries, perhaps one that several processes have in common."""

    async def take(self, *names: tuple[Name, Allowance]) -> float:
        """Count one try under each name, or under none: then the seconds to wait, else 0.0."""

    async def give_back(self, name: Name, allowance: Allowance) -> None:
        """Take one counted try back."""


class RateLimiter:
    """Counts tries under names, each kind of name with its own allowance."""

    def __init__(self, monotonic: Callable[[], float], largest: int = LARGEST) -> None:
        """Take a clock of seconds that never goes back, and how many names to remember."""
        self._monotonic = monotonic
        self._largest = largest
        self._empty_at: OrderedDict[Name, float] = OrderedDict()

    def wait(self, name: Name, allowance: Allowance) -> float:
        """Seconds until this name may try again; 0.0 if it may now. Counts nothing."""
        full_for = self._empty_at.get(name, 0.0) - self._monotonic()
        return max(0.0, full_for + allowance.each - allowance.seconds)

    def count(self, name: Name, allowance: Allowance) -> None:
        """Count one try."""
        now = self._monotonic()
        before = self._empty_at.pop(name, 0.0)
        self._empty_at[name] = max(now, before) + allowance.each
        while len(self._empty_at) > self._largest:
            self._empty_at.popitem(last=False)

    def forget(self, name: Name) -> None:
        """Begin anew for a name: whoever signs in well has not guessed."""
        self._empty_at.pop(name, None)

    def take(self, *names: tuple[Name, Allowance]) -> float:
        """Count one try under each name, or under none: then the seconds to wait, else 0.0."""
        longest = max((self.wait(name, allowance) for name, allowance in names), default=0.0)
        if longest == 0:
            for name, allowance in names:
                self.count(name, allowance)
        return longest

    def give_back(self, name: Name, allowance: Allowance) -> None:
        """Take one counted try back."""
        if name in self._empty_at:
            self._empty_at[name] -= allowance.each


class OwnTries:
    """The port `Tries` of one process alone."""

    def __init__(self, throttle: RateLimiter) -> None:
        """Take the throttle that counts."""
        self._throttle = throttle

    async def take(self, *names: tuple[Name, Allowance]) -> float:
        """As the throttle does."""
        return self._throttle.take(*names)

    async def give_back(self, name: Name, allowance: Allowance) -> None:
        """As the throttle does."""
        self._throttle.give_back(name, allowance)
