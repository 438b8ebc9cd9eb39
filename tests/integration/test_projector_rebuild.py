"""Rebuilding beside what is shown."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from infrastructure.read_models import parked, rebuild, status
from projections.catalogue import PROJECTIONS
from projections.dashboard import DASHBOARD
from tests.given import drafted
from tests.integration.reading import World, stories, world


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        for story in stories():
            await opened.tell(story)
        await opened.catch_up()
        yield opened


def generations(there: World) -> set[tuple[str, int]]:
    return set(there.sql("select distinct projection, generation from app.views"))


async def test_rebuilt_rows_equal_those_that_followed_the_log(there: World):
    live = there.shown()
    told = []
    await there.rebuilder(page=7, batch=20).rebuild(progress=told.append)
    assert there.shown() == live
    assert {generation for _, generation in generations(there)} == {2}
    assert told[-1].switched
    assert told[-1].position == told[-1].goal
    assert told[-1].events == there.sql("select count(*) from es.events")[0][0]


async def test_one_projection_can_be_rebuilt_alone(there: World):
    live = there.shown()
    await there.rebuilder().rebuild(["run"])
    assert there.shown() == live
    active = {each.projection: each.generation for each in await status(there.projecting)}
    assert active == {p.name: 2 if p.name == "run" else 1 for p in PROJECTIONS}


async def test_a_projection_nobody_knows_cannot_be_rebuilt(there: World):
    with pytest.raises(KeyError):
        await there.rebuilder().rebuild(["nobody"])


async def test_a_rebuild_brings_a_changed_rule_to_old_rows(there: World):
    def shout(row, fact):
        after = DASHBOARD.evolve(row, fact)
        return replace(after, title=after.title.upper()) if after else None

    await there.rebuilder([replace(DASHBOARD, evolve=shout), *PROJECTIONS[1:]]).rebuild()
    titles = [row.title for row in (await there.reads.features(there.tenant)).items]
    assert titles
    assert all(title == title.upper() for title in titles)


async def test_a_rebuild_that_died_goes_on_where_it_was(
    there: World, monkeypatch: pytest.MonkeyPatch
):
    live = there.shown()
    saved = rebuild.save
    seen = []

    async def cut(*given):
        await saved(*given)
        seen.append(given)
        if len(seen) == 3:
            raise ConnectionResetError

    monkeypatch.setattr(rebuild, "save", cut)
    with pytest.raises(ConnectionResetError):
        await there.rebuilder(page=5, batch=5).rebuild()
    assert there.shown() == live
    monkeypatch.undo()
    told = []
    await there.rebuilder(page=5, batch=5).rebuild(progress=told.append)
    assert there.shown() == live
    events = there.sql("select count(*) from es.events")[0][0]
    assert told[-1].events == events - 10


async def test_reads_never_go_backwards_while_the_log_grows_under_a_rebuild(there: World):
    stop = asyncio.Event()
    projector = there.projector()
    running = asyncio.create_task(projector.run(stop))
    feature_id = await there.tell(drafted("0"))
    versions = []

    async def write():
        for number in range(1, 80):
            await there.append(feature_id, number, e.FeatureRenamed(str(number)))
            projector.notify()

    async def read():
        while not stop.is_set():
            row = await there.reads.feature(there.tenant, feature_id)
            if row:
                versions.append(row.version)
            glance = await there.reads.features(there.tenant, limit=1)
            assert glance.items

    reading = asyncio.create_task(read())
    writing = asyncio.create_task(write())
    rebuilt = 0
    while not writing.done() or rebuilt < 2:
        await there.rebuilder(page=9, batch=9).rebuild()
        rebuilt += 1
    await writing
    await there.reads.feature(there.tenant, feature_id, min_version=80, timeout=10)
    stop.set()
    await asyncio.gather(running, reading)
    assert versions == sorted(versions)
    live = there.shown()
    await there.rebuilder().rebuild()
    assert there.shown() == live


async def test_two_rebuilds_at_once_make_one_generation(there: World):
    live = there.shown()
    both = [there.rebuilder(page=5, batch=5), there.rebuilder(page=7, batch=7)]
    await asyncio.gather(*(each.rebuild() for each in both))
    assert there.shown() == live
    assert len(generations(there)) == len({projection for projection, _ in generations(there)})


async def test_what_was_parked_is_free_after_a_rebuild_that_can_apply_it(there: World):
    def evolve(row, fact):
        if isinstance(fact.event, e.FeatureRenamed):
            raise ZeroDivisionError
        return DASHBOARD.evolve(row, fact)

    projector = there.projector([replace(DASHBOARD, evolve=evolve), *PROJECTIONS[1:]])
    await there.tell(drafted("Before").do(c.RenameFeature("After")))
    await there.catch_up(projector)
    assert len(await parked(there.projecting)) == 1
    await there.rebuilder().rebuild(["dashboard"])
    assert await parked(there.projecting) == []
    assert there.sql("select count(*) from app.parked") == [(0,)]
    assert "After" in [row.title for row in (await there.reads.features(there.tenant)).items]
