"""One step, done by its agent: material in, the command to be decided out.

Invariant: every step of the pipeline has exactly one way of being done. It cannot touch the
log, the broker or the read models.
"""

from application.agents.material import Desk, Material, Outcome
from application.agents.roster import Roster
from application.agents.steps.work import Work
from application.agents.table import AGENTS
from domain.runs import Attempt
from domain.status import Step


async def perform(
    step: Step, attempt: Attempt, material: Material, desk: Desk, roster: Roster
) -> Outcome:
    """Do one attempt of a step. Cancelling it closes whatever is under way.

    Raises:
        StepFailed: no result that may be shown; with the reason in plain words.
        ModelError: the provider gave no usable answer; the runner decides whether to try again.
    """
    work = Work(step, attempt, material, desk, roster)
    return Outcome(await AGENTS[work.agent].perform(work))
