"""How far each follower of the log has come that keeps no read model.

Invariant: a position never moves back, whoever of several processes reports it.
"""

from typing import Final

from infrastructure.database import Database

GET: Final = "SELECT position FROM app.followers WHERE name = %s"
SET: Final = """
INSERT INTO app.followers AS f (name, position) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, moved_at = clock_timestamp()
WHERE excluded.position > f.position
"""


class PostgresPositions:
    """Positions by follower's name. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database: as sweeper to move, as relay or worker to read."""
        self._database = database

    async def get(self, name: str) -> int:
        """The position, 0 for an unknown follower."""
        async with self._database.system() as connection:
            row = await (await connection.execute(GET, (name,))).fetchone()
        return int(row[0]) if row else 0

    async def set(self, name: str, position: int) -> None:
        """Move on. An earlier position than the stored one changes nothing."""
        async with self._database.system() as connection:
            await connection.execute(SET, (name, position))
