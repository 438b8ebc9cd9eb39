"""Which model answers a tenant, with whose key, at which prices.

A tenant's own key leads to the provider. Without one, where the operator allows it, the demo model
answers, under its own name and at no cost, so that the log never takes one for the other.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from application.agents.agent_config import AgentConfigs
from application.agents.prices import PriceTable, free
from application.ports import ApiKeys, Claim, Model

DEMO_MODEL: Final = "demo-model"
DEMO_PRICES: Final = "demo-free"
DEMO_KEY: Final = "sk-demo"
"""Not a secret: the demo model asks for none."""


class Choice(StrEnum):
    """What the operator allows."""

    AUTO = "auto"
    ANTHROPIC = "anthropic"
    DEMO = "demo"


class ModelAccess(Struct, frozen=True):
    """What one attempt works with. Lives for the length of the attempt only."""

    model: Model
    api_key: str
    agent_configs: AgentConfigs

    def __repr__(self) -> str:
        """The key is nobody's to see."""
        return f"Provision({self.model!r})"


def demo_agent_configs(agent_configs: AgentConfigs) -> AgentConfigs:
    """The same agents, answered by the demo model under its own name."""
    entries = {
        agent: replace(entry, model=DEMO_MODEL) for agent, entry in agent_configs.entries.items()
    }
    return AgentConfigs(entries, free(DEMO_MODEL, DEMO_PRICES))


def agent_configs_for(
    choice: Choice, agent_configs: AgentConfigs, *, tenant_has_key: bool
) -> AgentConfigs:
    """The agents, models and prices that a tenant's next attempt works with."""
    real = choice is Choice.ANTHROPIC or (choice is Choice.AUTO and tenant_has_key)
    return agent_configs if real else demo_agent_configs(agent_configs)


class Providers:
    """Chooses for each claim."""

    def __init__(
        self,
        choice: Choice,
        keys: ApiKeys,
        real: Model,
        demo: Model | None,
        agent_configs: AgentConfigs,
    ) -> None:
        self._choice = choice
        self._keys = keys
        self._real = real
        self._demo = demo
        self._agent_configs = agent_configs
        self._demo_agent_configs = demo_agent_configs(agent_configs)

    async def provide(self, claim: Claim) -> ModelAccess | None:
        """What to work with; None if the tenant has no key and the demo model is not allowed."""
        if self._choice is not Choice.DEMO:
            key = await self._keys.reveal(claim.tenant_id, claim)
            if key is not None:
                return ModelAccess(self._real, key, self._agent_configs)
        if self._choice is not Choice.ANTHROPIC and self._demo is not None:
            return ModelAccess(self._demo, DEMO_KEY, self._demo_agent_configs)
        return None

    def prices_of(self, model: str) -> PriceTable:
        """What tokens of a model cost, whoever's key paid for them."""
        agent_configs = self._demo_agent_configs if model == DEMO_MODEL else self._agent_configs
        return agent_configs.prices


def key_needed(choice: Choice, *, tenant_has_key: bool) -> bool:
    """Whether a command that starts paid work must wait for an API key."""
    return choice is Choice.ANTHROPIC and not tenant_has_key
