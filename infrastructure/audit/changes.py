"""The ports `Chain` and `Changes` on PostgreSQL, as the API: of one tenant, from stored bytes."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from application.audit.events import ChainReport, FeatureChange
from infrastructure.event_log.chain import ChainBroken, Chains, StoredRow
from infrastructure.event_log.reader import COLUMNS
from infrastructure.postgres.database import Database

HEAD: Final = "SELECT version, head_hash FROM es.streams WHERE tenant_id = %s AND stream_id = %s"
CHAIN: Final = (
    f"SELECT {COLUMNS} FROM es.events WHERE tenant_id = %s AND stream_id = %s"  # noqa: S608
    " AND version > %s ORDER BY version LIMIT %s"
)
PAGE: Final = 500
"""Events that are read and hashed at once."""
LOOKS: Final = 5
"""At the end of a stream that is written to meanwhile."""
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
        check, end = _Check(), (0, b"")
        async with self._database.tenant(tenant_id) as connection:
            for _ in range(LOOKS):
                found = await connection.execute(HEAD, (tenant_id, feature_id))
                head = await found.fetchone()
                end = (int(head[0]), bytes(head[1])) if head else (0, b"")
                more = True
                while more:
                    cursor = connection.cursor(binary=True)
                    await cursor.execute(CHAIN, (tenant_id, feature_id, check.version, PAGE))
                    rows = [StoredRow(*row) for row in await cursor.fetchall()]
                    await asyncio.to_thread(check.add, rows)
                    more = len(rows) == PAGE
                if check.version == end[0]:
                    break
                # It grows while it is read: look again where it ends.
        return None if end == (0, b"") and not check.events else check.report(end)

    async def living(self, tenant_id: UUID, feature_id: UUID) -> int | None:
        """The version of a feature that is not deleted. Raises Unavailable."""
        asked = {"tenant": tenant_id, "feature": feature_id}
        async with self._database.tenant(tenant_id) as connection:
            row = await (await connection.execute(LIVING, asked)).fetchone()
        return int(row[0]) if row else None

    async def since(
        self, tenant_id: UUID, after: int, upto: int, limit: int
    ) -> Sequence[FeatureChange]:
        """Changes with positions in (after, upto], in order. Raises Unavailable."""
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.execute(SINCE, (tenant_id, after, upto, limit))
            return [FeatureChange(*row) for row in await found.fetchall()]


class _Check:
    """One stream's chain, page by page; what comes after the first break is only counted."""

    def __init__(self) -> None:
        self._chains = Chains()
        self._broken: int | None = None
        self._last: StoredRow | None = None
        self.events = 0

    @property
    def version(self) -> int:
        """Of the last event so far."""
        return self._last.version if self._last else 0

    def add(self, rows: Sequence[StoredRow]) -> None:
        for row in rows:
            self._last = row
            self.events += 1
            if self._broken is None:
                try:
                    self._chains.add(row)
                except ChainBroken as broken:
                    self._broken = broken.row.version

    def report(self, end: tuple[int, bytes]) -> ChainReport:
        """What was found, given the version and hash that the stream was recorded to end at."""
        broken = self._broken
        if self._last is None:
            broken = 1
        elif broken is None and (self._last.version, self._last.hash) != end:
            broken = self._last.version
        head = end[1].hex()
        if broken is None:
            return ChainReport(valid=True, events=self.events, head=head)
        return ChainReport(valid=False, events=self.events, head=head, first_broken_version=broken)
