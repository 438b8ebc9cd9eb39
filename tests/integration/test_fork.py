"""Forks on PostgreSQL: lineage in the log, their own keys, their parent's end, and strangers."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.features import Features
from application.ports import Conflict, Effects, Metadata
from domain import commands as c
from domain import events as e
from domain.errors import NotFound
from domain.runs import Attempt, Run
from domain.status import Status, Step
from infrastructure.artifacts.removals import PostgresRemovals
from infrastructure.event_log.receipts import PostgresReceipts
from infrastructure.nats.live import NatsLive
from infrastructure.nats.signals import Signal
from infrastructure.postgres.database import Database
from tests.given import done
from tests.integration.reading import USER, World, world

PARENT_SQL = "select forked_from, forked_at_version from es.streams where stream_id = %s"


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


def features_of(there: World) -> Features:
    live = NatsLive(None, Signal(None, "poke"))
    return Features(there.log, PostgresReceipts(there.reading), live, uuid7)


async def fork(there: World, parent: UUID, version: int, tenant: UUID | None = None) -> UUID:
    fork_id = uuid7()
    await features_of(there).fork(
        parent,
        fork_id,
        c.ForkFeature(version),
        tenant_id=tenant or there.tenant,
        actor=USER,
        correlation_id=uuid7(),
    )
    return fork_id


async def delete(there: World, feature_id: UUID) -> None:
    await features_of(there).do(
        feature_id,
        c.DeleteFeature(),
        tenant_id=there.tenant,
        actor=USER,
        correlation_id=uuid7(),
    )


async def test_the_log_knows_where_a_fork_comes_from_and_the_parent_is_not_written(there: World):
    story = done()
    parent = await there.tell(story)
    version = story.feature.checkpoints[-1].version
    child = await fork(there, parent, version)
    assert there.sql(PARENT_SQL, child) == [(parent, version)]
    assert there.sql(PARENT_SQL, parent) == [(None, None)]
    history = await there.log.read(there.tenant, parent)
    assert len(history) == len(story.events)
    [first, *_] = await there.log.read(there.tenant, child)
    assert isinstance(first.event, e.FeatureForked)
    assert first.event.parent_hash == history[version - 1].hash.hex()
    assert first.causation_id == history[version - 1].event_id
    await there.catch_up()
    listed = await there.reads.forks(there.tenant, parent)
    assert [row.id for row in listed.items] == [child]
    assert (await there.reads.forks(uuid7(), parent)).items == ()
    row = await there.reads.feature(there.tenant, child)
    assert row is not None
    assert row.status is Status.TESTS_READY


async def test_a_fork_is_read_when_its_parent_cannot_be_any_more(there: World):
    story = done()
    parent = await there.tell(story)
    child = await fork(there, parent, story.feature.checkpoints[-1].version)
    keys = there.sql("select distinct key_id from es.events where key_id is not null")
    assert len(keys) == 2
    await delete(there, parent)
    with pytest.raises(NotFound):
        await there.log.read(there.tenant, parent)
    told = [e.told(r.event) for r in await there.log.read(there.tenant, child)]
    assert any(isinstance(event, e.SpecGenerated) and event.markdown for event in told)
    with pytest.raises(NotFound):
        await fork(there, parent, 1)


async def test_the_sweeper_knows_the_living_descendants(there: World, database: str):
    parent = await there.tell(done())
    child = await fork(there, parent, 1)
    grandchild = await fork(there, child, 1)
    async with Database(database, "bp_sweeper", max_size=1) as sweeper:
        removals = PostgresRemovals(sweeper)
        assert set(await removals.descendants(there.tenant, parent)) == {child, grandchild}
        assert await removals.descendants(uuid7(), parent) == []
        await delete(there, child)
        assert await removals.descendants(there.tenant, parent) == [grandchild]


async def test_a_stranger_forks_nothing(there: World):
    parent = await there.tell(done())
    with pytest.raises(NotFound):
        await fork(there, parent, 1, tenant=uuid7())


async def test_forking_and_deleting_at_once_leaves_a_whole_fork_or_none(there: World):
    for _ in range(8):
        parent = await there.tell(done())
        made, _gone = await asyncio.gather(
            fork(there, parent, 1), delete(there, parent), return_exceptions=True
        )
        if isinstance(made, UUID):
            # It was there first: whoever removes the parent's files will see it.
            assert there.sql(PARENT_SQL, made) == [(parent, 1)]
        else:
            assert isinstance(made, NotFound)


async def test_no_stream_continues_one_that_is_not_there(there: World):
    forked = e.FeatureForked("x", uuid7(), 1, "", 0, 0)
    with pytest.raises(Conflict):
        await there.log.append(
            uuid7(),
            [(uuid7(), forked)],
            expected=0,
            origin=Metadata(there.tenant, USER, uuid7()),
            effects=Effects(forked_from=(forked.parent, 1)),
        )


async def test_a_long_conversation_is_forked_in_one_append(there: World):
    parent = uuid7()
    said = [e.MessagePosted(uuid7(), f"message {n}") for n in range(2_000)]
    reply = e.AgentReplied(Attempt(Step.CONVERSE, 0, 1), uuid7(), "Yes", Run())
    await there.append(parent, 0, e.FeatureCreated("Tools"), *said, reply)
    child = await fork(there, parent, 2_002)
    history = await there.log.read(there.tenant, child)
    assert len(history) == 2_002
    assert len({recorded.recorded_at for recorded in history}) == 1
