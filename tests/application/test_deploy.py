"""What a deploy, a lost worker and an outage cost a step: nothing that it did not do itself."""

import asyncio

import pytest

from application.execution.runner import ATTEMPTS
from application.ports import ModelError, Unavailable
from domain import commands as c
from domain import events as e
from domain.runs import Tokens
from domain.status import Agent, Status, Step
from tests.application.workshop import USED, Workshop, twice

OVERLOADED = ModelError("overloaded", "Busy", retryable=True, tokens=Tokens(3, 0))


def failed(shop: Workshop) -> list[e.AttemptFailed]:
    return [r.event for r in shop.log.events if isinstance(r.event, e.AttemptFailed)]


async def restarted(shop: Workshop) -> None:
    """The worker is stopped while the model answers, and another one takes its place."""

    async def stop() -> None:
        shop.stopping = True
        raise asyncio.CancelledError

    shop.model.script = [stop]
    [claim] = await shop.claim()
    with pytest.raises(asyncio.CancelledError):
        await shop.run(claim)
    shop.stopping = False


async def lost(shop: Workshop) -> None:
    """The worker is gone without a word while the model answers."""

    async def die() -> None:
        raise asyncio.CancelledError

    shop.model.script = [die]
    [claim] = await shop.claim()
    cancelled = shop.runner._cancelled  # noqa: SLF001
    shop.runner._cancelled = lambda *_: asyncio.sleep(0)  # noqa: SLF001
    with pytest.raises(asyncio.CancelledError):
        await shop.run(claim)
    shop.runner._cancelled = cancelled  # noqa: SLF001
    shop.clock.turn(100)


@pytest.mark.parametrize("end", [restarted, lost])
async def test_a_step_has_all_its_attempts_left_however_often_its_worker_ended(end) -> None:
    shop = await Workshop().confirmed()
    times = 12 if end is restarted else 4
    for _ in range(times):
        await end(shop)
    shop.model.script = [OVERLOADED] * (ATTEMPTS - 1)
    for _ in range(ATTEMPTS):
        await shop.settle()
        shop.clock.turn(400)
    assert (await shop.state()).status is Status.SPEC_READY
    code = "worker_stopped" if end is restarted else "outcome_unknown"
    assert [x.code for x in failed(shop)] == [code] * times + ["overloaded"] * (ATTEMPTS - 1)
    assert all(x.retried for x in failed(shop))
    pauses = [x.retry_after_seconds for x in failed(shop)]
    assert pauses[:times] == [0] * times
    assert 10 <= pauses[times] <= 12.5, "the first failure of its own has the first pause"


async def test_failures_of_its_own_count_over_any_number_of_restarts_between() -> None:
    shop = await Workshop().confirmed()
    for _ in range(ATTEMPTS):
        await restarted(shop)
        shop.model.script = [OVERLOADED]
        await shop.settle()
        shop.clock.turn(400)
    assert (await shop.state()).status is Status.FAILED
    own = [x for x in failed(shop) if x.code == "overloaded"]
    assert [x.retried for x in own] == [True] * (ATTEMPTS - 1) + [False]


async def test_what_was_answered_before_a_restart_is_not_bought_again() -> None:
    shop = await Workshop(agents=twice).confirmed()

    async def stop() -> None:
        shop.stopping = True
        raise asyncio.CancelledError

    shop.model.script = [lambda: asyncio.sleep(0), stop]
    [claim] = await shop.claim()
    with pytest.raises(asyncio.CancelledError):
        await shop.run(claim)
    shop.stopping = False
    await shop.settle()
    turns = [k.rsplit("-", 2)[1:] for k in shop.model.requests if str(claim.task_id) in k]
    assert turns == [["1", "1"], ["1", "2"], ["2", "2"]]
    [handed_back] = failed(shop)
    assert (handed_back.run.tokens, handed_back.run.turns) == (USED, 2)


async def test_what_a_cut_call_had_used_stands_in_the_ledger_and_in_the_log() -> None:
    shop = await Workshop().confirmed()
    told = Tokens(input=70, output=3)
    ask = shop.model.ask

    async def cut(*given, on_tokens, **more):
        on_tokens(Tokens(input=70))
        on_tokens(told)
        return await ask(*given, **more)

    shop.model.ask = cut
    await restarted(shop)
    [entry] = shop.ledger.kept.values()
    assert (entry.outcome, entry.tokens) == ("hung_up", told)
    [handed_back] = failed(shop)
    assert (handed_back.code, handed_back.run.tokens) == ("worker_stopped", told)
    assert handed_back.run.cost_usd > 0


async def test_a_step_whose_lease_ran_out_while_we_slept_is_handed_back_not_suspected() -> None:
    shop = await Workshop(agents=twice).confirmed()

    async def overslept() -> None:
        shop.clock.turn(100)  # Nobody else has the step yet, and anybody may.

    shop.model.script = [overslept]
    [first] = await shop.claim()
    await shop.run(first)
    [again] = await shop.claim()
    assert not again.alone


async def test_a_lease_that_ran_out_in_an_outage_is_renewed_before_the_request_is_announced() -> (
    None
):
    shop = await Workshop(agents=twice).confirmed()
    announce = shop.ledger.announce

    async def away(*given) -> None:
        if len(shop.ledger.kept) == 1 and shop.ledger.announce is not announce:
            shop.ledger.announce = announce
            shop.clock.turn(100)
            raise Unavailable("database")
        await announce(*given)

    shop.ledger.announce = away
    for claim in await shop.claim():
        await shop.run(claim)
    assert shop.ledger.announce is announce, "the outage came to pass"
    assert (await shop.state()).status is Status.SPEC_READY
    assert len(shop.model.requests) == 2


async def test_a_step_that_ended_its_process_alone_fails_with_a_reason_and_what_it_used() -> None:
    shop = await Workshop(agents=twice).confirmed()
    await lost(shop)
    [claim] = await shop.claim()
    assert claim.alone

    async def die() -> None:
        raise asyncio.CancelledError

    shop.model.script = [lambda: asyncio.sleep(0), die]
    shop.runner._cancelled = lambda *_: asyncio.sleep(0)  # noqa: SLF001
    with pytest.raises(asyncio.CancelledError):
        await shop.run(claim)
    await shop.runner.crashed(claim, "it crashed")
    [ended] = [r.event for r in shop.log.events if isinstance(r.event, e.FeatureFailed)]
    assert (ended.step, ended.code) == (Step.SPEC, "crashed_alone")
    assert "it crashed" in ended.reason
    assert ended.advice
    assert failed(shop)[-1].run.turns == 2
    assert failed(shop)[-1].run.tokens == USED
    assert failed(shop)[-1].run.cost_usd > 0
    shop.clock.turn(10_000)
    assert not await shop.claim(), "it is not leased again by itself"


async def test_what_crashed_alone_begins_alone_when_a_person_retries_it() -> None:
    shop = await Workshop().confirmed()
    await lost(shop)
    [claim] = await shop.claim()
    await shop.runner.crashed(claim, "it crashed")
    await shop.do(c.RetryFeature())
    [again] = await shop.claim()
    assert (again.alone, again.attempt) == (True, 1)
    await shop.run(again)
    assert (await shop.state()).status is Status.SPEC_READY
    assert not any(each.alone for each in await shop.claim()), "other steps are no suspects"


async def test_a_step_that_came_to_its_end_before_its_process_did_stays_done() -> None:
    shop = await Workshop().confirmed()
    await lost(shop)
    [claim] = await shop.claim(Agent.SPEC)
    await shop.run(claim)
    await shop.runner.crashed(claim, "it crashed")
    assert (await shop.state()).status is Status.SPEC_READY
