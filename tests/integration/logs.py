"""A real log and what a test needs beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from uuid_utils.compat import uuid7

from application.ports import Claim, DueStep, Metadata
from domain import events as e
from domain.recorded import Recorded
from domain.status import Agent, Step
from infrastructure.event_log import LogReader, PostgresEventLog
from infrastructure.postgres.database import Database
from infrastructure.queue.tasks import PostgresTasks
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing

MASTER_TEXT = MasterKey.generate_text()


def new_ring() -> KeyRing:
    """The key ring of a process that has just started."""
    return KeyRing(MasterKey.from_text(MASTER_TEXT))


def new(*events: e.FeatureEvent) -> list[tuple[UUID, e.FeatureEvent]]:
    """Events under fresh ids."""
    return [(uuid7(), event) for event in events]


def posted(text: str = "Hello") -> e.MessagePosted:
    """A message."""
    return e.MessagePosted(uuid7(), text)


@dataclass
class Opened:
    """A writer and a follower of one database."""

    log: PostgresEventLog
    reader: LogReader
    url: str

    async def begin(
        self, *events: e.FeatureEvent, tenant_id: UUID | None = None
    ) -> tuple[Metadata, UUID]:
        """A feature with these events after its first."""
        origin, feature_id = Metadata(tenant_id or uuid7(), "user:x", uuid7()), uuid7()
        created = new(e.FeatureCreated("A title"), *events)
        await self.log.append(feature_id, created, expected=0, origin=origin)
        return origin, feature_id

    async def lease(self, origin: Metadata, feature_id: UUID) -> Claim:
        """A step of the feature, leased for an hour."""
        due = DueStep(
            uuid7(), origin.tenant_id, feature_id, Step.SPEC, uuid7(), 1, origin.correlation_id
        )
        async with Database(self.url, "bp_worker", max_size=1) as workers:
            tasks = PostgresTasks(workers)
            await tasks.enqueue([due])
            (claim,) = await tasks.claim("w", tuple(Agent), limit=1, lease_seconds=3600)
        assert claim.task_id == due.task_id
        return claim

    async def everything(self) -> list[Recorded]:
        """All that a follower sees from the beginning."""
        found: list[Recorded] = []
        while page := await self.reader.read(found[-1].position if found else 0):
            found += [entry for entry in page if isinstance(entry, Recorded)]
        return found


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Opened]:
    """The log at `url`, for writing and for following."""
    ring = new_ring()
    async with (
        PostgresEventLog(url, "bp_worker", ring) as log,
        Database(url, "bp_projector", max_size=2) as database,
    ):
        yield Opened(log, LogReader(database, ring), url)
