"""Who works with which model, within which limits, at which price.

Invariant: every agent has exactly one entry, and whatever a run used can be priced. The prices are
the provider's list prices as known in November 2026, in US dollars per million tokens; they are to
be checked by the operator, who can set others. A cache read costs a tenth of an input token, a
cache write a quarter more.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from application.agents.tools import Tool
from domain.runs import Tokens
from domain.status import Agent

SONNET: Final = "claude-sonnet-5-5"
OPUS: Final = "claude-opus-5-5"
HAIKU: Final = "claude-haiku-5-5"

CACHE_READ: Final = Decimal("0.1")
CACHE_WRITE: Final = Decimal("1.25")
MILLION: Final = Decimal(1_000_000)
CENT_FRACTION: Final = Decimal("0.000001")


class AgentLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may set of an agent."""

    tier: str
    """`sonnet`, `opus` or `haiku`: what the agent is meant for, whatever model is set."""
    model: str
    max_tokens: Annotated[int, Meta(ge=256, le=128_000)]
    """Of one answer, the model's thinking included."""
    turns: Annotated[int, Meta(ge=2, le=200)]
    """Requests of one attempt at most: the first, reminders, corrections, and the loop's own."""
    deadline_seconds: Annotated[float, Meta(gt=0)]
    """Of one attempt, all turns together."""
    prompt: str
    """File under `prompts/`."""
    visible_tokens: int = 0
    """What is asked of the agent where `max_tokens` must leave room for thinking; 0 for all."""
    effort: str = ""
    """`low` to `max`; empty for the provider's default."""


class AgentConfig(AgentLimits, frozen=True):
    """How one agent is called."""

    tools: tuple[Tool, ...] = ()
    """What it answers with, in this order."""


class Price(Struct, frozen=True):
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal


PRICES_NAME: Final = "prices-2026-11"
PRICES: Final[Mapping[str, Price]] = {
    SONNET: Price(Decimal(3), Decimal(15)),
    OPUS: Price(Decimal(5), Decimal(25)),
    HAIKU: Price(Decimal(1), Decimal(5)),
}


class AgentConfigs(Struct, frozen=True):
    """All agents, and the price table in force."""

    entries: Mapping[Agent, AgentConfig]
    prices: Mapping[str, Price] = field(default_factory=lambda: PRICES)
    prices_name: str = PRICES_NAME

    def __getitem__(self, agent: Agent) -> AgentConfig:
        """How the agent is called."""
        return self.entries[agent]

    def cost(self, tokens: Tokens, model: str) -> Decimal:
        """What the tokens cost, in US dollars to a millionth.

        A model without a price counts as the dearest one: a bill may surprise pleasantly only.
        """
        price = self.prices.get(model) or max(self.prices.values(), key=lambda p: p.output)
        inputs = tokens.input + CACHE_READ * tokens.cache_read + CACHE_WRITE * tokens.cache_write
        total = (inputs * price.input + tokens.output * price.output) / MILLION
        return self.rounded(total)

    @staticmethod
    def rounded(usd: Decimal) -> Decimal:
        """US dollars to a millionth."""
        return usd.quantize(CENT_FRACTION)
