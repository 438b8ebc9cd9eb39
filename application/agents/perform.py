"""One step, done by its agent: material in, the command to be decided out.

Invariant: every step of the pipeline has exactly one way of being done. It cannot touch the
log, the broker or the read models.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from application.agents.material import Desk, Material, Outcome
from application.agents.roster import Roster
from application.agents.steps.alignment import advise
from application.agents.steps.build import implement
from application.agents.steps.documents import write_plan, write_spec, write_tests
from application.agents.steps.reviews import review
from application.agents.steps.talk import converse
from application.agents.steps.title import name_feature
from application.agents.steps.work import Work
from domain import commands as c
from domain.runs import Attempt
from domain.status import Step

DONE_BY: Final[Mapping[Step, Callable[[Work], Awaitable[c.AgentAnswer]]]] = {
    Step.CONVERSE: converse,
    Step.SPEC: write_spec,
    Step.TITLE: name_feature,
    Step.ALIGN_SPEC: advise,
    Step.PLAN: write_plan,
    Step.ALIGN_PLAN: advise,
    Step.TESTS: write_tests,
    Step.ALIGN_TESTS: advise,
    Step.IMPLEMENT: implement,
    Step.SECURITY_REVIEW: review,
    Step.CODE_REVIEW: review,
}


async def perform(
    step: Step, attempt: Attempt, material: Material, desk: Desk, roster: Roster
) -> Outcome:
    """Do one attempt of a step. Cancelling it closes whatever is under way.

    Raises:
        StepFailed: no result that may be shown; with the reason in plain words.
        ModelError: the provider gave no usable answer; the runner decides whether to try again.
    """
    return Outcome(await DONE_BY[step](Work(step, attempt, material, desk, roster)))
