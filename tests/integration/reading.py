"""A real log, its projector and its read store, on the database of one test."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from application.ports import Effects, Metadata
from domain import commands as c
from domain import events as e
from domain.status import Gate, Step
from infrastructure.event_log import PostgresEventLog
from infrastructure.postgres.database import Database
from infrastructure.read_models import PostgresReadStore, PostgresSource, Projector, Rebuilder
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from projections.catalogue import PROJECTIONS
from projections.projection import Projection
from tests.given import Story, at_gate, done, drafted, in_review, start

MASTER = bytes(range(32))
USER = "user:00000000-0000-0000-0000-000000000003"


def ring() -> KeyRing:
    """The key ring of a process that has just started."""
    return KeyRing(MasterKey([MASTER]))


@dataclass
class World:
    """Everything that reading takes."""

    url: str
    log: PostgresEventLog
    projecting: Database
    reading: Database
    source: PostgresSource
    reads: PostgresReadStore
    tenant: UUID = field(default_factory=uuid7)
    applied: list[tuple[UUID, int]] = field(default_factory=list)

    def projector(self, projections: Sequence[Projection[Any]] = PROJECTIONS, **more: Any) -> Any:
        """One of any number of projectors."""
        return Projector(
            self.projecting, self.source, projections=projections, applied=self.note_applied, **more
        )

    def rebuilder(self, projections: Sequence[Projection[Any]] = PROJECTIONS, **more: Any) -> Any:
        """One of any number of rebuilders."""
        return Rebuilder(self.projecting, self.source, projections=projections, **more)

    async def note_applied(
        self, _tenant: UUID, feature_id: UUID, version: int, _position: int
    ) -> None:
        """What the projector tells after its commits."""
        self.applied.append((feature_id, version))

    async def tell(
        self,
        story: Story,
        feature_id: UUID | None = None,
        *,
        after: int = 0,
        tenant: UUID | None = None,
    ) -> UUID:
        """Append a story's events, from a version on, as one append each."""
        feature_id = feature_id or uuid7()
        for version, event in enumerate(story.events[after:], start=after):
            await self.append(feature_id, version, event, tenant=tenant)
        return feature_id

    async def append(
        self, feature_id: UUID, expected: int, *events: e.FeatureEvent, tenant: UUID | None = None
    ) -> None:
        """Append events."""
        gone = any(isinstance(event, e.FeatureDeleted) for event in events)
        await self.log.append(
            feature_id,
            [(uuid7(), event) for event in events],
            expected=expected,
            origin=Metadata(tenant or self.tenant, USER, uuid7()),
            effects=Effects(destroy_key=gone),
        )

    async def catch_up(self, projector: Any | None = None) -> None:
        """Apply all there is."""
        projector = projector or self.projector()
        while await projector.step():
            pass

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What really stands in the database, past every role."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def shown(self) -> list[tuple[Any, ...]]:
        """All rows that reads can see."""
        return self.sql(
            "select projection, feature_id, key, version, row from app.views v"
            " join app.positions p using (projection, generation)"
            " where p.active order by 1, 2, 3"
        )


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    """Open it all, and close it."""
    async with (
        PostgresEventLog(url, "bp_api", ring()) as log,
        Database(url, "bp_projector", max_size=6) as projecting,
        Database(url, "bp_api", max_size=4) as reading,
    ):
        # The projector is another process: it has a ring of its own.
        source = PostgresSource(projecting, ring())
        yield World(url, log, projecting, reading, source, PostgresReadStore(reading))


def stories() -> list[Story]:
    """Lives that touch every read model."""
    talked = drafted("Talked").do(c.PostMessage(UUID(int=5), "hello")).work(Step.CONVERSE)
    replayed = at_gate(Gate.PLAN)
    replayed.do(c.ReplayFeature(replayed.feature.content.spec.version))
    running = drafted("Running").do(c.ConfirmBrief("- lend"))
    running.do(start(running.feature, Step.SPEC))
    deleted = at_gate(Gate.SPEC).do(c.DeleteFeature())
    changing = done().do(c.ReviseBrief("- BF-1 lend tools\n- BF-2 print a list"))
    return [
        talked,
        changing.work(Step.SPEC, salt="second"),
        replayed,
        running,
        deleted,
        in_review().work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW),
    ]
