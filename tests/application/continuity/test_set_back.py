"""The log is set back while a process remembers: nothing is decided on what is in no log."""

from typing import Any

import pytest
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from application.features import Features
from application.running.stretches import AT_ONCE
from domain import commands as c
from domain import events as e
from domain.content import sha256_of
from domain.errors import ContentChanged, NoSuchCheckpoint
from domain.runs import Attempt, Run
from domain.status import Agent, Gate, Status, Step
from tests.application.workshop import Workshop, twice
from tests.given import SPEC, manifest


async def specified(shop: Workshop, features: Features, text: str) -> None:
    """A specification with this text, by a process with a memory of its own."""
    due = (await features.load(shop.tenant, shop.feature)).due[Step.SPEC]
    attempt = Attempt(Step.SPEC, 1, 1)
    for command in (
        c.StartStep(Step.SPEC, due, Agent.SPEC, uuid7(), manifest(Step.SPEC)),
        c.RecordDocument(attempt, Run(), SPEC, text, "0" * 64),
    ):
        await features.do(
            shop.feature,
            command,
            tenant_id=shop.tenant,
            actor=shop.person,
            correlation_id=uuid7(),
        )


async def of_two_histories() -> tuple[Workshop, int]:
    """A process that remembers a specification "one", and a log whose own says "two"."""
    shop = await Workshop().confirmed()
    kept = len(shop.log.events)
    await specified(shop, shop.features, "one")
    remembered = (await shop.state()).version
    shop.log.set_back(kept)
    await specified(shop, shop.another_process(), "two")
    assert len(shop.log.events) == remembered  # The same versions, and another history.
    return shop, kept


async def test_nobody_approves_what_no_log_holds() -> None:
    shop, _ = await of_two_histories()
    before = len(shop.log.events)
    with pytest.raises(ContentChanged):
        await shop.do(c.Approve(Gate.SPEC, sha256_of("one")))
    assert len(shop.log.events) == before
    await shop.do(c.Approve(Gate.SPEC, sha256_of("two")))
    assert shop.log.events[-1].type == "spec_approved"


async def test_a_command_that_needs_no_text_is_decided_on_the_log_as_it_is() -> None:
    shop, kept = await of_two_histories()
    shop.log.set_back(kept)
    await shop.do(c.RenameFeature("Another"))
    assert [recorded.version for recorded in shop.log.events] == [*range(1, kept + 2)]
    assert (await shop.state()).status is Status.SPEC_GENERATING


async def test_a_feature_that_is_behind_what_was_remembered_is_shown_as_it_is() -> None:
    shop, kept = await of_two_histories()
    shop.log.set_back(kept)
    assert (await shop.state()).version == kept
    shop.log.set_back(0)
    assert (await shop.state()).version == 0


async def test_no_text_of_the_lost_history_is_told() -> None:
    shop, kept = await of_two_histories()
    state = await shop.state()
    assert state.content.spec is not None
    version = state.content.spec.version
    found = await shop.features.texts(shop.tenant, shop.feature, [version])
    assert isinstance(found[version].event, e.SpecGenerated)
    assert found[version].event.markdown == "two"
    shop.log.set_back(kept)


async def test_no_text_is_told_that_was_remembered_when_its_feature_was_not() -> None:
    """Features and texts are forgotten for room, each on its own."""
    shop, _ = await of_two_histories()
    shop.features._folded.clear()  # noqa: SLF001 - as 2,000 others would do.
    state = await shop.state()
    assert state.content.spec is not None
    version = state.content.spec.version
    found = await shop.features.texts(shop.tenant, shop.feature, [version])
    assert isinstance(found[version].event, e.SpecGenerated)
    assert found[version].event.markdown == "two"


async def test_whoever_finds_another_history_says_so() -> None:
    shop, kept = await of_two_histories()
    doubts: list[None] = []
    features = Features(
        shop.log, shop.receipts, shop.live, uuid7, doubt=lambda: doubts.append(None)
    )
    await features.load(shop.tenant, shop.feature)
    assert not doubts
    shop.log.set_back(kept)
    await features.load(shop.tenant, shop.feature)
    assert len(doubts) == 1


async def test_a_step_is_worked_on_from_the_log_as_it_is_and_not_from_memory() -> None:
    shop = Workshop()
    await shop.drafted()
    await shop.do(c.ConfirmBrief("- lend tools"))
    shop.log.set_back(1)
    other = shop.another_process()
    await other.do(
        shop.feature,
        c.ConfirmBrief("- lend books"),
        tenant_id=shop.tenant,
        actor=shop.person,
        correlation_id=uuid7(),
    )
    seen: list[str] = []

    async def reading(step, attempt, material, context, agent_configs):
        seen.append(material.brief)
        return await twice(step, attempt, material, context, agent_configs)

    shop.runner._perform = reading  # noqa: SLF001 - an agent that says what it was given.
    for claim in await shop.claim(Agent.SPEC):
        await shop.run(claim)
    assert seen == ["- lend books"]
    assert (await shop.state()).status is Status.SPEC_READY


async def test_a_task_whose_event_is_in_no_log_is_dropped_before_anything_is_paid() -> None:
    shop = await Workshop().confirmed()
    [claim] = await shop.claim(Agent.SPEC)
    shop.log.events = shop.log.events[:1]
    await shop.another_process().do(
        shop.feature,
        c.ConfirmBrief("- lend books"),
        tenant_id=shop.tenant,
        actor=shop.person,
        correlation_id=uuid7(),
    )
    await shop.run(claim)
    assert shop.model.requests == []
    assert shop.tasks.rows[claim.task_id].status == "cancelled"


async def test_a_result_of_an_attempt_that_is_in_no_log_is_not_recorded_and_is_named() -> None:
    shop = Workshop(agents=twice)
    await shop.confirmed()
    [claim] = await shop.claim(Agent.SPEC)

    async def set_back() -> None:
        shop.log.events = shop.log.events[:2]  # All but the announcement of the attempt.

    shop.model.script = [set_back]
    with capture_logs() as said:
        await shop.run(claim)
    assert shop.types() == ["feature_created", "brief_confirmed"]
    [named] = [line for line in said if line["event"] == "paid_in_no_log"]
    assert (named["step"], named["requests"]) == (Step.SPEC, 2)
    assert named["feature"] == str(shop.feature)
    # It is due yet, and no suspect: whoever comes next begins anew.
    row = shop.tasks.rows[claim.task_id]
    assert (row.status, row.error, row.alone) == ("queued", "set_back", False)
    await shop.settle()
    assert (await shop.state()).status is Status.SPEC_READY


async def test_what_ended_its_process_is_not_failed_in_a_log_that_does_not_make_it_due() -> None:
    shop = await Workshop().confirmed()
    [claim] = await shop.claim(Agent.SPEC)
    shop.log.events = shop.log.events[:1]
    shop.features.forget()
    await shop.runner.crashed(claim, "it crashed")
    assert shop.types() == ["feature_created"]
    assert shop.tasks.rows[claim.task_id].status == "cancelled"


async def test_of_a_long_life_no_part_is_read_that_does_not_go_on_from_the_one_before() -> None:
    shop = await Workshop().confirmed()
    for _ in range(AT_ONCE):
        await shop.do(c.RenameFeature(f"Title {len(shop.log.events)}"))
    kept, read, reads = shop.log.events[:2], shop.log.read, []

    async def set_back_after(*whose: Any, **stretch: Any) -> Any:
        found = await read(*whose, **stretch)
        reads.append(stretch)
        if len(reads) == 1:  # Between the first stretch and the second, another history came.
            shop.log.events = kept[:]
            elsewhere = shop.another_process()
            for n in range(AT_ONCE + 1):
                await elsewhere.do(
                    shop.feature,
                    c.RenameFeature(f"Other {n}"),
                    tenant_id=shop.tenant,
                    actor=shop.person,
                    correlation_id=uuid7(),
                )
        return found

    shop.log.read = set_back_after  # type: ignore[method-assign]
    history = await shop.features.history(shop.tenant, shop.feature)
    assert history == shop.log.events
    reads.clear()
    shop.features.forget()
    shop.log.events, shop.log.read = kept[:], read  # type: ignore[method-assign]
    for _ in range(AT_ONCE):
        await shop.do(c.RenameFeature(f"Title {len(shop.log.events)}"))
    shop.log.read = set_back_after  # type: ignore[method-assign]
    shop.features.forget()
    known = await shop.features.known(shop.tenant, shop.feature)
    assert (known.feature.version, known.head) == (AT_ONCE + 3, shop.log.events[-1].hash)


async def test_a_fork_is_made_of_what_the_log_holds_and_not_of_what_was_read_just_before() -> None:
    shop = await Workshop().confirmed()
    before = shop.log.events[:]
    read, reads = shop.log.read, []

    async def set_back_after(*whose: Any, **stretch: Any) -> Any:
        reads.append(stretch)
        if len(reads) == 2:  # The parent was folded; its history is read from what is lost then.
            shop.log.events = before[:1]
            return before
        return await read(*whose, **stretch)

    shop.log.read = set_back_after  # type: ignore[method-assign]
    with pytest.raises(NoSuchCheckpoint):
        await shop.features.fork(
            shop.feature,
            uuid7(),
            c.ForkFeature(2),
            tenant_id=shop.tenant,
            actor=shop.person,
            correlation_id=uuid7(),
        )
    assert shop.log.events == before[:1]


async def test_after_it_was_told_a_process_remembers_nothing() -> None:
    shop = await Workshop().confirmed()
    assert shop.features.remembered(shop.tenant, shop.feature) is not None
    shop.features.forget()
    assert shop.features.remembered(shop.tenant, shop.feature) is None
    assert (await shop.state()).version == 2
