"""Tries that all processes count together (`rate_limit.Tries`), in the database.

Invariant: names that are taken together are counted together, or none of them.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from application.identity.rate_limit import Allowance, Name
from infrastructure.postgres.database import Database

Counted: TypeAlias = tuple[Name, Allowance]

TAKE: Final = "SELECT app.take_tries(%s, %s, %s)"
GIVE_BACK: Final = "SELECT app.give_back_try(%s, %s)"
SEPARATOR: Final = "\x1f"
LONGEST: Final = 200


class PostgresTries:
    """A count that outlives the process and is one for all of them."""

    def __init__(self, database: Database) -> None:
        """Take a database as the API."""
        self._database = database

    async def take(self, *names: Counted) -> float:
        """Count one try under each name, or under none: then the seconds to wait, else 0.0.

        Raises Unavailable: whoever cannot be counted may not try.
        """
        async with self._database.system() as connection:
            row = await (await connection.execute(TAKE, _columns(names))).fetchone()
        return float(row[0]) if row else 0.0

    async def give_back(self, name: Name, allowance: Allowance) -> None:
        """Take one counted try back. Raises Unavailable."""
        async with self._database.system() as connection:
            await connection.execute(GIVE_BACK, (_text(name), allowance.each))


def _columns(names: Sequence[Counted]) -> tuple[list[str], list[float], list[float]]:
    return (
        [_text(name) for name, _ in names],
        [allowance.each for _, allowance in names],
        [allowance.seconds for _, allowance in names],
    )


def _text(name: Name) -> str:
    return SEPARATOR.join(name)[:LONGEST]
