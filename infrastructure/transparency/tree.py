"""The tree over the log in PostgreSQL: one row with the compact range, compared and set.

Invariant: of two signers that read the same state, one replaces it; events come behind the
high-water mark, so that none is passed over.
"""

from collections.abc import Sequence
from typing import Any, Final

from application.transparency.ports import Grown
from application.transparency.tree import CompactRange, event_leaf
from infrastructure.postgres.database import Database

SAFE_UPTO_WAIT_MS: Final = 200

STATE: Final = """
SELECT t.size, t.position, t.peaks, t.grown_at, t.noted_size,
       EXISTS (SELECT FROM es.events e WHERE e.position > t.position),
       extract(epoch FROM clock_timestamp() - t.grown_at)::float8, app.checkpoint_lag()
FROM app.log_tree t
"""
SAFE: Final = "SELECT es.safe_upto(%s, %s, %s)"
LEAVES: Final = (
    "SELECT position, hash FROM es.events WHERE position > %s AND position <= %s"
    " ORDER BY position LIMIT %s"
)
ADVANCE: Final = """
UPDATE app.log_tree SET size = %s, position = %s, peaks = %s, grown_at = clock_timestamp()
WHERE size = %s AND position = %s AND peaks = %s
"""
NOTED: Final = """
UPDATE app.log_tree SET noted_size = %s, noted_position = %s WHERE noted_size < %s AND size >= %s
"""
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('bp log tree'))"


class PostgresLogTree:
    """The port `LogTree`."""

    def __init__(self, database: Database) -> None:
        """Take a database as the sweeper."""
        self._database = database

    async def state(self) -> Grown:
        """The tree as it is now."""
        return _grown((await self._database.call(STATE))[0])

    async def leaves(
        self, after: int, limit: int, upto: int | None = None
    ) -> Sequence[tuple[int, bytes]]:
        """The next leaves behind the high-water mark."""
        async with self._database.system() as connection:
            answer = await (
                await connection.execute(SAFE, (after, limit, SAFE_UPTO_WAIT_MS))
            ).fetchone()
            safe = int(answer[0]) if answer else after
            end = safe if upto is None else min(safe, upto)
            cursor = connection.cursor(binary=True)
            await cursor.execute(LEAVES, (after, end, limit))
            rows = await cursor.fetchall()
        return [(position, event_leaf(position, bytes(hashed))) for position, hashed in rows]

    async def advance(self, before: Grown, tree: CompactRange, position: int) -> Grown | None:
        """Compare and set."""
        peaks, were = list(tree.peaks), list(before.peaks)
        async with self._database.system() as connection:
            await connection.execute(LOCK)
            changed = await connection.execute(
                ADVANCE, (tree.size, position, peaks, before.size, before.position, were)
            )
            if not changed.rowcount:
                return None
            row = await (await connection.execute(STATE)).fetchone()
        return _grown(row) if row else None

    async def noted(self, size: int, position: int) -> None:
        """Remember, unless a newer one is remembered."""
        async with self._database.system() as connection:
            await connection.execute(NOTED, (size, position, size, size))


def _grown(row: Sequence[Any]) -> Grown:
    size, position, peaks, *rest = row
    return Grown(size, position, tuple(map(bytes, peaks)), *rest)
