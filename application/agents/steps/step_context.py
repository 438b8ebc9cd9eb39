"""What every step works from.

Invariant: the input fingerprint is the announced one, for it is computed from the same inputs.
"""

from functools import cached_property

from application.agents.agent_config import AgentConfig, AgentConfigs
from application.agents.exchange import Exchange
from application.agents.input_fingerprint import fingerprint_of
from application.agents.inputs import inputs_of
from application.agents.step_inputs import AttemptContext, StepInputs
from domain.pipeline import AGENT_OF
from domain.runs import Attempt
from domain.status import Agent, Step


class StepContext:
    """One attempt of one step."""

    def __init__(
        self,
        step: Step,
        attempt: Attempt,
        material: StepInputs,
        context: AttemptContext,
        agent_configs: AgentConfigs,
    ) -> None:
        self.step = step
        self.attempt = attempt
        self.material = material
        self.context = context
        self.agent_configs = agent_configs

    @property
    def agent(self) -> Agent:
        """Who does it."""
        return AGENT_OF[self.step]

    @property
    def entry(self) -> AgentConfig:
        """How the agent is called."""
        return self.agent_configs[self.agent]

    @cached_property
    def manifest_sha256(self) -> str:
        """What the result depends on."""
        return fingerprint_of(self.step, self.material, self.agent_configs).sha256

    @cached_property
    def inputs(self) -> dict[str, str]:
        """What the agent reads."""
        return inputs_of(self.step, self.material)

    def exchange(
        self, task: str, *, inputs: dict[str, str] | None = None, growing: bool = False
    ) -> Exchange:
        """A conversation that begins with the inputs and the task."""
        mode = self.material.feature.content.mode
        exchange = Exchange(self.agent, self.entry, self.context, mode=mode, growing=growing)
        exchange.begin(self.inputs if inputs is None else inputs, self.manifest_sha256, task)
        return exchange
