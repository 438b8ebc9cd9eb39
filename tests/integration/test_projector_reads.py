"""The read store on real rows: pages, cursors, waiting, tenants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from domain import commands as c
from domain import events as e
from domain.status import Gate, Status, Step
from infrastructure.read_models import PostgresReadStore
from projections.message import Speaker
from projections.run import Outcome
from tests.given import at_gate, done, drafted, in_review
from tests.integration.reading import World, world


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


async def walked(ask, limit, key):
    items, after = [], {}
    while True:
        page = await ask(limit=limit, **after)
        items += page.items
        if not page.more:
            return items
        assert len(page.items) == limit
        after = {"after": key(items[-1])}


async def test_features_come_newest_first_in_pages_without_a_gap(there: World):
    told = [await there.tell(drafted(str(n))) for n in range(7)]
    await there.catch_up()

    async def ask(**more):
        return await there.reads.features(there.tenant, **more)

    for limit in (1, 3, 7, 50):
        assert [row.id for row in await walked(ask, limit, lambda row: row.id)] == told[::-1]


async def test_a_feature_created_meanwhile_moves_no_page(there: World):
    told = [await there.tell(drafted(str(n))) for n in range(4)]
    await there.catch_up()
    first = await there.reads.features(there.tenant, limit=2)
    await there.tell(drafted("new"))
    await there.catch_up()
    second = await there.reads.features(there.tenant, limit=2, after=first.items[-1].id)
    assert [row.id for row in (*first.items, *second.items)] == told[::-1]


async def test_features_are_found_by_status_and_by_any_part_of_their_title(there: World):
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
    assert await found(q="tools", status=Status.DONE) == set()


async def test_another_tenant_sees_nothing_of_it(there: World):
    feature_id = await there.tell(done())
    await there.catch_up()
    other = uuid7()
    reads = there.reads
    assert (await reads.features(other)).items == ()
    assert await reads.feature(other, feature_id) is None
    assert (await reads.messages(other, feature_id)).items == ()
    assert (await reads.runs(other, feature_id)).items == ()


async def test_only_the_visible_conversation_is_read(there: World):
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


async def test_runs_come_in_the_order_of_their_start(there: World):
    story = in_review()
    feature_id = await there.tell(story)
    await there.catch_up()

    async def ask(**more):
        return await there.reads.runs(there.tenant, feature_id, **more)

    for limit in (1, 3, 50):
        runs = await walked(ask, limit, lambda row: row.version)
        assert [run.step for run in runs] == [Step.SPEC, Step.PLAN, Step.TESTS, Step.IMPLEMENT]
        assert {run.outcome for run in runs} == {Outcome.SUCCEEDED}


async def test_a_row_is_current_only_if_it_shows_all_that_the_log_holds(there: World):
    story = drafted()
    feature_id = await there.tell(story)
    assert await there.reads.current(there.tenant, feature_id) is None
    await there.catch_up()
    row = await there.reads.current(there.tenant, feature_id)
    assert row == await there.reads.feature(there.tenant, feature_id)
    assert await there.reads.current(uuid7(), feature_id) is None
    await there.tell(story.do(c.RenameFeature("Other")), feature_id, after=1)
    assert await there.reads.current(there.tenant, feature_id) is None
    await there.catch_up()
    assert (await there.reads.current(there.tenant, feature_id)).title == "Other"
    await there.tell(story.do(c.DeleteFeature()), feature_id, after=2)
    assert await there.reads.current(there.tenant, feature_id) is None


async def test_a_read_that_waits_is_answered_as_soon_as_the_version_is_there(there: World):
    feature_id = await there.tell(drafted())
    waiting = asyncio.create_task(
        there.reads.feature(there.tenant, feature_id, min_version=2, timeout=30)
    )
    await there.catch_up()
    assert not waiting.done()
    await there.append(feature_id, 1, e.FeatureRenamed("Now"))
    await there.catch_up()
    assert (await waiting).title == "Now"


async def test_a_read_that_waits_in_vain_answers_what_there_is(there: World):
    feature_id = await there.tell(drafted("Old"))
    await there.catch_up()
    row = await there.reads.feature(there.tenant, feature_id, min_version=9, timeout=0.05)
    assert row.title == "Old"
    assert await there.reads.feature(there.tenant, uuid7(), min_version=1, timeout=0.05) is None


async def test_a_read_that_waits_is_woken_by_a_signal(there: World):
    signals: asyncio.Queue[None] = asyncio.Queue()
    watched = []

    @asynccontextmanager
    async def watch(tenant_id, feature_id):
        watched.append((tenant_id, feature_id))

        async def signals():
            while True:
                yield await signals.get()

        yield signals()

    reads = PostgresReadStore(there.reading, watch=watch)
    feature_id = await there.tell(drafted())
    waiting = asyncio.create_task(
        reads.feature(there.tenant, feature_id, min_version=1, timeout=30)
    )
    await there.catch_up()
    await signals.put(None)
    assert (await waiting).version == 1
    assert set(watched) <= {(there.tenant, feature_id)}


async def test_position_and_lag_say_how_far_the_rows_are(there: World):
    feature_id = await there.tell(drafted())
    assert await there.reads.lag() == 1
    await there.catch_up()
    before = await there.reads.position()
    assert await there.reads.lag() == 0
    await there.append(feature_id, 1, e.FeatureRenamed("x"), e.FeatureRenamed("y"))
    assert await there.reads.lag() == 2
    await there.catch_up()
    assert await there.reads.position() == before + 2


async def test_a_limit_is_kept_between_one_and_two_hundred(there: World):
    for number in range(2):
        await there.tell(drafted(str(number)))
    await there.catch_up()
    assert len((await there.reads.features(there.tenant, limit=0)).items) == 1
    assert len((await there.reads.features(there.tenant, limit=10**9)).items) == 2
