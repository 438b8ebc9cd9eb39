"""PostgreSQL is set back, to a copy of itself or in its log alone: what was known is noticed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.continuity.deletions import DeletionNotes
from application.continuity.watch import Continuity
from application.ports import Accepted, Effects, Metadata, Receipt, ReceiptExists
from domain import events as e
from domain.errors import NotFound
from domain.status import Agent, Gate, Step
from infrastructure.artifacts import FolderStore
from infrastructure.artifacts.removals import PostgresRemovals
from infrastructure.continuity import KeptOutside, PostgresContinuity
from infrastructure.event_log import PostgresEventLog
from infrastructure.event_log.receipts import PostgresReceipts
from infrastructure.postgres.database import Database, NotVouched
from infrastructure.queue.tasks import PostgresTasks, RecordedTasks
from infrastructure.read_models.views import InNoLog
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from infrastructure.transparency import LogKeys
from tests.given import at_gate, drafted
from tests.integration.copies import cut, kept
from tests.integration.reading import MASTER, USER, World, stories, world


@dataclass
class Watch:
    """What one process has: its memory of the log, and the way to what is kept outside."""

    continuity: Continuity
    database: Database
    store: FolderStore
    notes: DeletionNotes


@asynccontextmanager
async def watching(url: str, folder: Path) -> AsyncIterator[Watch]:
    master = MasterKey([MASTER])
    ring = KeyRing(master)
    async with (
        Database(url, "bp_sweeper", max_size=2) as database,
        FolderStore(folder / "files") as store,
    ):
        continuity = Continuity("test")
        outside = KeptOutside(
            database, store, lambda: PostgresEventLog(url, "bp_sweeper", ring), uuid7
        )
        continuity.bind(PostgresContinuity(database), outside)
        keys = LogKeys(database)
        await keys.signer(master)  # As a sweeper does when it starts.
        notes = DeletionNotes(
            PostgresRemovals(database), store.destroyed(), lambda: keys.signer(master)
        )
        yield Watch(continuity, database, store, notes)


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


@pytest.fixture
async def watch(database: str, tmp_path: Path) -> AsyncIterator[Watch]:
    async with watching(database, tmp_path) as opened:
        yield opened


def last_position(there: World) -> int:
    return int(there.sql("select coalesce(max(position), 0) from es.events")[0][0])


async def rebuilt(there: World) -> list[tuple[Any, ...]]:
    """What the read models show after a rebuild from the first event."""
    await there.rebuilder().rebuild()
    return there.shown()


async def test_a_process_works_on_no_database_that_it_does_not_know(
    there: World, watch: Watch
) -> None:
    feature = await there.tell(drafted("Tools"))
    trust = watch.continuity.trusts
    async with (
        Database(there.url, "bp_api", max_size=2, trust=trust) as reading,
        PostgresEventLog(there.url, "bp_api", KeyRing(MasterKey([MASTER])), trust=trust) as log,
    ):

        async def works() -> None:
            async with reading.tenant(there.tenant):
                pass
            await reading.call("SELECT 1")
            await log.read(there.tenant, feature)

        with pytest.raises(NotVouched):
            await works()
        assert not await reading.ready()
        with pytest.raises(NotVouched):
            await log.read(there.tenant, feature)
        await watch.continuity.look()
        await works()
        with kept(there.url) as copy:
            copy.put_back()
            await settled(there)
            with pytest.raises(NotVouched):
                await log.read(there.tenant, feature)
            with pytest.raises(NotVouched):
                await reading.call("SELECT 1")
            await watch.continuity.look()
            await works()
    assert watch.continuity.set_backs == 0  # It came back as it was.


async def settled(there: World) -> None:
    """Wait until the pools have found the database again."""
    async with asyncio.timeout(30):
        for pool in (there.projecting, there.reading):
            while not await pool.ready():
                await asyncio.sleep(0.01)


async def test_a_copy_put_back_is_noticed_and_known_for_ever(there: World, watch: Watch) -> None:
    await there.tell(drafted("Kept"))
    await watch.continuity.look()
    held = last_position(there)
    with kept(there.url) as copy:
        await there.tell(drafted("Lost"))
        await watch.continuity.look()
        lost = last_position(there)
        copy.put_back()
        await watch.continuity.look()
        assert watch.continuity.set_backs == 1
        assert not watch.continuity.is_gap(held)
        assert watch.continuity.is_gap(lost)
        [row] = there.sql(
            "select end_position, lost_upto, timeline, vouched_by from app.incarnations"
            " where set_back"
        )
        assert row == (held, lost, 1, "test")
        # No position is given out twice, so that nobody takes a new event for a lost one.
        await settled(there)
        await there.tell(drafted("New"))
        positions = [row[0] for row in there.sql("select position from es.events order by 1")]
        assert positions[:held] == [*range(1, held + 1)]
        assert min(positions[held:]) > lost


@pytest.mark.parametrize("in_place", [True, False])
async def test_read_models_that_are_ahead_of_the_log_equal_a_rebuild(
    there: World, *, in_place: bool
) -> None:
    kept_features = [await there.tell(story) for story in stories()]
    projector = there.projector()
    await there.catch_up(projector)
    upto = last_position(there)
    with kept(there.url) as copy:
        await there.tell(at_gate(Gate.PLAN))
        await there.append(kept_features[0], len(stories()[0].events), e.FeatureRenamed("Lost"))
        await there.catch_up(projector)
        if in_place:
            cut(there.url, upto)
        else:
            copy.put_back()
            await settled(there)
        # As many other events, so that positions alone tell nothing.
        await there.tell(at_gate(Gate.PLAN))
        await there.append(kept_features[0], len(stories()[0].events), e.FeatureRenamed("New"))
        end = last_position(there)
        async with asyncio.timeout(60):
            while there.sql("select min(position) from app.positions where active") != [(end,)]:
                await projector.step()
                projector._confirmed_at = 0.0  # noqa: SLF001 - an idle second later.
        shown = there.shown()
        assert shown == await rebuilt(there)
        assert "Lost" not in str(shown)


async def test_a_page_that_was_read_before_and_applied_after_leaves_nothing(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    feature = await there.tell(drafted("Tools"))
    projector = there.projector()
    await there.catch_up(projector)
    version, upto = len(drafted("Tools").events), last_position(there)
    await there.append(feature, version, e.FeatureRenamed("Lost"))
    page = await there.source.page(upto, 10)
    cut(there.url, upto)
    real = there.source.page

    async def late(after: int, limit: int, until: int | None = None) -> Any:
        monkeypatch.setattr(there.source, "page", real)
        return page

    monkeypatch.setattr(there.source, "page", late)
    with pytest.raises(InNoLog):
        await projector.step()
    assert "Lost" not in str(there.shown())
    await there.append(feature, version, e.FeatureRenamed("New"))
    await there.catch_up(projector)
    assert there.shown() == await rebuilt(there)


async def test_what_the_lost_events_had_ended_is_done_again(there: World, watch: Watch) -> None:
    feature, origin = uuid7(), Metadata(there.tenant, USER, uuid7())
    [first] = await there.log.append(
        feature, [(uuid7(), e.FeatureCreated("A"))], expected=0, origin=origin
    )
    async with Database(there.url, "bp_worker", max_size=2) as working:
        tasks = PostgresTasks(working)
        of_held = due(there.tenant, feature, first.event_id, 1)
        await tasks.enqueue([of_held])
        (claim,) = await tasks.claim("w", tuple(Agent), limit=1, lease_seconds=60)
        await watch.continuity.look()
        upto = last_position(there)
        await there.append(feature, 1, e.FeatureRenamed("Lost"))
        lost = (await there.log.read(there.tenant, feature, after=1))[0]
        await tasks.enqueue([due(there.tenant, feature, lost.event_id, 2)])
        await tasks.cancel_task(claim.task_id, claim.fencing_token, "done")
        await watch.continuity.look()
        cut(there.url, upto)
        await watch.continuity.look()
        assert there.sql("select task_id, status from app.tasks") == [(of_held.task_id, "queued")]
        (again,) = await tasks.claim("w", tuple(Agent), limit=1, lease_seconds=60)
        assert again.attempt == 2  # So that what was paid is looked for in the ledger.
        assert again.fencing_token > claim.fencing_token


def due(tenant: UUID, feature: UUID, event: UUID, version: int) -> Any:
    from application.ports import DueStep  # noqa: PLC0415

    return DueStep(uuid7(), tenant, feature, Step.SPEC, event, version, uuid7())


async def test_no_task_is_made_of_a_message_whose_event_is_in_no_log(there: World) -> None:
    feature = await there.tell(drafted("Tools"))
    other = await there.tell(drafted("Other"))
    [held] = there.sql(
        "select event_id from es.events where stream_id = %s and version = 1", feature
    )
    async with Database(there.url, "bp_worker", max_size=2) as working:
        tasks = RecordedTasks(working)
        good = due(there.tenant, feature, held[0], 1)
        wrong = [
            due(there.tenant, feature, uuid7(), 1),
            due(there.tenant, feature, held[0], 2),
            due(there.tenant, other, held[0], 1),
            due(uuid7(), feature, held[0], 1),
        ]
        assert await tasks.enqueue([*wrong, good]) == 1
        assert await tasks.enqueue([*wrong, good]) == 0
    assert there.sql("select task_id from app.tasks") == [(good.task_id,)]


async def test_a_key_answers_for_no_command_that_is_in_no_log(there: World) -> None:
    feature, origin = uuid7(), Metadata(there.tenant, USER, uuid7())
    created = [(uuid7(), e.FeatureCreated("A"))]
    await there.log.append(feature, created, expected=0, origin=origin)
    upto = last_position(there)

    async def rename(key: str = "key") -> None:
        receipt = Receipt(key, "a" * 64)
        await there.log.append(
            feature,
            [(uuid7(), e.FeatureRenamed("B"))],
            expected=1,
            origin=origin,
            effects=Effects(receipt=receipt, accepted=Accepted(feature, 2, "drafting")),
        )

    receipts = PostgresReceipts(there.reading)
    await rename()
    assert await receipts.find(there.tenant, "key") is not None
    with pytest.raises(ReceiptExists):
        await rename()
    cut(there.url, upto)
    assert await receipts.find(there.tenant, "key") is None
    await rename()
    assert await receipts.find(there.tenant, "key") is not None
    assert len(await there.log.read(there.tenant, feature)) == 2


async def delete(there: World, feature: UUID, version: int) -> None:
    await there.append(feature, version, e.FeatureDeleted())


async def test_what_was_deleted_stays_deleted_over_a_restore(
    there: World, watch: Watch, tmp_path: Path
) -> None:
    story = at_gate(Gate.SPEC)
    feature, other = await there.tell(story), await there.tell(story)
    await there.catch_up()
    version = len(story.events)
    with kept(there.url) as copy:
        key = there.sql("select key_id from app.data_keys where scope = %s", str(feature))
        await delete(there, feature, version)
        await watch.notes.write_all()
        gone = last_position(there)
        copy.put_back()
        # Another process, which remembers nothing: it has only what is kept outside.
        async with watching(there.url, tmp_path) as fresh:
            await fresh.continuity.look()
            assert fresh.continuity.set_backs == 1
            await settled(there)
            assert there.sql("select tenant_id, key_id, position, done_at from app.removals") == [
                (there.tenant, key[0][0], gone, None)
            ]
            waiting = PostgresRemovals(fresh.database, noted_only=True)
            assert await waiting.waiting(10) == [(there.tenant, feature)]
    assert there.sql("select scope from app.data_keys where scope <> 'tenant'") == [(str(other),)]
    with pytest.raises(NotFound):
        await there.log.read(there.tenant, feature)
    assert str(feature) not in str(there.shown())
    assert await there.reads.feature(there.tenant, feature) is None
    await there.catch_up()
    shown = there.shown()
    assert str(feature) not in str(shown)
    assert shown == await rebuilt(there)
    [last] = there.sql(
        "select type, actor from es.events where stream_id = %s order by version desc limit 1",
        feature,
    )
    assert last == ("feature_deleted", "system:continuity")


async def test_a_deletion_that_only_the_tables_know_of_is_made_again(
    there: World, watch: Watch
) -> None:
    feature = await there.tell(drafted("Tools"))
    upto, version = last_position(there), len(drafted("Tools").events)
    await watch.continuity.look()
    await delete(there, feature, version)
    await watch.continuity.look()
    cut(there.url, upto)
    await watch.continuity.look()
    types = there.sql("select type from es.events where stream_id = %s order by version", feature)
    assert types[-1] == ("feature_deleted",)


async def test_an_older_copy_of_the_data_keys_brings_no_destroyed_key_back(
    there: World,
) -> None:
    feature, other = await there.tell(drafted("A")), await there.tell(drafted("B"))
    old = there.sql("select key_id, tenant_id, scope, wrapped from app.data_keys order by scope")
    await delete(there, feature, len(drafted("A").events))
    there.sql("delete from app.data_keys")
    for row in old:
        there.sql(
            "insert into app.data_keys (key_id, tenant_id, scope, wrapped) values (%s, %s, %s, %s)",
            *row,
        )
    assert there.sql("select scope from app.data_keys") == [(str(other),)]


async def test_a_note_is_written_of_what_was_deleted_before_there_were_notes(
    there: World, watch: Watch
) -> None:
    feature = await there.tell(drafted("Tools"))
    await delete(there, feature, len(drafted("Tools").events))
    there.sql(
        "update app.removals set key_id = null, position = null, hash = null, deleted_at = null,"
        " done_at = clock_timestamp()"
    )
    assert await watch.notes.write_all() == 1
    [number] = await watch.store.destroyed().list()
    note = (await watch.store.destroyed().get(number)).decode()
    [(position, head)] = there.sql(
        "select position, encode(hash, 'hex') from es.events where type = 'feature_deleted'"
    )
    assert f"position {position}\nhash {head}\n" in note
    assert "key -\n" in note


async def test_appends_of_many_tenants_still_share_a_transaction(there: World) -> None:
    tenants = [uuid7() for _ in range(6)]
    story = [(uuid7(), e.FeatureCreated("A")) for _ in tenants]
    answers = await asyncio.gather(
        *(
            there.log.append(uuid7(), [event], expected=0, origin=Metadata(tenant, USER, uuid7()))
            for tenant, event in zip(tenants, story, strict=True)
        )
    )
    assert [recorded.tenant_id for (recorded,) in answers] == tenants
    [(transactions,)] = there.sql("select count(distinct xmin::text) from es.events")
    assert transactions == 1
