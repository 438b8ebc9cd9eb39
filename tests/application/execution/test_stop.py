"""A person stops work: the model's stream is closed, nothing is claimed, no file is lost."""

import asyncio

from application.agents.agent_config import AgentConfigs
from application.agents.step_inputs import AttemptContext, StepInputs, StepOutcome
from application.due_steps import due_steps
from application.execution.worker import WorkerLimits
from application.ports import Metadata
from domain import commands as c
from domain import events as e
from domain.runs import Attempt
from domain.status import Agent, Gate, Status, Step
from tests.application.execution.test_worker import until, working
from tests.application.workshop import USED, Workshop
from tests.bench.instant import instant, request_of

BODY = "export const answer = 42;\n"
LIMITS = WorkerLimits(heartbeat_seconds=3_600.0, poll_seconds=0.02)
"""So slow a heart that only being told of the stop can end a call."""


class Writes:
    """An implementer that stores one file, then asks on; remembers what it was given."""

    def __init__(self, asks: int = 2) -> None:
        self.given: list[StepInputs] = []
        self.asks = asks

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
        await context.ask(request_of(step, agent_configs))
        sha = await context.store(BODY.encode())
        context.accepted(e.FileWritten("src/answer.ts", len(BODY), sha))
        for _ in range(self.asks - 1):
            await context.ask(request_of(step, agent_configs))
        return await instant(step, attempt, material, context, agent_configs)


class Stream:
    """A call to a model that ends only when its stream is closed."""

    def __init__(self) -> None:
        self.opened, self.closed = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.opened.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.closed.set()


async def _to_implement(agents: object) -> Workshop:
    shop = await Workshop(agents=agents).confirmed()
    for gate in Gate:
        await shop.settle()
        await shop.approve(gate)
    return shop


async def _nothing() -> None:
    return


async def test_a_stop_closes_the_stream_keeps_the_files_and_leaves_nothing_to_claim() -> None:
    agents, stream = Writes(), Stream()
    shop = await _to_implement(agents)
    await shop.fan_out()
    shop.model.script = [_nothing, stream]
    async with working(shop, shop.runner, LIMITS) as (worker, *_):
        await stream.opened.wait()
        await shop.do(c.StopWork("Too dear."))
        assert shop.live.cancellations == 1
        worker.recheck_leases()  # As whoever hears of a cancellation does.
        await stream.closed.wait()
        await until(lambda: worker.busy == 0)
        asked = len(shop.model.requests)
        assert await shop.claim() == []
        assert len(shop.model.requests) == asked
        state = await shop.state()
        assert (state.status, state.due, state.held) == (
            Status.IMPLEMENTING,
            {},
            (Step.IMPLEMENT,),
        )
        [told] = [r.event for r in shop.log.events if isinstance(r.event, e.RunDiscarded)]
        assert told.run.tokens == USED
        assert told.run.turns == 2
        assert [file.path for file in told.files] == ["src/answer.ts"]
        agents.asks = 1
        await shop.do(c.ResumeWork())
        await until(lambda: "verdict_reached" in shop.types())
    assert [dict(one.accepted_files) for one in agents.given] == [{}, {"src/answer.ts": BODY}]
    assert (await shop.state()).status is Status.DONE


async def test_no_request_leaves_after_the_stop_and_what_was_used_is_told_with_the_files() -> None:
    shop = await _to_implement(Writes())
    [claim] = await shop.claim()
    asked = len(shop.model.requests)

    async def stop() -> None:
        await shop.do(c.StopWork())

    shop.model.script = [stop]
    await shop.run(claim)
    [told] = [r.event for r in shop.log.events if isinstance(r.event, e.RunDiscarded)]
    assert (told.code, told.run.tokens) == ("lease_lost", USED)
    assert len(shop.model.requests) == asked + 1
    assert [file.path for file in told.files] == ["src/answer.ts"]
    assert "implementation_completed" not in shop.types()


async def test_a_step_that_is_claimed_when_work_is_stopped_asks_nobody() -> None:
    shop = await Workshop().confirmed()
    [claim] = await shop.claim()
    await shop.do(c.StopWork())
    await shop.run(claim)
    assert shop.model.requests == []
    assert shop.types()[-1] == "work_stopped"
    # What fan-out or reconciler make again of old events asks nobody either.
    shop.tasks.rows.clear()
    origin = Metadata(shop.tenant, shop.person, claim.correlation_id)
    events = [(recorded.event_id, recorded.event) for recorded in shop.log.events]
    assert await shop.tasks.enqueue(due_steps(shop.feature, 0, events, origin)) == 1
    await shop.settle()
    assert shop.model.requests == []
    assert shop.types()[-1] == "work_stopped"


async def test_a_stopped_step_goes_on_by_a_new_task_made_with_its_event() -> None:
    shop = await Workshop().confirmed()
    [before] = await shop.claim()
    await shop.do(c.StopWork())
    await shop.do(c.ResumeWork())
    [after] = await shop.tasks.claim("w", (Agent.SPEC,), limit=4, lease_seconds=60.0)
    assert after.task_id != before.task_id
    await shop.run(after)
    assert (await shop.state()).status is Status.SPEC_READY
