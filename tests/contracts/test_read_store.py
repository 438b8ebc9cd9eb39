"""What every read store answers: pages, cursors, waiting, tenants."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.features import Features
from application.ports import Effects, EventLog, Metadata
from domain import commands as c
from domain import events as e
from domain.recorded import Recorded
from domain.status import Gate, Status, Step
from infrastructure.event_log.receipts import PostgresReceipts
from infrastructure.nats.live import NatsLive
from infrastructure.nats.signals import Signal
from projections.message import Speaker
from projections.run import Outcome
from projections.store import ReadStore
from tests.fakes import Clock, MemoryReceipts
from tests.fakes.read_store import FoldedReads, ReadableLog
from tests.given import Story, at_gate, done, drafted, in_review
from tests.integration.reading import USER, world


@dataclass
class Reading:
    """A log and what is read of it, which shows an event only when it has caught up with it."""

    log: EventLog
    reads: ReadStore
    features: Features
    catch_up: Callable[[], Awaitable[None]]
    tenant: UUID = field(default_factory=uuid7)

    async def tell(self, story: Story, feature_id: UUID | None = None, *, after: int = 0) -> UUID:
        """Append a story's events, from a version on."""
        feature_id = feature_id or uuid7()
        await self.append(feature_id, after, *story.events[after:])
        return feature_id

    async def append(self, feature_id: UUID, expected: int, *events: e.FeatureEvent) -> None:
        gone = any(isinstance(event, e.FeatureDeleted) for event in events)
        await self.log.append(
            feature_id,
            [(uuid7(), event) for event in events],
            expected=expected,
            origin=Metadata(self.tenant, USER, uuid7()),
            effects=Effects(destroy_key=gone),
        )

    async def fork(self, parent: UUID, version: int) -> UUID:
        fork_id = uuid7()
        await self.features.fork(
            parent,
            fork_id,
            c.ForkFeature(version),
            tenant_id=self.tenant,
            actor=USER,
            correlation_id=uuid7(),
        )
        return fork_id


class BehindLog(ReadableLog):
    """A log whose read models do not hold what was appended, until they catch up."""

    def __init__(self) -> None:
        clock = Clock()
        self.receipts = MemoryReceipts(clock)
        super().__init__(clock, receipts=self.receipts)
        self.reads = FoldedReads(self)

    async def append(self, *args: Any, **more: Any) -> Sequence[Recorded]:
        recorded = await super().append(*args, **more)
        self.reads.hidden += len(recorded)
        return recorded

    async def catch_up(self) -> None:
        self.reads.hidden = 0
        async with self.grown:
            self.grown.notify_all()


@asynccontextmanager
async def in_memory() -> AsyncIterator[Reading]:
    log, live = BehindLog(), NatsLive(None, Signal(None, "poke"))
    yield Reading(log, log.reads, Features(log, log.receipts, live, uuid7), log.catch_up)


@asynccontextmanager
async def in_postgres(url: str) -> AsyncIterator[Reading]:
    live = NatsLive(None, Signal(None, "poke"))
    async with world(url) as there:
        features = Features(there.log, PostgresReceipts(there.reading), live, uuid7)
        yield Reading(there.log, there.reads, features, there.catch_up)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
async def there(request: pytest.FixtureRequest) -> AsyncIterator[Reading]:
    is_real = request.param == "postgres"
    opening = in_postgres(request.getfixturevalue("database")) if is_real else in_memory()
    async with opening as reading:
        yield reading


async def walked(ask, limit, key):
    items, after = [], {}
    while True:
        page = await ask(limit=limit, **after)
        items += page.items
        if not page.more:
            return items
        assert len(page.items) == limit
        after = {"after": key(items[-1])}


async def test_features_come_newest_first_in_pages_without_a_gap(there: Reading):
    told = [await there.tell(drafted(str(n))) for n in range(7)]
    await there.catch_up()

    async def ask(**more):
        return await there.reads.features(there.tenant, **more)

    for limit in (1, 3, 7, 50):
        assert [row.id for row in await walked(ask, limit, lambda row: row.id)] == told[::-1]


async def test_a_feature_created_meanwhile_moves_no_page(there: Reading):
    told = [await there.tell(drafted(str(n))) for n in range(4)]
    await there.catch_up()
    first = await there.reads.features(there.tenant, limit=2)
    await there.tell(drafted("new"))
    await there.catch_up()
    second = await there.reads.features(there.tenant, limit=2, after=first.items[-1].id)
    assert [row.id for row in (*first.items, *second.items)] == told[::-1]


async def test_features_are_found_by_status_and_by_any_part_of_their_title(there: Reading):
    spec = await there.tell(at_gate(Gate.SPEC))
    percent = await there.tell(drafted("100% Tools"))
    await there.catch_up()

    async def found(**filters):
        return {row.id for row in (await there.reads.features(there.tenant, **filters)).items}

    assert await found(status=Status.SPEC_READY) == {spec}
    assert await found(q="TOOLS") == {spec, percent}
    assert await found(q="0% t") == {percent}
    assert await found(q="%") == {percent}
    assert await found(q="_") == set()
    assert await found(q="  tools ") == {spec, percent}
    assert await found(q="  ") == {spec, percent}
    assert await found(q="tools", status=Status.DONE) == set()


async def test_pages_go_on_behind_the_last_feature_with_the_same_filters(there: Reading):
    told = [await there.tell(drafted(title)) for title in ("One a", "Two", "One b", "One c")]
    await there.catch_up()

    async def ask(**more):
        return await there.reads.features(there.tenant, q="one", status=Status.DRAFTING, **more)

    for limit in (1, 2, 3):
        found = await walked(ask, limit, lambda row: row.id)
        assert [row.id for row in found] == [told[3], told[2], told[0]]


async def test_a_deleted_feature_is_in_no_list(there: Reading):
    story = done()
    parent = await there.tell(story)
    version = story.feature.checkpoints[-1].version
    kept, gone = await there.fork(parent, version), await there.fork(parent, version)
    await there.features.do(
        gone, c.DeleteFeature(), tenant_id=there.tenant, actor=USER, correlation_id=uuid7()
    )
    await there.catch_up()
    assert [row.id for row in (await there.reads.forks(there.tenant, parent)).items] == [kept]
    assert [row.id for row in (await there.reads.features(there.tenant)).items] == [kept, parent]
    assert (await there.reads.messages(there.tenant, gone)).items == ()


async def test_forks_come_newest_first_in_pages_without_a_gap(there: Reading):
    story = done()
    parent, other = await there.tell(story), await there.tell(story)
    version = story.feature.checkpoints[-1].version
    forks = [await there.fork(parent, version) for _ in range(3)]
    await there.fork(other, version)
    await there.catch_up()

    async def ask(**more):
        return await there.reads.forks(there.tenant, parent, **more)

    for limit in (1, 2, 3):
        found = await walked(ask, limit, lambda row: row.id)
        assert [row.id for row in found] == forks[::-1]
        assert {row.forked_from.id for row in found} == {parent}
    assert (await there.reads.forks(uuid7(), parent)).items == ()
    assert (await there.reads.forks(there.tenant, forks[0])).items == ()


async def test_another_tenant_sees_nothing_of_it(there: Reading):
    feature_id = await there.tell(done())
    await there.catch_up()
    other = uuid7()
    reads = there.reads
    assert (await reads.features(other)).items == ()
    assert await reads.feature(other, feature_id) is None
    assert (await reads.messages(other, feature_id)).items == ()
    assert (await reads.runs(other, feature_id)).items == ()


async def test_only_the_visible_conversation_is_read(there: Reading):
    story = drafted()
    for number in range(3):
        story.do(c.PostMessage(UUID(int=number + 1), "hello")).work(Step.CONVERSE)
    kept = story.feature.checkpoints[1].version
    story.do(c.ReplayFeature(kept)).do(c.PostMessage(UUID(int=9), "again")).work(Step.CONVERSE)
    feature_id = await there.tell(story)
    await there.catch_up()

    async def ask(**more):
        return await there.reads.messages(there.tenant, feature_id, **more)

    for limit in (1, 2, 50):
        messages = await walked(ask, limit, lambda row: row.version)
        assert [m.role for m in messages] == [Speaker.USER, Speaker.AGENT] * 2
        assert [m.message_id for m in messages[::2]] == [UUID(int=1), UUID(int=9)]
        assert [m.version for m in messages] == sorted(m.version for m in messages)


async def test_runs_come_in_the_order_of_their_start(there: Reading):
    story = in_review()
    feature_id = await there.tell(story)
    await there.catch_up()

    async def ask(**more):
        return await there.reads.runs(there.tenant, feature_id, **more)

    for limit in (1, 3, 50):
        runs = await walked(ask, limit, lambda row: row.version)
        assert [run.step for run in runs] == [Step.SPEC, Step.PLAN, Step.TESTS, Step.IMPLEMENT]
        assert {run.outcome for run in runs} == {Outcome.SUCCEEDED}


async def test_a_row_stands_beside_the_version_that_the_log_has(there: Reading):
    async def standing(tenant=None):
        found = await there.reads.standing(tenant or there.tenant, feature_id)
        return found.shown, found.latest

    story = drafted()
    feature_id = await there.tell(story)
    assert await standing() == (0, 1)
    await there.catch_up()
    found = await there.reads.standing(there.tenant, feature_id)
    assert found.row == await there.reads.feature(there.tenant, feature_id)
    assert await standing() == (1, 1)
    assert await standing(uuid7()) == (0, 0)
    await there.tell(story.do(c.RenameFeature("Other")), feature_id, after=1)
    assert await standing() == (1, 2)
    await there.catch_up()
    assert await standing() == (2, 2)
    assert (await there.reads.standing(there.tenant, feature_id)).row.title == "Other"
    await there.tell(story.do(c.DeleteFeature()), feature_id, after=2)
    await there.catch_up()
    assert await standing() == (0, 3)


async def test_a_read_that_waits_is_answered_as_soon_as_the_version_is_there(there: Reading):
    feature_id = await there.tell(drafted())
    waiting = asyncio.create_task(
        there.reads.feature(there.tenant, feature_id, min_version=2, timeout=30)
    )
    await there.catch_up()
    assert not waiting.done()
    await there.append(feature_id, 1, e.FeatureRenamed("Now"))
    await there.catch_up()
    assert (await waiting).title == "Now"


async def test_a_read_does_not_wait_for_what_is_there(there: Reading):
    feature_id = await there.tell(drafted("There"))
    await there.catch_up()
    for version in (None, 0, 1):
        row = await there.reads.feature(there.tenant, feature_id, min_version=version, timeout=0)
        assert row.title == "There"


async def test_a_read_that_waits_in_vain_answers_what_there_is(there: Reading):
    feature_id = await there.tell(drafted("Old"))
    await there.catch_up()
    row = await there.reads.feature(there.tenant, feature_id, min_version=9, timeout=0.05)
    assert row.title == "Old"
    assert await there.reads.feature(there.tenant, uuid7(), min_version=1, timeout=0.05) is None


async def test_position_and_lag_say_how_far_the_rows_are(there: Reading):
    assert (await there.reads.position(), await there.reads.lag()) == (0, 0)
    feature_id = await there.tell(drafted())
    assert await there.reads.lag() == 1
    await there.catch_up()
    before = await there.reads.position()
    assert await there.reads.lag() == 0
    await there.append(feature_id, 1, e.FeatureRenamed("x"), e.FeatureRenamed("y"))
    assert await there.reads.lag() == 2
    await there.catch_up()
    assert await there.reads.position() == before + 2


async def test_a_limit_is_kept_between_one_and_two_hundred(there: Reading):
    for number in range(2):
        await there.tell(drafted(str(number)))
    await there.catch_up()
    assert len((await there.reads.features(there.tenant, limit=0)).items) == 1
    assert len((await there.reads.features(there.tenant, limit=10**9)).items) == 2
