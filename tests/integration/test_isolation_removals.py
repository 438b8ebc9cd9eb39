"""A file that is damaged, or a fork that cannot be read, delays one removal and no other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from application.delivery.artifact_keys import artifact_key
from application.execution.sweeper import Sweeper
from application.features import Features
from application.ports import ArtifactMissing, Metadata
from domain import commands as c
from domain import events as e
from infrastructure.artifacts import FolderStore
from infrastructure.artifacts.removals import PostgresRemovals
from infrastructure.event_log import PostgresEventLog
from infrastructure.event_log.receipts import PostgresReceipts
from infrastructure.nats import NatsLive, Signal
from infrastructure.postgres.database import Database
from infrastructure.queue.tasks import PostgresTasks
from tests import given
from tests.given import done
from tests.integration.poison import LATER, Paused
from tests.integration.reading import USER, World, ring, world

SOURCE = b"console.log(1)\n"
OTHER = b"export {}\n"


@dataclass
class Shop:
    """A sweeper's world: features that are done, with stored files, one of them forked."""

    there: World
    store: FolderStore
    root: Path
    features: Features

    async def finished(self) -> UUID:
        feature_id = await self.there.tell(done())
        for file in given.FILES:
            await self.store.put(artifact_key(self.there.tenant, feature_id, file.sha256), SOURCE)
        await self.store.put(self.other(feature_id), OTHER)
        return feature_id

    def other(self, feature_id: UUID) -> str:
        """A file that no event names."""
        return artifact_key(self.there.tenant, feature_id, sha256(OTHER).hexdigest())

    def key(self, feature_id: UUID) -> str:
        return artifact_key(self.there.tenant, feature_id, given.FILES[0].sha256)

    async def fork(self, parent: UUID) -> UUID:
        version = (await self.features.load(self.there.tenant, parent)).version
        forked = await self.features.fork(
            parent,
            uuid7(),
            c.ForkFeature(version),
            tenant_id=self.there.tenant,
            actor=USER,
            correlation_id=uuid7(),
        )
        return forked.id

    async def delete(self, feature_id: UUID) -> None:
        await self.features.do(
            feature_id,
            c.DeleteFeature(),
            tenant_id=self.there.tenant,
            actor=USER,
            correlation_id=uuid7(),
        )

    def stored(self, feature_id: UUID) -> bool:
        return any((self.root / str(self.there.tenant) / str(feature_id)).glob("*"))

    def sweeper(self, database: Database) -> Sweeper:
        return Sweeper(
            self.features,
            PostgresTasks(database),
            PostgresRemovals(database),
            (),
            self.store,
            stuck_after_seconds=600,
            sweep_seconds=30,
        )


@pytest.fixture
async def shop(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    # Files whose hashes are those of bytes that there are.
    files = (e.FileWritten("src/server.ts", len(SOURCE), sha256(SOURCE).hexdigest()),)
    monkeypatch.setattr(given, "FILES", files)
    async with (
        world(database) as there,
        FolderStore(tmp_path / "files") as store,
        Database(database, "bp_api", max_size=2) as reading,
        PostgresEventLog(database, "bp_api", ring()) as log,
    ):
        live = NatsLive(None, Signal(None, "poke"))
        features = Features(log, PostgresReceipts(reading), live, uuid7)
        yield Shop(there, store, tmp_path / "files", features)


async def test_a_damaged_file_of_a_deleted_feature_delays_its_removal_and_no_other(
    shop: Shop,
) -> None:
    parent = await shop.finished()
    fork = await shop.fork(parent)
    others = [await shop.finished() for _ in range(3)]
    (shop.root / shop.key(parent)).write_bytes(b"rotten")
    for feature_id in (others[0], parent, *others[1:]):
        await shop.delete(feature_id)

    async with Database(shop.there.url, "bp_sweeper", max_size=2) as database:
        sweeper, removals = shop.sweeper(database), PostgresRemovals(database)
        with capture_logs() as lines:
            await sweeper.sweep()
            await sweeper.sweep()
        assert [line["event"] for line in lines] == ["removal_postponed"]
        assert not any(shop.stored(feature_id) for feature_id in others)
        # What the living fork does not name is gone; what it names is kept until it is mended.
        with pytest.raises(ArtifactMissing):
            await shop.store.get(shop.other(parent))
        [waiting] = await removals.postponed(10)
        assert (waiting.feature_id, waiting.tries) == (parent, 1)
        assert "damaged" in waiting.error
        assert waiting.retry_at is not None

        # A sweeper that starts anew tries again, at once, and goes on all the same.
        more = await shop.finished()
        await shop.delete(more)
        again = shop.sweeper(database)
        await again.sweep()
        assert not shop.stored(more)
        assert [one.tries for one in await removals.postponed(10)] == [2]

        # The right bytes are put back: the fork gets them, and the removal is done.
        await shop.store.put(shop.key(parent), SOURCE)
        await shop.sweeper(database).sweep()
        assert not shop.stored(parent)
        assert await shop.store.get(shop.key(fork)) == SOURCE
        assert await removals.postponed(10) == []


async def test_a_fork_that_cannot_be_read_keeps_its_ancestors_files_and_no_others(
    shop: Shop,
) -> None:
    parent, other = await shop.finished(), await shop.finished()
    fork = await shop.fork(parent)
    version = (await shop.features.load(shop.there.tenant, fork)).version
    async with PostgresEventLog(shop.there.url, "bp_api", ring(), registry=LATER) as log:
        origin = Metadata(shop.there.tenant, USER, uuid7())
        await log.append(fork, [(uuid7(), Paused("x"))], expected=version, origin=origin)
    for feature_id in (parent, other):
        await shop.delete(feature_id)
    async with Database(shop.there.url, "bp_sweeper", max_size=2) as database:
        await shop.sweeper(database).sweep()
        assert shop.stored(parent)
        assert not shop.stored(other)
        [waiting] = await PostgresRemovals(database).postponed(10)
        assert "newer version" in waiting.error


async def test_a_file_that_cannot_be_removed_delays_its_own_feature_alone(shop: Shop) -> None:
    stuck, other = await shop.finished(), await shop.finished()
    folder = shop.root / str(shop.there.tenant) / str(stuck) / "not a file"
    folder.mkdir()
    for feature_id in (stuck, other):
        await shop.delete(feature_id)
    async with Database(shop.there.url, "bp_sweeper", max_size=2) as database:
        await shop.sweeper(database).sweep()
        assert not shop.stored(other)
        assert [path.name for path in folder.parent.iterdir()] == ["not a file"]
        [waiting] = await PostgresRemovals(database).postponed(10)
        assert "the artifact folder" in waiting.error
