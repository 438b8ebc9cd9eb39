"""The projector on a real log: once, whole, in order, whoever dies."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from domain import commands as c
from domain import events as e
from domain.status import Gate, Status, Step
from infrastructure.read_models import parked, retry_parked, status
from infrastructure.read_models import projector as projecting
from projections.catalogue import PROJECTIONS, RETIRED
from projections.dashboard import DASHBOARD
from tests.given import Story, at_gate, done, drafted
from tests.integration.reading import World, stories, world
from tests.projections.given_events import rows_after


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


@pytest.mark.parametrize("page", [1, 500])
async def test_rows_equal_those_folded_in_memory(there: World, page: int):
    undone = done()
    undone.do(c.ReplayFeature(undone.feature.content.spec.version))
    told = [(await there.tell(story), story) for story in [*stories(), undone]]
    await there.catch_up(there.projector(page=page))
    shown = {(name, feature, key): row for name, feature, key, _, row in there.shown()}
    expected = 0
    for feature_id, story in told:
        facts = (
            []
            if isinstance(story.events[-1], e.FeatureDeleted)
            else await there.log.read(there.tenant, feature_id)
        )
        for projection in PROJECTIONS:
            for key, row in rows_after(projection, facts).items():
                expected += 1
                stored = shown[projection.name, feature_id, key]
                assert msgspec.convert(stored, projection.row) == row
    assert len(shown) == expected


async def test_what_is_stored_of_retired_read_models_counts_for_nothing_and_is_removed(
    there: World,
):
    feature_id = await there.tell(drafted())
    for name in RETIRED:  # As a version before left it, behind what there is now.
        there.sql(
            "insert into app.positions (projection, generation, position, active)"
            " values (%s, 1, 0, true)",
            name,
        )
        there.sql(
            "insert into app.views (projection, generation, tenant_id, feature_id, version, row)"
            " values (%s, 1, %s, %s, 1, '{}')",
            name,
            there.tenant,
            feature_id,
        )
    projector = there.projector()
    await there.catch_up(projector)
    assert await there.reads.lag() == 0
    assert await there.reads.position() > 0
    assert {one.projection for one in await status(there.projecting)} == {
        projection.name for projection in PROJECTIONS
    }
    stop = asyncio.Event()
    running = asyncio.create_task(projector.run(stop))
    while there.sql("select from app.views where projection = any(%s)", [*RETIRED]):
        await asyncio.sleep(0.01)
    stop.set()
    await running
    assert not there.sql("select from app.positions where projection = any(%s)", [*RETIRED])
    assert (await there.reads.feature(there.tenant, feature_id)).version == 1


async def test_every_applied_feature_is_announced_with_the_version_its_rows_show(there: World):
    story = at_gate(Gate.SPEC)
    feature_id = await there.tell(story)
    await there.catch_up()
    assert there.applied[-1] == (feature_id, story.feature.version)
    row = await there.reads.feature(there.tenant, feature_id)
    assert row.version == story.feature.version


async def test_a_projector_that_dies_before_its_commit_applies_the_page_again(
    there: World, monkeypatch: pytest.MonkeyPatch
):
    story = done()
    feature_id = await there.tell(story)
    saved = projecting.save

    async def cut(*given):
        await saved(*given)
        raise ConnectionResetError

    dying = there.projector(page=7)
    await dying.step()
    before = there.shown()
    positions = there.sql("select position from app.positions")
    monkeypatch.setattr(projecting, "save", cut)
    # As a page that parks somebody: it is written with the positions held, in several statements.
    monkeypatch.setattr(projecting, "is_plain", lambda _batch: False)
    with pytest.raises(ConnectionResetError):
        await dying.step()
    assert there.shown() == before
    assert there.sql("select position from app.positions") == positions
    monkeypatch.undo()
    await there.catch_up(dying)
    row = await there.reads.feature(there.tenant, feature_id)
    assert (row.version, row.status) == (story.feature.version, Status.DONE)
    assert row.cost_usd == sum(
        event.run.cost_usd for event in story.events if hasattr(event, "run")
    )


async def test_a_projector_whose_answer_is_lost_applies_the_page_once(
    there: World, monkeypatch: pytest.MonkeyPatch
):
    story = done()
    feature_id = await there.tell(story)
    project = projecting.project

    async def lost(*given):
        assert await project(*given) == "moved"
        raise ConnectionResetError

    dying = there.projector(page=7)
    await dying.step()
    positions = there.sql("select position from app.positions")
    monkeypatch.setattr(projecting, "project", lost)
    with pytest.raises(ConnectionResetError):
        await dying.step()
    assert there.sql("select position from app.positions") != positions
    monkeypatch.undo()
    await there.catch_up(dying)
    row = await there.reads.feature(there.tenant, feature_id)
    assert (row.version, row.status) == (story.feature.version, Status.DONE)
    assert row.cost_usd == sum(
        event.run.cost_usd for event in story.events if hasattr(event, "run")
    )


async def test_a_feature_that_another_process_parked_stands_still_here_too(there: World):
    story = done()
    feature_id = await there.tell(story)
    projector = there.projector(page=7)
    await projector.step()
    (waits,) = there.sql("select version from app.views where projection = 'feature'")
    there.sql(
        "insert into app.parked (projection, generation, feature_id, version, error)"
        " values ('feature', 1, %s, %s, 'by another')",
        feature_id,
        waits[0] + 1,
    )
    await there.catch_up(projector)
    assert there.sql("select version from app.views where projection = 'feature'") == [waits]
    shown = there.sql("select version from app.views where projection = 'dashboard'")
    assert shown == [(story.feature.version,)]


async def test_a_projector_whose_session_is_killed_goes_on(there: World):
    feature_id = await there.tell(drafted())
    projector = there.projector()
    stop = asyncio.Event()
    running = asyncio.create_task(projector.run(stop))
    await there.reads.feature(there.tenant, feature_id, min_version=1, timeout=10)
    there.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'bp_projector'"
    )
    await there.append(feature_id, 1, e.FeatureRenamed("After"))
    projector.notify()
    row = await there.reads.feature(there.tenant, feature_id, min_version=2, timeout=10)
    stop.set()
    await running
    assert row.title == "After"


async def test_two_projectors_count_every_event_once(there: World):
    told = [(await there.tell(story), story) for story in stories() * 4]
    stop = asyncio.Event()
    both = [there.projector(page=5), there.projector(page=3)]
    running = [asyncio.create_task(projector.run(stop)) for projector in both]
    more = done()
    last = await there.tell(more)
    for feature_id, story in [*told, (last, more)]:
        if isinstance(story.events[-1], e.FeatureDeleted):
            continue
        version = story.feature.version
        row = await there.reads.feature(there.tenant, feature_id, min_version=version, timeout=30)
        assert row.version == version
        spent = sum(event.run.cost_usd for event in story.events if hasattr(event, "run"))
        assert row.cost_usd == spent
    stop.set()
    await asyncio.gather(*running)
    twice = there.shown()
    await there.rebuilder().rebuild()
    assert there.shown() == twice


async def test_a_stream_that_cannot_be_applied_waits_and_the_others_go_on(there: World, caplog):
    def evolve(row, fact):
        if isinstance(fact.event, e.FeatureRenamed) and fact.event.title == "poison":
            raise ZeroDivisionError(fact.event.title)
        return DASHBOARD.evolve(row, fact)

    brittle = [replace(DASHBOARD, evolve=evolve), *PROJECTIONS[1:]]
    poisoned = await there.tell(drafted("Before").do(c.RenameFeature("poison")))
    well = await there.tell(drafted("Well").do(c.RenameFeature("Better")))
    projector = there.projector(brittle)
    await there.catch_up(projector)
    await there.append(poisoned, 2, e.FeatureRenamed("later"))
    await there.append(well, 2, e.FeatureRenamed("Best"))
    await there.catch_up(projector)
    (waiting,) = await parked(there.projecting)
    assert (waiting.feature_id, waiting.version) == (poisoned, 2)
    assert waiting.projection == "dashboard"
    assert "ZeroDivisionError" in waiting.error
    assert "poison" not in waiting.error
    titles = {row.id: row.title for row in (await there.reads.features(there.tenant)).items}
    assert titles == {poisoned: "Before", well: "Best"}
    assert (await there.reads.feature(there.tenant, poisoned)).title == "later"
    assert [s.parked for s in await status(there.projecting) if s.projection == "dashboard"] == [1]

    assert await retry_parked(there.projecting, there.source, projections=brittle) == (0, 1)
    assert await retry_parked(there.projecting, there.source) == (1, 0)
    assert await parked(there.projecting) == []
    await there.append(poisoned, 3, e.FeatureRenamed("last"))
    await there.catch_up(projector)
    titles = {row.id: row.title for row in (await there.reads.features(there.tenant)).items}
    assert titles[poisoned] == "last"


async def test_a_parked_feature_that_is_deleted_leaves_no_row_and_waits_no_more(there: World):
    def evolve(row, fact):
        if isinstance(fact.event, e.FeatureRenamed):
            raise ZeroDivisionError
        return DASHBOARD.evolve(row, fact)

    projector = there.projector([replace(DASHBOARD, evolve=evolve), *PROJECTIONS[1:]])
    feature_id = await there.tell(drafted("Private").do(c.RenameFeature("Still private")))
    await there.catch_up(projector)
    assert len(await parked(there.projecting)) == 1
    await there.append(feature_id, 2, e.FeatureDeleted())
    at_once = drafted("Secret").do(c.RenameFeature("Still secret")).do(c.DeleteFeature())
    await there.tell(at_once)
    await there.catch_up(projector)
    assert there.shown() == []
    assert there.sql("select * from app.parked") == []


async def test_an_unknown_event_parks_its_feature_everywhere_and_no_other(there: World):
    strange = await there.tell(drafted("Strange"))
    there.sql("alter table es.events disable trigger append_only")
    there.sql("update es.events set type = 'feature_knighted' where stream_id = %s", strange)
    well = await there.tell(drafted("Well"))
    await there.catch_up()
    waiting = await parked(there.projecting)
    assert {feature.feature_id for feature in waiting} == {strange}
    assert {feature.projection for feature in waiting} == {p.name for p in PROJECTIONS}
    assert all("UnknownEvent in feature_knighted" in feature.error for feature in waiting)
    assert [row.id for row in (await there.reads.features(there.tenant)).items] == [well]
    there.sql("update es.events set type = 'feature_created' where stream_id = %s", strange)
    assert await retry_parked(there.projecting, there.source) == (len(PROJECTIONS), 0)
    assert (await there.reads.feature(there.tenant, strange)).title == "Strange"


async def test_a_deleted_feature_leaves_no_row_even_if_nobody_read_it_before(there: World):
    story = done().do(c.DeleteFeature())
    feature_id = await there.tell(story)
    await there.catch_up()
    assert there.shown() == []
    assert await parked(there.projecting) == []
    kept = there.sql("select count(*) from es.events where stream_id = %s", feature_id)
    assert kept == [(len(story.events),)]


async def test_a_hole_at_the_end_of_the_log_is_crossed(there: World):
    await there.tell(drafted())
    there.sql("select nextval('es.positions')")
    await there.catch_up()
    assert await there.reads.lag() == 0


async def test_events_that_commit_late_are_not_skipped(there: World):
    first = await there.tell(drafted("First"))
    with psycopg.connect(there.url) as slow:
        # A writer that holds the insert lock: nobody knows yet what it will fill.
        slow.execute("lock table es.events in row exclusive mode")
        slow.execute("select nextval('es.positions')")
        later = await there.tell(drafted("Later"))
        await there.catch_up()
        seen = {row.id for row in (await there.reads.features(there.tenant)).items}
        assert first in seen
        assert later not in seen
    await there.catch_up()
    assert {row.id for row in (await there.reads.features(there.tenant)).items} == {first, later}


async def test_a_page_ends_between_any_two_events(there: World):
    story = in_story()
    feature_id = await there.tell(story)
    projector = there.projector(page=1)
    for version in range(1, story.feature.version + 1):
        assert await projector.step()
        assert (await there.reads.feature(there.tenant, feature_id)).version == version
    assert not await projector.step()


def in_story() -> Story:
    story = drafted().do(c.ConfirmBrief("- lend")).work(Step.SPEC).work(Step.ALIGN_SPEC)
    return story.do(c.ReplayFeature(2)).work(Step.SPEC)


async def test_an_idle_projector_is_woken_by_a_signal(there: World):
    projector = there.projector()
    stop = asyncio.Event()
    running = asyncio.create_task(projector.run(stop))
    feature_id = uuid7()
    await there.append(feature_id, 0, e.FeatureCreated("Poked"))
    projector.notify()
    row = await there.reads.feature(there.tenant, feature_id, min_version=1, timeout=10)
    assert row is not None
    stop.set()
    await asyncio.wait_for(running, 5)
