"""Idempotency keys with the answers they got. Written by the log, in the transaction of the append.

Invariant: within 24 hours a tenant's key stands for one request and one answer, as long as the
event that the answer was given for is in the log.
"""

from typing import Final
from uuid import UUID

import msgspec

from application.ports import Accepted
from infrastructure.postgres.database import Database

FIND: Final = """
SELECT r.request_sha256, r.accepted FROM app.receipts r
WHERE r.tenant_id = %s AND r.key = %s AND r.created_at > clock_timestamp() - interval '24 hours'
  AND (r.event_id IS NULL OR EXISTS (SELECT FROM es.events e WHERE e.event_id = r.event_id))
"""
FORGET: Final = """
DELETE FROM app.receipts WHERE created_at <= clock_timestamp() - interval '24 hours'
"""


class PostgresReceipts:
    """Receipts of all tenants. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database: as API to find, as sweeper to forget."""
        self._database = database

    async def find(self, tenant_id: UUID, key: str) -> tuple[str, Accepted] | None:
        """The request hash and the answer first given, or None."""
        async with self._database.tenant(tenant_id) as connection:
            row = await (await connection.execute(FIND, (tenant_id, key))).fetchone()
        return (row[0], msgspec.convert(row[1], Accepted)) if row else None

    async def forget_old(self) -> int:
        """Remove those past their 24 hours; how many there were."""
        async with self._database.system() as connection:
            return (await connection.execute(FORGET)).rowcount
