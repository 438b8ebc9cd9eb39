"""What an agent run is and costs: the attempt it belongs to, what it read, what it used."""

from decimal import Decimal
from typing import Final

from msgspec import Struct

from domain.status import Step

OURS: Final = frozenset({"worker_stopped", "outcome_unknown", "lease_lost"})
"""Codes of attempts that did not fail by themselves: a worker of ours was stopped, or lost. However
many they are, they use up none of a step's attempts; what they used was discarded by us."""


UNPRICED: Final = "none"
"""Stands for the price table of a run whose model had no known price."""


class Attempt(Struct, frozen=True):
    """Names one try of one step. An answer under any other name is late, and refused."""

    step: Step
    epoch: int
    """Raised when the user confirms, revises, retries or replays."""
    number: int
    """1 for the first try of this step in the feature's life, then counting up for ever."""

    @property
    def name(self) -> str:
        """Names it inside its feature, as text."""
        return f"{self.step}:{self.number}"


class Tokens(Struct, frozen=True):
    """Tokens as the provider reports them. `input` excludes what the prompt cache served."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        """The sum, kind by kind."""
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    def __sub__(self, other: "Tokens") -> "Tokens":
        """What is left, kind by kind, never less than nothing."""
        return Tokens(
            max(0, self.input - other.input),
            max(0, self.output - other.output),
            max(0, self.cache_read - other.cache_read),
            max(0, self.cache_write - other.cache_write),
        )


class Run(Struct, frozen=True):
    """What one attempt used. All zero when a recorded result was reused."""

    tokens: Tokens = Tokens()
    cost_usd: Decimal = Decimal(0)
    """By the price table in force at the time of the call, in US dollars."""
    seconds: float = 0.0
    turns: int = 0
    """Requests sent to the model, the unanswered ones included."""

    def __sub__(self, other: "Run") -> "Run":
        """What is left, never less than nothing."""
        return Run(
            self.tokens - other.tokens,
            max(Decimal(0), self.cost_usd - other.cost_usd),
            max(0.0, self.seconds - other.seconds),
            max(0, self.turns - other.turns),
        )


class InputFingerprint(Struct, frozen=True):
    """Everything that decides an answer. The same fingerprint again need not be paid for again."""

    model: str
    prompt_sha256: str
    prices: str
    """Version of the price table that turns tokens into dollars; `UNPRICED` if it does not know the
    model: then a run's cost is 0, and it was not free."""
    inputs: dict[str, str]
    """Name of each input to the SHA-256 of its text."""
    parameters: dict[str, int | str]
    sha256: str
    """Over all of the above."""
