"""How far each reader of the log has come that keeps no read model of its own.

Invariant: a position never goes back, and never passes an event that is in no log: it is moved
together with the event that was seen there, and stands only as long as the log holds that one.
"""

from typing import Final
from uuid import UUID

from infrastructure.postgres.database import Database

GET: Final = """
SELECT CASE WHEN c.anchor_position IS NULL OR EXISTS (
  SELECT FROM es.events e WHERE e.position = c.anchor_position AND e.hash = c.anchor_hash
) THEN c.position ELSE 0 END FROM app.cursors c WHERE c.name = %s
"""
SET: Final = """
INSERT INTO app.cursors AS c (name, position, anchor_position, anchor_hash)
SELECT %s, e.position, e.position, e.hash FROM es.events e WHERE e.position = %s AND e.event_id = %s
ON CONFLICT (name) DO UPDATE SET position = excluded.position,
  anchor_position = excluded.anchor_position, anchor_hash = excluded.anchor_hash,
  updated_at = clock_timestamp()
WHERE c.position < excluded.position OR (c.anchor_position IS NOT NULL AND NOT EXISTS (
  SELECT FROM es.events x WHERE x.position = c.anchor_position AND x.hash = c.anchor_hash))
RETURNING c.position
"""


class PostgresCursors:
    """Positions by the reader's name. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database as relay or sweeper: a worker sees no events of all tenants."""
        self._database = database

    async def get(self, name: str) -> int:
        """The position; 0 for an unknown reader, and for one that saw what is in no log."""
        rows = await self._database.call(GET, (name,))
        return int(rows[0][0]) if rows else 0

    async def set(self, name: str, position: int, event_id: UUID) -> None:
        """Move on to an event. An earlier one than the stored changes nothing.

        Nor does one that is in no log: it was read before the log was set back.
        """
        await self._database.call(SET, (name, position, event_id))
