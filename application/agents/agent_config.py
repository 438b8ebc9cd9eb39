"""Who works with which model, within which limits, at which prices.

Invariant: every agent has exactly one entry. What a model costs stands in `prices.toml`.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from application.agents.prices import PriceTable, in_force
from application.agents.tools import Tool
from domain.status import Agent

SONNET: Final = "claude-sonnet-5-5"
OPUS: Final = "claude-opus-5-5"
HAIKU: Final = "claude-haiku-5-5"


Effort = Literal["", "low", "medium", "high", "xhigh", "max"]
Display = Literal["", "summarized", "omitted"]


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
    effort: Effort = ""
    """How much it thinks. Always said, for the provider's default differs from model to model;
    empty for a model that knows no effort: then nothing is sent."""
    thinking: Display = ""
    """Whether what it thinks is shown to whoever watches: between two tool calls that is all it
    says. Empty for a model that does not think as much as it decides: then nothing is sent."""


class AgentConfig(AgentLimits, frozen=True):
    """How one agent is called."""

    tools: tuple[Tool, ...] = ()
    """What it answers with, in this order."""


class AgentConfigs(Struct, frozen=True):
    """All agents, and the price table in force."""

    entries: Mapping[Agent, AgentConfig]
    prices: PriceTable = field(default_factory=in_force)

    def __getitem__(self, agent: Agent) -> AgentConfig:
        """How the agent is called."""
        return self.entries[agent]
