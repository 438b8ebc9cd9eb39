"""How far each reader of the log has come that keeps no read model of its own.

Invariant: a position never goes back.
"""

from typing import Final

from infrastructure.database import Database

GET: Final = "SELECT position FROM app.cursors WHERE name = %s"
SET: Final = """
INSERT INTO app.cursors AS c (name, position) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = clock_timestamp()
WHERE c.position < excluded.position
"""


class PostgresCursors:
    """Positions by the reader's name. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database as worker, relay or sweeper."""
        self._database = database

    async def get(self, name: str) -> int:
        """The position, 0 for an unknown reader."""
        async with self._database.system() as connection:
            row = await (await connection.execute(GET, (name,))).fetchone()
        return int(row[0]) if row else 0

    async def set(self, name: str, position: int) -> None:
        """Move on. An earlier position than the stored one changes nothing."""
        async with self._database.system() as connection:
            await connection.execute(SET, (name, position))
