"""Files that an attempt had written outlive its failure: in the store, in the log, for the next."""

import pytest

from application.agents.agent_config import AgentConfigs
from application.agents.failures import StepFailed
from application.agents.step_inputs import AttemptContext, StepInputs, StepOutcome
from application.ports import ModelError
from domain import commands as c
from domain import events as e
from domain.runs import Attempt
from domain.status import Gate, Status, Step
from tests.application.workshop import Workshop
from tests.bench.instant import instant, request_of

BODY = "export const answer = 42;\n"


class Implementer:
    """Writes one file and fails, as often as it is told to; remembers what it was given."""

    def __init__(self, *ends: BaseException) -> None:
        self.ends = list(ends)
        self.given: list[StepInputs] = []

    async def __call__(
        self,
        step: Step,
        attempt: Attempt,
        material: StepInputs,
        context: AttemptContext,
        agent_configs: AgentConfigs,
    ) -> StepOutcome:
        if step is not Step.IMPLEMENT:
            return await instant(step, attempt, material, context, agent_configs)
        self.given.append(material)
        if self.ends:
            await context.ask(request_of(step, agent_configs))
            sha = await context.store(BODY.encode())
            context.accepted(e.FileWritten("src/answer.ts", len(BODY), sha))
            raise self.ends.pop(0)
        return await instant(step, attempt, material, context, agent_configs)


async def _implementing(*ends: BaseException) -> tuple[Workshop, Implementer]:
    agents = Implementer(*ends)
    shop = await Workshop(agents=agents).confirmed()
    for gate in Gate:
        await shop.settle()
        await shop.approve(gate)
    await shop.settle()
    return shop, agents


def failures(shop: Workshop) -> list[e.AttemptFailed]:
    return [r.event for r in shop.log.events if isinstance(r.event, e.AttemptFailed)]


BUSY = ModelError("overloaded", "Busy", retryable=True)


@pytest.mark.parametrize(
    "end",
    [
        StepFailed("no_result", "It stopped."),
        ModelError("key_rejected", "No", retryable=False),
        StepFailed("check_failed", "It is wrong."),
    ],
    ids=lambda end: str(end.code),
)
async def test_a_retry_is_given_what_was_written_and_stored(end: BaseException) -> None:
    shop, agents = await _implementing(end)
    [failed] = failures(shop)
    assert [file.path for file in failed.files] == ["src/answer.ts"]
    await shop.do(c.RetryFeature())
    await shop.settle()
    assert [material.accepted_files for material in agents.given] == [{}, {"src/answer.ts": BODY}]
    assert (await shop.state()).status is Status.DONE


async def test_a_defect_of_ours_loses_no_file_either() -> None:
    shop, agents = await _implementing(KeyError("a defect"), StepFailed("no_result", "It stopped."))
    shop.clock.turn(400)
    await shop.settle()
    assert [failed.code for failed in failures(shop)] == ["internal_error", "no_result"]
    assert all(failed.files for failed in failures(shop))
    await shop.do(c.RetryFeature())
    await shop.settle()
    assert agents.given[-1].accepted_files == {"src/answer.ts": BODY}


async def test_attempts_that_follow_by_themselves_pay_for_no_answer_twice() -> None:
    shop, agents = await _implementing(BUSY, BUSY)
    sent = len(shop.model.requests)
    for _ in range(2):
        shop.clock.turn(400)
        await shop.settle()
    assert len(agents.given) == 3
    assert [material.accepted_files for material in agents.given] == [{}, {}, {}]
    # Two reviews were asked; the implementer's answer was taken from the ledger.
    assert len(shop.model.requests) == sent + 2
