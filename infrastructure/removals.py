"""Deleted features whose objects are still to be removed. Noted by the log with the deletion.

Invariant: a feature stays here until its objects are gone, however often the removal is cut short.
"""

from typing import Final
from uuid import UUID

from infrastructure.database import Database

WAITING: Final = """
SELECT tenant_id, feature_id FROM app.removals WHERE done_at IS NULL
ORDER BY requested_at LIMIT %s
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


class PostgresRemovals:
    """Removals of all tenants, for the sweeper. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take the sweeper's database."""
        self._database = database

    async def waiting(self, limit: int) -> list[tuple[UUID, UUID]]:
        """Tenant and feature of each, oldest first."""
        async with self._database.system() as connection:
            rows = await (await connection.execute(WAITING, (limit,))).fetchall()
        return [(row[0], row[1]) for row in rows]

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
