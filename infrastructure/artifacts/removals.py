"""Deleted features whose objects are still to be removed. Noted by the log with the deletion.

Invariant: a feature stays here until its objects are gone, however often the removal is cut short;
one that cannot be done waits with its reason, and hinders no other.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from application.continuity.deletions import Deletion
from infrastructure.postgres.database import Database

PAUSE_SECONDS: Final = (60.0, 6 * 3600.0)
"""Between two tries, at first and at last; each is twice the one before."""

WAITING: Final = """
SELECT tenant_id, feature_id FROM app.removals
WHERE done_at IS NULL AND (NOT %s OR noted_at IS NOT NULL)
  AND (retry_at IS NULL OR retry_at <= clock_timestamp())
ORDER BY coalesce(retry_at, requested_at) LIMIT %s
"""
ALL_AGAIN: Final = """
UPDATE app.removals SET retry_at = NULL WHERE done_at IS NULL AND retry_at IS NOT NULL
"""
POSTPONE: Final = """
UPDATE app.removals SET tries = tries + 1, error = %(reason)s,
  retry_at = clock_timestamp() + make_interval(
    secs => least(%(longest)s, %(pause)s * power(2, least(tries, 20))))
WHERE tenant_id = %(tenant)s AND feature_id = %(feature)s RETURNING tries
"""
POSTPONED: Final = """
SELECT tenant_id, feature_id, requested_at, tries, error, retry_at FROM app.removals
WHERE done_at IS NULL AND tries > 0 ORDER BY requested_at LIMIT %s
"""
LONGEST_REASON: Final = 500
UNNOTED: Final = """
SELECT r.tenant_id, r.feature_id, r.key_id, coalesce(r.position, e.position, 0),
  coalesce(r.hash, e.hash, ''), coalesce(r.deleted_at, e.recorded_at, r.requested_at)
FROM app.removals r
LEFT JOIN LATERAL (
  SELECT position, hash, recorded_at FROM es.events
  WHERE stream_id = r.feature_id AND type = 'feature_deleted' ORDER BY version LIMIT 1
) e ON r.position IS NULL
WHERE r.noted_at IS NULL AND (%s OR r.done_at IS NULL) ORDER BY r.requested_at LIMIT %s
"""
NOTED: Final = """
UPDATE app.removals SET note = %s, noted_at = clock_timestamp() WHERE feature_id = %s
"""
DONE: Final = """
UPDATE app.removals SET done_at = clock_timestamp() WHERE tenant_id = %s AND feature_id = %s
"""
DESCENDANTS: Final = """
WITH RECURSIVE line AS (
  SELECT stream_id FROM es.streams WHERE tenant_id = %(tenant)s AND forked_from = %(feature)s
  UNION
  SELECT s.stream_id FROM es.streams s JOIN line ON s.forked_from = line.stream_id
  WHERE s.tenant_id = %(tenant)s
)
SELECT stream_id FROM line WHERE EXISTS (
  SELECT FROM app.data_keys k WHERE k.tenant_id = %(tenant)s AND k.scope = stream_id::text)
"""


class Postponed(Struct, frozen=True):
    """A removal that could not be done so far."""

    tenant_id: UUID
    feature_id: UUID
    requested_at: datetime
    tries: int
    error: str
    """Why, in plain words."""
    retry_at: datetime | None
    """When it is tried again by itself; None is at once."""


class PostgresRemovals:
    """Removals of all tenants, for the sweeper. Every method raises Unavailable."""

    def __init__(self, database: Database, *, noted_only: bool = False) -> None:
        """Take the sweeper's database; whether notes of deletions are kept, and waited for."""
        self._database = database
        self._begun = False
        self._noted_only = noted_only
        self._all_looked_at = False

    async def unnoted(self, limit: int) -> list[Deletion]:
        """Deletions without a note, oldest first.

        Features whose files were removed before there were notes are looked for once.
        """
        async with self._database.system() as connection:
            cursor = await connection.execute(UNNOTED, (not self._all_looked_at, limit))
            rows = await cursor.fetchall()
        self._all_looked_at = self._all_looked_at or len(rows) < limit
        return [
            Deletion(tenant_id, feature_id, key_id, position, bytes(event_hash), at)
            for tenant_id, feature_id, key_id, position, event_hash, at in rows
        ]

    async def noted(self, feature_id: UUID, number: int) -> None:
        """The note of this number is stored."""
        async with self._database.system() as connection:
            await connection.execute(NOTED, (number, feature_id))

    def expect_no_notes(self) -> None:
        """There will be none: files are removed without."""
        self._noted_only = False

    async def waiting(self, limit: int) -> list[tuple[UUID, UUID]]:
        """Tenant and feature of each whose time has come; at first, of all: it may be mended."""
        async with self._database.system() as connection:
            if not self._begun:
                await connection.execute(ALL_AGAIN)
            rows = await (await connection.execute(WAITING, (self._noted_only, limit))).fetchall()
        self._begun = True
        return [(row[0], row[1]) for row in rows]

    async def postpone(self, tenant_id: UUID, feature_id: UUID, reason: str) -> int:
        """It cannot be done now, and is tried again after a growing pause; how often it was."""
        values = {
            "tenant": tenant_id,
            "feature": feature_id,
            "reason": reason.replace("\0", "")[:LONGEST_REASON],
            "pause": PAUSE_SECONDS[0],
            "longest": PAUSE_SECONDS[1],
        }
        async with self._database.system() as connection:
            row = await (await connection.execute(POSTPONE, values)).fetchone()
        return int(row[0]) if row else 0

    async def postponed(self, limit: int) -> list[Postponed]:
        """What could not be done so far, oldest first."""
        async with self._database.system() as connection:
            rows = await (await connection.execute(POSTPONED, (limit,))).fetchall()
        return [Postponed(*row) for row in rows]

    async def descendants(self, tenant_id: UUID, feature_id: UUID) -> list[UUID]:
        """The living features that descend from this one, at whatever distance."""
        asked = {"tenant": tenant_id, "feature": feature_id}
        async with self._database.system() as connection:
            rows = await (await connection.execute(DESCENDANTS, asked)).fetchall()
        return [row[0] for row in rows]

    async def removed(self, tenant_id: UUID, feature_id: UUID) -> None:
        """Its objects are gone."""
        async with self._database.system() as connection:
            await connection.execute(DONE, (tenant_id, feature_id))
