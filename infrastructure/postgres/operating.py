"""What operators ask of the database over all tenants, each question one statement.

Invariant: nothing here changes a row. The role that asks decides what it may see.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from application.ports import Why
from domain.errors import NotFound
from infrastructure.postgres.database import Database

STREAM: Final = "SELECT tenant_id, version, head_hash FROM es.streams WHERE stream_id = %s"
STREAMS: Final = "SELECT tenant_id, stream_id FROM es.streams ORDER BY created_at, stream_id"
EVENT_TYPE: Final = "SELECT e.type FROM es.events e WHERE e.stream_id = %s AND e.version = %s"
NEWEST_FEATURES: Final = """
SELECT v.feature_id, v.tenant_id, v.row ->> 'title', v.row ->> 'status', v.version,
       v.row ->> 'created_at'
FROM app.views v JOIN app.positions p USING (projection, generation)
WHERE v.projection = 'dashboard' AND p.active
ORDER BY v.row ->> 'created_at' DESC LIMIT %s
"""
PUT_OFF_STEPS: Final = """
SELECT feature_id, step, created_at, attempt, error, not_before FROM app.tasks
WHERE status = 'queued' AND error = any(%s) ORDER BY created_at LIMIT %s
"""
FIGURES: Final = (
    "SELECT head, projection_lag, checkpoint_lag, due, postponed, running, oldest_due,"
    " failed_lately, dead_letters, parked, removals, oldest_removal FROM app.figures()"
)


class StreamHead(Struct, frozen=True):
    """Whose a feature's stream is, and where it ends."""

    tenant_id: UUID
    version: int
    head_hash: bytes


class ListedFeature(Struct, frozen=True):
    """A feature as the dashboard shows it."""

    id: UUID
    tenant_id: UUID
    title: str
    status: str
    version: int
    created_at: str


class PutOffStep(Struct, frozen=True):
    """A due step whose feature cannot be read here for now."""

    feature_id: UUID
    step: str
    since: datetime
    tries: int
    why: Why
    retry_at: datetime | None


class Queue(Struct, frozen=True):
    """What waits for the processes or for an operator, over all tenants."""

    head: int
    """The last position of the log that was handed out."""
    projection_lag: int
    checkpoint_lag: float
    due: int
    postponed: int
    running: int
    oldest_due: float
    """Seconds since the oldest due step could have been begun."""
    failed_lately: int
    """Steps that failed within the last hour."""
    dead_letters: int
    parked: int
    removals: int
    oldest_removal: float


class PostgresOperating:
    """The questions of operators, over the connections of one role."""

    def __init__(self, database: Database) -> None:
        """Take the connections; each question says which role may ask it."""
        self._database = database

    async def stream(self, feature_id: UUID) -> StreamHead:
        """Whose a feature is, and where its stream ends. Raises NotFound."""
        rows = await self._rows(STREAM, feature_id)
        if not rows:
            raise NotFound
        tenant_id, version, head = rows[0]
        return StreamHead(tenant_id, version, bytes(head))

    async def streams(self) -> list[tuple[UUID, UUID]]:
        """Tenant and feature of every stream, oldest first."""
        return [(tenant_id, feature_id) for tenant_id, feature_id in await self._rows(STREAMS)]

    async def event_type(self, feature_id: UUID, version: int) -> str | None:
        """The tag of one event, or None if there is none."""
        rows = await self._rows(EVENT_TYPE, feature_id, version)
        return str(rows[0][0]) if rows else None

    async def newest_features(self, limit: int) -> list[ListedFeature]:
        """The newest features of all tenants, for `bp_projector`."""
        return [ListedFeature(*row) for row in await self._rows(NEWEST_FEATURES, limit)]

    async def put_off_steps(self, limit: int) -> list[PutOffStep]:
        """Steps that wait until their feature can be read, oldest first; for `bp_sweeper`."""
        rows = await self._rows(PUT_OFF_STEPS, [*map(str, Why)], limit)
        return [
            PutOffStep(feature_id, step, at, attempt, Why(error), again)
            for feature_id, step, at, attempt, error, again in rows
        ]

    async def queue(self) -> Queue:
        """What waits, counted; any role may ask."""
        return Queue(*(await self._database.call(FIGURES))[0])

    async def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        async with self._database.system() as connection:
            return await (await connection.execute(statement, values)).fetchall()
