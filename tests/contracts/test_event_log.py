"""What every event log keeps, with what shares its transactions."""

import asyncio
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.due_steps import due_steps
from application.ports import (
    Accepted,
    Claim,
    Conflict,
    Diverged,
    DueStep,
    Effects,
    Groundless,
    LeaseLost,
    Receipt,
    TaskUpdate,
)
from domain import events as e
from domain.errors import NotFound
from domain.status import Agent, Step
from tests.contracts.conftest import Adapters


def new(*events: e.FeatureEvent) -> list[tuple[UUID, e.FeatureEvent]]:
    return [(uuid7(), event) for event in events]


def posted(text: str = "Hello") -> e.MessagePosted:
    return e.MessagePosted(uuid7(), text)


async def claimed(adapters: Adapters, tenant_id: UUID, feature_id: UUID) -> Claim:
    due = DueStep(uuid7(), tenant_id, feature_id, Step.SPEC, uuid7(), 2, uuid7())
    await adapters.tasks.enqueue([due])
    (claim,) = await adapters.tasks.claim("w", [Agent.SPEC], limit=1, lease_seconds=60)
    return claim


async def test_what_is_appended_is_read_back_as_it_was(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    asked = new(e.FeatureCreated("Läuse & <Flöhe>"), posted("Zeile\nzwei \U0001f41b"))
    recorded = await adapters.log.append(feature_id, asked, expected=0, origin=origin)
    assert await adapters.log.read(origin.tenant_id, feature_id) == recorded
    assert [(r.event_id, r.event) for r in recorded] == asked
    assert [r.version for r in recorded] == [1, 2]
    assert {r.tenant_id for r in recorded} == {origin.tenant_id}
    assert {r.correlation_id for r in recorded} == {origin.correlation_id}
    assert recorded[0].position < recorded[1].position
    assert recorded[0].recorded_at <= recorded[1].recorded_at
    assert recorded[1].previous_hash == recorded[0].hash
    assert recorded[0].previous_hash == b""


async def test_a_stretch_of_a_stream_can_be_read(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    asked = new(e.FeatureCreated("A"), posted(), posted(), posted())
    await adapters.log.append(feature_id, asked, expected=0, origin=origin)
    tenant = origin.tenant_id
    stretch = await adapters.log.read(tenant, feature_id, after=1, upto=3)
    assert [r.version for r in stretch] == [2, 3]
    assert list(await adapters.log.read(tenant, feature_id, after=4)) == []
    assert list(await adapters.log.read(tenant, feature_id, after=3, upto=2)) == []
    single = await adapters.log.at(tenant, feature_id, {4, 2, 9})
    assert {version: r.version for version, r in single.items()} == {2: 2, 4: 4}
    assert await adapters.log.at(tenant, feature_id, ()) == {}


async def test_a_reader_goes_on_only_behind_the_event_that_it_knows(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    asked = new(e.FeatureCreated("A"), posted(), posted())
    first, second, third = await adapters.log.append(feature_id, asked, expected=0, origin=origin)
    tenant = origin.tenant_id
    read = adapters.log.read
    assert list(await read(tenant, feature_id, after=1, head=first.hash)) == [second, third]
    assert list(await read(tenant, feature_id, after=3, head=third.hash)) == []
    for whose, feature, after, head in (
        (tenant, feature_id, 2, first.hash),  # Another event stands there,
        (tenant, feature_id, 4, third.hash),  # or none,
        (tenant, uuid7(), 1, first.hash),  # or there is no such feature,
        (uuid7(), feature_id, 1, first.hash),  # or it is another tenant's.
    ):
        with pytest.raises(Diverged):
            await read(whose, feature, after=after, head=head)


async def test_nothing_is_appended_behind_another_event_than_it_was_decided_on(
    adapters: Adapters,
) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    [first] = await adapters.log.append(
        feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin, head=b""
    )
    asked = new(posted())
    with pytest.raises(Conflict):
        await adapters.log.append(feature_id, asked, expected=1, origin=origin, head=bytes(32))
    assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 1
    await adapters.log.append(feature_id, asked, expected=1, origin=origin, head=first.hash)
    # What is stored already is answered, whatever is believed of the head by now.
    await adapters.log.append(feature_id, asked, expected=1, origin=origin, head=bytes(32))
    assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 2


async def test_nothing_answers_an_event_that_is_in_no_log(adapters: Adapters) -> None:
    feature_id, origin, other = uuid7(), adapters.origin(), adapters.origin()
    [first] = await adapters.log.append(
        feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin
    )
    [theirs] = await adapters.log.append(
        uuid7(), new(e.FeatureCreated("B")), expected=0, origin=other
    )
    claim = await claimed(adapters, origin.tenant_id, feature_id)
    task = TaskUpdate(claim.task_id, claim.fencing_token, "done")
    for effects in (
        Effects(task=task, answers=uuid7()),
        Effects(task=task, answers=theirs.event_id),
        Effects(task=task, answers=first.event_id, rests_on=(1, theirs.hash)),
        Effects(task=task, answers=first.event_id, rests_on=(2, first.hash)),
    ):
        with pytest.raises(Groundless):
            await adapters.log.append(
                feature_id, new(posted()), expected=1, origin=origin, effects=effects
            )
    effects = Effects(task=task, answers=first.event_id, rests_on=(1, first.hash))
    await adapters.log.append(feature_id, new(posted()), expected=1, origin=origin, effects=effects)
    assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 2


async def test_an_unknown_stream_is_empty(adapters: Adapters) -> None:
    assert list(await adapters.log.read(uuid7(), uuid7())) == []


async def test_of_many_who_decided_on_the_same_version_one_appends(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    answers = await asyncio.gather(
        *(
            adapters.log.append(feature_id, new(posted()), expected=1, origin=origin)
            for _ in range(20)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Conflict) for answer in answers) == 19
    assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 2


async def test_of_many_who_begin_the_same_stream_one_does(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    answers = await asyncio.gather(
        *(
            adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
            for _ in range(20)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Conflict) for answer in answers) == 19
    assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 1


@pytest.mark.parametrize("expected", [1, 7])
async def test_a_version_that_is_not_there_yet_is_a_conflict(
    adapters: Adapters, expected: int
) -> None:
    with pytest.raises(Conflict):
        await adapters.log.append(
            uuid7(), new(posted()), expected=expected, origin=adapters.origin()
        )


async def test_the_same_ids_again_answer_with_what_is_stored(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    first = new(e.FeatureCreated("A"), posted())
    second = new(posted("More"))
    began = await adapters.log.append(feature_id, first, expected=0, origin=origin)
    went_on = await adapters.log.append(feature_id, second, expected=2, origin=origin)
    assert await adapters.log.append(feature_id, first, expected=0, origin=origin) == began
    assert await adapters.log.append(feature_id, second, expected=2, origin=origin) == went_on
    assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 3


async def test_the_same_ids_again_repeat_no_effect(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    claim = await claimed(adapters, origin.tenant_id, feature_id)
    asked = new(e.FeatureRenamed("B"))
    effects = Effects(
        task=TaskUpdate(claim.task_id, claim.fencing_token, "done"),
        receipt=Receipt("key", "0" * 64),
        accepted=Accepted(feature_id, 2, "drafting"),
    )
    once = await adapters.log.append(feature_id, asked, expected=1, origin=origin, effects=effects)
    again = await adapters.log.append(feature_id, asked, expected=1, origin=origin, effects=effects)
    assert once == again


async def test_twice_at_once_under_the_same_ids_is_once(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    asked = new(e.FeatureCreated("A"))
    answers = await asyncio.gather(
        *(adapters.log.append(feature_id, asked, expected=0, origin=origin) for _ in range(5))
    )
    assert all(answer == answers[0] for answer in answers)
    assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 1


async def test_some_of_the_same_ids_are_a_conflict(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    asked = new(e.FeatureCreated("A"), posted())
    await adapters.log.append(feature_id, asked, expected=0, origin=origin)
    with pytest.raises(Conflict):
        await adapters.log.append(feature_id, [asked[0], *new(posted())], expected=0, origin=origin)
    with pytest.raises(Conflict):
        await adapters.log.append(uuid7(), asked, expected=0, origin=origin)


async def test_another_tenant_neither_reads_nor_appends(adapters: Adapters) -> None:
    feature_id, origin, other = uuid7(), adapters.origin(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    assert list(await adapters.log.read(other.tenant_id, feature_id)) == []
    assert await adapters.log.at(other.tenant_id, feature_id, {1}) == {}
    for expected in (0, 1):
        with pytest.raises(Conflict):
            await adapters.log.append(feature_id, new(posted()), expected=expected, origin=other)
    assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 1


async def test_a_refused_append_leaves_those_beside_it_alone(adapters: Adapters) -> None:
    origin = adapters.origin()
    taken = uuid7()
    await adapters.log.append(taken, new(e.FeatureCreated("A")), expected=0, origin=origin)
    features = [uuid7() for _ in range(10)]
    lost = TaskUpdate(uuid7(), 1, "done")
    answers = await asyncio.gather(
        *(
            adapters.log.append(f, new(e.FeatureCreated("A")), expected=0, origin=origin)
            for f in features
        ),
        adapters.log.append(taken, new(posted()), expected=0, origin=origin),
        adapters.log.append(
            taken, new(posted()), expected=1, origin=origin, effects=Effects(task=lost)
        ),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers[10:]] == [Conflict, LeaseLost]
    assert not any(isinstance(answer, BaseException) for answer in answers[:10])
    for feature_id in features:
        assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 1


async def test_an_append_under_a_lease_ends_the_task(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    claim = await claimed(adapters, origin.tenant_id, feature_id)
    for version, then in enumerate(("running", "done"), start=1):
        effects = Effects(task=TaskUpdate(claim.task_id, claim.fencing_token, then))
        await adapters.log.append(
            feature_id, new(posted()), expected=version, origin=origin, effects=effects
        )
    with pytest.raises(LeaseLost):
        await adapters.log.append(
            feature_id, new(posted()), expected=3, origin=origin, effects=effects
        )
    assert len(await adapters.log.read(origin.tenant_id, feature_id)) == 3


async def test_an_append_under_an_older_fencing_token_is_refused(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    claim = await claimed(adapters, origin.tenant_id, feature_id)
    late = Effects(task=TaskUpdate(claim.task_id, claim.fencing_token - 1, "done"))
    with pytest.raises(LeaseLost):
        await adapters.log.append(
            feature_id, new(posted()), expected=1, origin=origin, effects=late
        )
    held = {claim.task_id: claim.fencing_token}
    assert await adapters.tasks.heartbeat("w", held, [], 60) == {claim.task_id}


async def test_a_task_that_is_queued_again_waits_for_its_time(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    claim = await claimed(adapters, origin.tenant_id, feature_id)
    update = TaskUpdate(claim.task_id, claim.fencing_token, "queued", retry_after_seconds=3600)
    await adapters.log.append(
        feature_id, new(posted()), expected=1, origin=origin, effects=Effects(task=update)
    )
    assert not await adapters.tasks.claim("w", [Agent.SPEC], limit=1, lease_seconds=60)


async def test_what_supersedes_cancels_the_features_tasks_and_no_others(
    adapters: Adapters,
) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(feature_id, new(e.FeatureCreated("A")), expected=0, origin=origin)
    ours = await claimed(adapters, origin.tenant_id, feature_id)
    theirs = await claimed(adapters, origin.tenant_id, uuid7())
    await adapters.log.append(
        feature_id,
        new(e.FeatureRenamed("B")),
        expected=1,
        origin=origin,
        effects=Effects(cancel_tasks=True),
    )
    held = {ours.task_id: ours.fencing_token, theirs.task_id: theirs.fencing_token}
    assert await adapters.tasks.heartbeat("w", held, [], 60) == {theirs.task_id}


async def test_what_an_append_makes_due_is_there_with_it_and_never_twice(
    adapters: Adapters,
) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    asked = new(e.FeatureCreated("A"), posted())
    due = due_steps(feature_id, 0, asked, origin)
    for _ in range(2):  # The second time as after a lost acknowledgement.
        await adapters.log.append(
            feature_id, asked, expected=0, origin=origin, effects=Effects(due=due)
        )
        assert await adapters.tasks.enqueue(due) == 0
    (claim,) = await adapters.tasks.claim("w", tuple(Agent), limit=5, lease_seconds=60)
    assert (claim.step, claim.version, claim.event_id) == (Step.CONVERSE, 2, asked[1][0])
    assert DueStep(*(getattr(claim, name) for name in DueStep.__struct_fields__)) == due[0]
    await adapters.tasks.cancel_task(claim.task_id, claim.fencing_token, "cancelled")
    await adapters.log.append(
        feature_id, asked, expected=0, origin=origin, effects=Effects(due=due)
    )
    assert not await adapters.tasks.claim("w", tuple(Agent), limit=5, lease_seconds=60)


async def test_a_refused_append_makes_nothing_due(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    asked = new(posted())
    due = Effects(due=due_steps(feature_id, 3, asked, origin))
    with pytest.raises(Conflict):
        await adapters.log.append(feature_id, asked, expected=3, origin=origin, effects=due)
    assert not await adapters.tasks.claim("w", tuple(Agent), limit=5, lease_seconds=60)


async def test_what_supersedes_cancels_the_older_tasks_and_not_its_own(
    adapters: Adapters,
) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    for version, brief in enumerate(("One", "Two")):
        asked = new(e.BriefRevised(brief, "a" * 64, version + 1))
        effects = Effects(cancel_tasks=True, due=due_steps(feature_id, version, asked, origin))
        await adapters.log.append(
            feature_id, asked, expected=version, origin=origin, effects=effects
        )
    (claim,) = await adapters.tasks.claim("w", tuple(Agent), limit=5, lease_seconds=60)
    assert (claim.step, claim.version) == (Step.SPEC, 2)


async def test_a_deleted_feature_keeps_its_facts_and_loses_its_words(adapters: Adapters) -> None:
    feature_id, origin = uuid7(), adapters.origin()
    await adapters.log.append(
        feature_id, new(e.FeatureCreated("A"), posted()), expected=0, origin=origin
    )
    await adapters.log.append(
        feature_id,
        new(e.FeatureDeleted()),
        expected=2,
        origin=origin,
        effects=Effects(destroy_key=True, cancel_tasks=True),
    )
    (deleted,) = await adapters.log.read(origin.tenant_id, feature_id, after=2)
    assert deleted.event == e.FeatureDeleted()
    with pytest.raises(NotFound):
        await adapters.log.read(origin.tenant_id, feature_id)
    with pytest.raises(NotFound):
        await adapters.log.at(origin.tenant_id, feature_id, {2})
