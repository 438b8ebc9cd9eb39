"""One step, done by its agent: material in, the command to be decided out.

Invariant: every step of the pipeline has exactly one way of being done. It cannot touch the
log, the broker or the read models.
"""

from application.agents.agent_config import AgentConfigs
from application.agents.step_inputs import AttemptContext, StepInputs, StepOutcome
from application.agents.steps.step_context import StepContext
from application.agents.table import AGENTS
from domain.runs import Attempt
from domain.status import Step


async def perform(
    step: Step,
    attempt: Attempt,
    material: StepInputs,
    context: AttemptContext,
    agent_configs: AgentConfigs,
) -> StepOutcome:
    """Do one attempt of a step. Cancelling it closes whatever is under way.

    Raises:
        StepFailed: no result that may be shown; with the reason in plain words.
        ModelError: the provider gave no usable answer; the runner decides whether to try again.
    """
    work = StepContext(step, attempt, material, context, agent_configs)
    return StepOutcome(await AGENTS[work.agent].perform(work))
