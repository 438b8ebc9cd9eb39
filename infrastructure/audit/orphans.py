"""The port `orphans.Recorded` on PostgreSQL, as the sweeper.

Invariant: nothing is changed here, and what cannot be read is never called an orphan.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from application.audit.orphans import Named, OrphanCall
from domain.events import (
    AttemptFailed,
    FeatureDeleted,
    ImplementationCompleted,
    RunDiscarded,
    told,
)
from domain.recorded import Recorded
from infrastructure.event_log.followed import UnreadableEvent
from infrastructure.event_log.reader import LogReader
from infrastructure.postgres.database import Database
from infrastructure.sealing.data_keys import KeyRing

WAITING: Final = "SELECT FROM app.removals WHERE feature_id = %s AND done_at IS NULL"
PAGE: Final = 1_000
CALLS: Final = """
SELECT c.tenant_id, c.feature_id, c.task_id, c.attempt, c.turn, c.outcome, NOT EXISTS (
  SELECT FROM es.events e
  WHERE e.stream_id = c.feature_id AND e.type = 'step_started'
    AND convert_from(e.payload, 'UTF8')::jsonb ->> 'task_id' = c.task_id::text
    AND (convert_from(e.payload, 'UTF8')::jsonb -> 'attempt' ->> 'number')::int = c.attempt)
FROM app.model_calls c WHERE (c.task_id, c.attempt, c.turn) > (%s, %s, %s)
ORDER BY c.task_id, c.attempt, c.turn LIMIT %s
"""
STORING: Final = (ImplementationCompleted, AttemptFailed, RunDiscarded)
"""Events that name files in the store."""


class PostgresOrphans:
    """Every method raises Unavailable."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        """Take a database as the sweeper, and the process's data keys."""
        self._database = database
        self._reader = LogReader(database, ring)

    async def named(self, tenant_id: UUID, feature_id: UUID) -> Named:
        """The files that a feature's events name."""
        async with self._database.system() as connection:
            waits = await (await connection.execute(WAITING, (feature_id,))).fetchone()
        entries = await self._reader.of_feature(tenant_id, feature_id)
        if not entries:
            return Named(exists=False)
        events = [told(entry.event) for entry in entries if isinstance(entry, Recorded)]
        deleted = any(isinstance(event, FeatureDeleted) for event in events)
        unread = any(isinstance(entry, UnreadableEvent) for entry in entries)
        made = [e for e in events if isinstance(e, STORING)]
        return Named(
            files=frozenset(file.sha256 for event in made for file in event.files),
            unsure=unread or (deleted and waits is not None),
        )

    async def calls(self) -> Sequence[OrphanCall]:
        """Requests whose attempts no event announces, task by task."""
        found: list[OrphanCall] = []
        last = (UUID(int=0), 0, 0)
        while True:  # The whole ledger, after a set-back or when an operator asks.
            async with self._database.system() as connection:
                rows = await (await connection.execute(CALLS, (*last, PAGE))).fetchall()
            found += [OrphanCall(*row[:6]) for row in rows if row[6]]
            if len(rows) < PAGE:
                return found
            last = rows[-1][2:5]
