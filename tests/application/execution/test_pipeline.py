"""The pipeline on fakes: every delivery twice, every failure, every late answer."""

import asyncio

import pytest

from application.agents.failures import StepFailed
from application.execution.runner import ATTEMPTS
from application.ports import ModelError
from domain import commands as c
from domain import events as e
from domain.pipeline import due_after
from domain.runs import Tokens
from domain.status import Agent, Gate, OutputMode, Status, Step
from tests.application.workshop import USED, Workshop, twice
from tests.bench.instant import instant

OVERLOADED = ModelError("overloaded", "Busy", retryable=True, tokens=Tokens(3, 0))
REJECTED = ModelError("key_rejected", "No", retryable=False)


def of(shop: Workshop, kind: type) -> list:
    return [each.event for each in shop.log.events if isinstance(each.event, kind)]


async def test_a_brief_becomes_a_finished_feature():
    shop = await Workshop().finished()
    assert (await shop.state()).status is Status.DONE
    assert len(of(shop, e.StepStarted)) == len(shop.model.requests) == 10


async def test_a_feature_gets_done_without_a_single_message():
    shop = Workshop()
    shop.fan_out = lambda *_: asyncio.sleep(0)
    await shop.finished()
    assert (await shop.state()).status is Status.DONE
    due = [due_after(each.event, OutputMode.FULL_CODE) for each in shop.log.events]
    assert shop.live.signals_of_work == sum(map(bool, due))


async def test_every_delivery_twice_is_done_once():
    shop = await Workshop().finished(times=2)
    once = await Workshop().finished()
    assert shop.types() == once.types()
    assert len(shop.model.requests) == len(once.model.requests)


async def test_results_are_caused_by_their_announcement_and_carry_the_command_on():
    shop = await Workshop().confirmed()
    await shop.settle()
    by_type = {each.type: each for each in shop.log.events}
    confirmed, started = (
        by_type["brief_confirmed"],
        next(each for each in shop.log.events if each.type == "step_started"),
    )
    assert started.causation_id == confirmed.event_id
    assert by_type["spec_generated"].causation_id == started.event_id
    assert by_type["spec_generated"].correlation_id == confirmed.correlation_id
    assert by_type["spec_generated"].actor == "agent:spec"


async def test_an_attempt_is_announced_before_the_request_leaves():
    shop = await Workshop().confirmed()
    seen = []

    async def look() -> None:
        seen.append((shop.types()[-1], [entry.outcome for entry in shop.ledger.kept.values()]))

    shop.model.script = [look]
    await shop.settle()
    assert seen == [("step_started", [None])]


async def test_an_overloaded_model_is_asked_again_later():
    shop = await Workshop().confirmed()
    shop.model.script = [OVERLOADED]
    await shop.settle()
    failed = of(shop, e.AttemptFailed)
    assert [(f.code, f.retried, f.run.tokens) for f in failed] == [
        ("overloaded", True, Tokens(3, 0))
    ]
    assert (await shop.state()).status is Status.SPEC_GENERATING
    assert [(f.reason, 10 <= f.retry_after_seconds <= 12.5) for f in failed] == [("Busy", True)]
    shop.clock.turn(15)
    await shop.settle()
    assert (await shop.state()).status is Status.SPEC_READY


async def test_a_provider_that_says_when_is_waited_for():
    shop = await Workshop().confirmed()
    shop.model.script = [
        ModelError("rate_limited", "Slow down", retryable=True, retry_after_seconds=120.0)
    ]
    await shop.settle()
    shop.clock.turn(100)
    await shop.settle()
    assert len(shop.model.requests) == 1
    shop.clock.turn(30)
    await shop.settle()
    assert (await shop.state()).status is Status.SPEC_READY


async def test_attempts_are_bounded_and_then_the_feature_fails_in_plain_words():
    shop = await Workshop().confirmed()
    shop.model.script = [OVERLOADED] * 10
    for _ in range(10):
        await shop.settle()
        shop.clock.turn(400)
    assert len(shop.model.requests) == ATTEMPTS
    pauses = [attempt.retry_after_seconds for attempt in of(shop, e.AttemptFailed)]
    assert [pause > 0 for pause in pauses] == [True] * (ATTEMPTS - 1) + [False]
    [failed] = of(shop, e.FeatureFailed)
    assert (failed.step, failed.code) == (Step.SPEC, "overloaded")
    assert failed.advice


async def test_a_rejected_key_is_not_tried_again():
    shop = await Workshop().confirmed()
    shop.model.script = [REJECTED]
    await shop.settle()
    assert len(shop.model.requests) == 1
    assert (await shop.state()).status is Status.FAILED


async def test_without_a_key_nothing_is_announced_and_the_feature_says_so():
    shop = await Workshop(key=None).confirmed()
    await shop.settle()
    [failed] = of(shop, e.FeatureFailed)
    assert failed.code == "api_key_missing"
    assert not of(shop, e.StepStarted)


async def test_a_failed_feature_can_be_retried_to_the_end():
    shop = await Workshop().confirmed()
    shop.model.script = [REJECTED]
    await shop.settle()
    await shop.do(c.RetryFeature())
    await shop.settle()
    assert (await shop.state()).status is Status.SPEC_READY


async def test_a_title_that_fails_comes_from_the_brief():
    shop = await Workshop().confirmed()
    await shop.settle()
    shop = Workshop()
    await shop.confirmed()
    await shop.fan_out()
    for claim in await shop.claim(Agent.SPEC):
        await shop.run(claim)
    shop.model.script = [REJECTED]
    for claim in await shop.claim(Agent.TITLE):
        await shop.run(claim)
    [titled] = of(shop, e.FeatureTitled)
    assert not titled.by_model
    assert titled.title == "lend tools"


async def test_a_recommendation_that_fails_leaves_the_gate_open():
    async def no_advice(step, attempt, material, context, agent_configs):
        if step.startswith("align"):
            raise StepFailed("model_refused", "No.")
        return await instant(step, attempt, material, context, agent_configs)

    shop = await Workshop(agents=no_advice).confirmed()
    await shop.settle()
    assert (await shop.state()).status is Status.SPEC_READY
    assert [a.step for a in of(shop, e.StepAbandoned)] == [Step.ALIGN_SPEC]
    await shop.approve(Gate.SPEC)


async def test_a_defect_of_ours_is_a_failed_attempt_not_a_silent_one():
    async def broken(*_):
        raise ZeroDivisionError

    shop = await Workshop(agents=broken).confirmed()
    await shop.settle()
    [failed] = of(shop, e.AttemptFailed)
    assert (failed.code, failed.retried) == ("internal_error", True)


async def test_an_answer_that_comes_too_late_is_refused_and_its_cost_kept():
    shop = await Workshop().confirmed()

    async def meanwhile() -> None:
        elsewhere = shop.another_process()
        target = (await shop.state()).checkpoints[0].version
        await elsewhere.do(
            shop.feature,
            c.ReplayFeature(target),
            tenant_id=shop.tenant,
            actor=shop.person,
            correlation_id=shop.feature,
        )

    shop.model.script = [meanwhile]
    await shop.settle()
    assert not of(shop, e.SpecGenerated)
    [discarded] = of(shop, e.RunDiscarded)
    assert discarded.run.tokens == USED
    assert discarded.run.cost_usd > 0
    assert (await shop.state()).status is Status.DRAFTING


async def test_a_worker_that_lost_its_lease_is_refused_and_its_cost_kept():
    shop = await Workshop().confirmed()

    async def overslept() -> None:
        shop.clock.turn(100)
        [second] = await shop.claim()
        await shop.run(second)

    shop.model.script = [overslept]
    [first] = await shop.claim()
    await shop.run(first)
    assert len(of(shop, e.SpecGenerated)) == 1
    assert [d.code for d in of(shop, e.RunDiscarded)] == ["superseded"]
    assert [f.code for f in of(shop, e.AttemptFailed)] == ["outcome_unknown"]


async def test_an_answer_that_was_stored_is_not_bought_again():
    shop = await Workshop(agents=twice).confirmed()
    [first] = await shop.claim()

    asked, never = asyncio.Event(), asyncio.Event()

    async def fall_silent() -> None:
        asked.set()
        await never.wait()

    # To everybody else a worker that hangs for good is one that is gone without a word.
    shop.model.script = [lambda: asyncio.sleep(0), fall_silent]
    silent = asyncio.create_task(shop.run(first))
    await asked.wait()
    shop.clock.turn(100)
    [second] = await shop.claim()
    await shop.run(second)
    assert (await shop.state()).status is Status.SPEC_READY
    turns = [key.rsplit("-", 2)[1:] for key in shop.model.requests]
    assert turns == [["1", "1"], ["1", "2"], ["2", "2"]]
    [lost] = of(shop, e.AttemptFailed)
    [spec] = of(shop, e.SpecGenerated)
    assert (lost.code, lost.run.tokens, lost.run.turns) == ("outcome_unknown", USED, 2)
    assert (spec.run.tokens, spec.run.turns) == (USED, 1)
    silent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await silent


async def test_a_worker_that_is_stopped_hands_its_step_back():
    shop = await Workshop().confirmed()

    async def stop() -> None:
        shop.stopping = True
        raise asyncio.CancelledError

    shop.model.script = [stop]
    [claim] = await shop.claim()
    with pytest.raises(asyncio.CancelledError):
        await shop.run(claim)
    [failed] = of(shop, e.AttemptFailed)
    assert (failed.code, failed.retried) == ("worker_stopped", True)
    shop.stopping = False
    await shop.settle()
    assert (await shop.state()).status is Status.SPEC_READY


async def test_what_is_recorded_is_offered_again_for_nothing_after_a_replay():
    shop = await Workshop().confirmed()
    await shop.settle()
    asked = len(shop.model.requests)
    confirmed = (await shop.state()).checkpoints[1]
    assert confirmed.content.status is Status.SPEC_GENERATING
    await shop.do(c.ReplayFeature(confirmed.version))
    await shop.settle()
    assert (await shop.state()).status is Status.SPEC_READY
    assert len(shop.model.requests) == asked
    again = of(shop, e.SpecGenerated)[-1]
    assert again.reused_from is not None
    assert again.run.cost_usd == 0


async def test_an_idempotency_key_is_answered_once():
    shop = await Workshop().drafted()
    answers = [
        await shop.features.do(
            shop.feature,
            c.ConfirmBrief("Lend"),
            tenant_id=shop.tenant,
            actor=shop.person,
            correlation_id=shop.feature,
            idempotency=("key", b"body"),
        )
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert shop.types().count("brief_confirmed") == 1


async def test_a_request_that_waits_to_be_announced_past_the_lease_never_leaves():
    shop = await Workshop(agents=twice).confirmed()

    async def overslept() -> None:
        shop.clock.turn(100)  # Nobody else has the step yet, and anybody may.

    shop.model.script = [overslept]
    [first] = await shop.claim()
    await shop.run(first)
    assert [d.code for d in of(shop, e.RunDiscarded)] == ["lease_lost"]
    await shop.settle()
    assert (await shop.state()).status is Status.SPEC_READY
    turns = [key.rsplit("-", 2)[1:] for key in shop.model.requests if str(first.task_id) in key]
    assert turns == [["1", "1"], ["2", "2"]], "the first answer is used again, the second bought"
    spent = [x.run.tokens for x in (*of(shop, e.RunDiscarded), *of(shop, e.AttemptFailed))]
    assert sum((tokens.input for tokens in spent), 0) == USED.input, "and counted once"
