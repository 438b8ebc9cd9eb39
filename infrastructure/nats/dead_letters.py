"""Messages that failed at each of their deliveries: kept with the cause, to be decided by a person.

Invariant: a message is here once, however often it is reported; what was decided stays visible.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from infrastructure.postgres.database import Database

RECORD: Final = """
INSERT INTO app.dead_letters AS l (id, consumer, event_id, subject, position, deliveries, cause)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (consumer, event_id) DO UPDATE
SET deliveries = l.deliveries + excluded.deliveries, cause = excluded.cause,
    at = clock_timestamp(), state = 'waiting', resolved_at = NULL, resolved_by = NULL
"""
COLUMNS: Final = (
    "id, consumer, event_id, subject, position, deliveries, cause, at, state, resolved_at,"
    " resolved_by"
)
LIST: Final = (
    f"SELECT {COLUMNS} FROM app.dead_letters"  # noqa: S608 - constants.
    " WHERE %s::text IS NULL OR state = %s ORDER BY at, id LIMIT %s"
)
WAITING: Final = (
    f"SELECT {COLUMNS} FROM app.dead_letters"  # noqa: S608 - constants.
    " WHERE state = 'waiting' AND (%s::uuid IS NULL OR id > %s) ORDER BY id LIMIT %s"
)
RESOLVE: Final = (
    "UPDATE app.dead_letters SET state = %s, resolved_at = clock_timestamp(), resolved_by = %s"  # noqa: S608
    f" WHERE id = %s AND state = 'waiting' RETURNING {COLUMNS}"
)


class DeadLetter(Struct, frozen=True):
    """A message nobody could handle."""

    id: UUID
    consumer: str
    event_id: UUID
    subject: str
    position: int
    """Place of the event in the log; 0 when the message names none."""
    deliveries: int
    cause: str
    at: datetime
    """When it was last given up."""
    state: str
    """`waiting`, `requeued` or `discarded`."""
    resolved_at: datetime | None
    resolved_by: str | None


class NoSuchDeadLetter(Exception):
    """There is no such dead letter waiting. List them to see what is."""


class PostgresDeadLetters:
    """Dead letters of all consumers, for workers and sweepers. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database as worker or sweeper."""
        self._database = database

    async def record(
        self,
        consumer: str,
        event_id: UUID,
        subject: str,
        position: int,
        deliveries: int,
        cause: str,
    ) -> None:
        """Keep a message. Reported again, after it was requeued, it waits again."""
        asked = (uuid7(), consumer, event_id, subject, position, deliveries, cause)
        async with self._database.system() as connection:
            await connection.execute(RECORD, asked)

    async def list(self, state: str | None = "waiting", limit: int = 100) -> Sequence[DeadLetter]:
        """Those in this state, or all of them; the oldest first."""
        async with self._database.system() as connection:
            rows = await (await connection.execute(LIST, (state, state, limit))).fetchall()
        return [DeadLetter(*row) for row in rows]

    async def waiting(self, after: UUID | None, limit: int) -> Sequence[DeadLetter]:
        """Those that wait, in the order of their ids, beginning behind one."""
        async with self._database.system() as connection:
            rows = await (await connection.execute(WAITING, (after, after, limit))).fetchall()
        return [DeadLetter(*row) for row in rows]

    async def handled(self, letter_id: UUID, by: str) -> bool:
        """Note that what it is about was done after all; False if it waits no more."""
        try:
            await self._resolve(letter_id, "requeued", by)
        except NoSuchDeadLetter:
            return False
        return True

    async def requeue(self, letter_id: UUID, by: str) -> DeadLetter:
        """Note that it is to be tried again; the caller sees to that. Raises NoSuchDeadLetter."""
        return await self._resolve(letter_id, "requeued", by)

    async def discard(self, letter_id: UUID, by: str) -> DeadLetter:
        """Note that it is given up for good. Raises NoSuchDeadLetter."""
        return await self._resolve(letter_id, "discarded", by)

    async def _resolve(self, letter_id: UUID, state: str, by: str) -> DeadLetter:
        async with self._database.system() as connection:
            row = await (await connection.execute(RESOLVE, (state, by, letter_id))).fetchone()
        if row is None:
            raise NoSuchDeadLetter(NoSuchDeadLetter.__doc__)
        return DeadLetter(*row)
