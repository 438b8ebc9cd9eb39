"""The ports `Chain` and `Changes` on PostgreSQL, as the API: of one tenant, from stored bytes."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from application.audit import ChainReport, Change
from infrastructure.database import Database
from infrastructure.event_log.chain import ChainBroken, StoredRow, verify_chain
from infrastructure.event_log.reader import OF_STREAM

HEAD: Final = "SELECT version, head_hash FROM es.streams WHERE tenant_id = %s AND stream_id = %s"
LIVING: Final = """
SELECT s.version FROM es.streams s WHERE s.tenant_id = %(tenant)s AND s.stream_id = %(feature)s
  AND EXISTS (SELECT FROM app.data_keys k
              WHERE k.tenant_id = s.tenant_id AND k.scope = s.stream_id::text)
"""
SINCE: Final = """
SELECT position, stream_id, version, type, actor, recorded_at FROM es.events
WHERE tenant_id = %s AND position > %s AND position <= %s
ORDER BY position LIMIT %s
"""


class PostgresAudit:
    """Reads as the API does: nothing of another tenant is ever in reach."""

    def __init__(self, database: Database) -> None:
        """Take a database as the API."""
        self._database = database

    async def verify(self, tenant_id: UUID, feature_id: UUID) -> ChainReport | None:
        """Compute every hash anew; None if there is no such stream. Raises Unavailable."""
        async with self._database.tenant(tenant_id) as connection:
            head = await (await connection.execute(HEAD, (tenant_id, feature_id))).fetchone()
            cursor = connection.cursor(binary=True)
            await cursor.execute(OF_STREAM, (tenant_id, feature_id, 0))
            rows = [StoredRow(*row) for row in await cursor.fetchall()]
        if head is None and not rows:
            return None
        end = (int(head[0]), bytes(head[1])) if head else (0, b"")
        return await asyncio.to_thread(_report, rows, end)

    async def living(self, tenant_id: UUID, feature_id: UUID) -> int | None:
        """The version of a feature that is not deleted. Raises Unavailable."""
        asked = {"tenant": tenant_id, "feature": feature_id}
        async with self._database.tenant(tenant_id) as connection:
            row = await (await connection.execute(LIVING, asked)).fetchone()
        return int(row[0]) if row else None

    async def since(self, tenant_id: UUID, after: int, upto: int, limit: int) -> Sequence[Change]:
        """Changes with positions in (after, upto], in order. Raises Unavailable."""
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.execute(SINCE, (tenant_id, after, upto, limit))
            return [Change(*row) for row in await found.fetchall()]


def _report(rows: list[StoredRow], end: tuple[int, bytes]) -> ChainReport:
    try:
        verify_chain(rows, head=end)
    except ChainBroken as broken:
        return ChainReport(
            valid=False,
            events=len(rows),
            head=end[1].hex(),
            first_broken_version=broken.row.version,
        )
    if not rows:
        return ChainReport(valid=False, events=0, head=end[1].hex(), first_broken_version=1)
    return ChainReport(valid=True, events=len(rows), head=end[1].hex())
