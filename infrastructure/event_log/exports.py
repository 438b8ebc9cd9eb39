"""The port `StoredLog` on PostgreSQL: stored bytes, with personal parts opened while keys exist.

Invariant: the bytes are those that the hashes cover; nothing is decoded, so an event that this
program does not know is exported all the same.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from uuid import UUID

from application.ports import Unreadable
from application.transparency.export import StoredEvent
from infrastructure.event_log.chain import StoredRow
from infrastructure.event_log.mapper import PURPOSE, record_of, why_of
from infrastructure.event_log.reader import COLUMNS, Keys, LogReader, key_in
from infrastructure.postgres.database import Database
from infrastructure.sealing import MasterKeyUnusable, Unsealable
from infrastructure.sealing.data_keys import KeyRing

STRETCH: Final = (
    f"SELECT {COLUMNS} FROM es.events WHERE tenant_id = %s AND stream_id = %s"  # noqa: S608
    " AND version > %s AND version <= %s ORDER BY version"
)


class PostgresStoredLog:
    """Reads one tenant's streams, in a transaction of that tenant."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        """Take a database as a role that may read events and data keys, and its process's ring."""
        self._database = database
        self._reader = LogReader(database, ring)

    async def stored(
        self, tenant_id: UUID, feature_id: UUID, after: int, upto: int
    ) -> Sequence[StoredEvent]:
        """Events with versions in (after, upto], in order.

        Raises:
            Unavailable: the database does not answer.
            Unreadable: a sealed part is not what was sealed, or its key does not open.
        """
        async with self._database.tenant(tenant_id) as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(STRETCH, (tenant_id, feature_id, after, upto))
            rows = [StoredRow(*row) for row in await cursor.fetchall()]
            keys = await self._reader.keys_of(connection, rows)
        return [_opened(row, keys) for row in rows]


def _opened(row: StoredRow, keys: Keys) -> StoredEvent:
    personal = None
    try:
        key = key_in(keys, row.key_id)
        if key is not None and row.sealed is not None:
            personal = key.open(PURPOSE, record_of(row.event_id, row.version), row.sealed)
    except (Unsealable, MasterKeyUnusable) as error:
        raise Unreadable(f"Event {row.version} ({row.type})", why_of(error, row)) from error
    return StoredEvent(
        position=row.position,
        tenant_id=row.tenant_id,
        feature_id=row.feature_id,
        version=row.version,
        event_id=row.event_id,
        type=row.type,
        schema_version=row.schema_version,
        clear=row.payload,
        personal=personal,
        sealed_sha256=None if row.sealed is None else sha256(row.sealed).digest(),
        key_id=row.key_id,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        actor=row.actor,
        recorded_at=row.recorded_at,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
