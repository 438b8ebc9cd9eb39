"""Tenants' own keys for the model, sealed under the tenant's data key.

Invariant: the API can store and replace a key and has no right to read it back; a worker opens one
only while it holds a live lease on a task of the same tenant.
"""

from typing import Final
from uuid import UUID

import structlog

from application.identity.api_keys import KeyDescription
from application.ports import Claim, Unreadable, Why
from infrastructure.postgres.database import Database
from infrastructure.sealing import MasterKeyUnusable, Unsealable
from infrastructure.sealing.data_keys import DataKeys

log = structlog.get_logger(__name__)

PURPOSE: Final = "api key"
SHOWN: Final = 4

DESCRIBE: Final = "SELECT last4, verified, updated_at FROM app.api_keys WHERE tenant_id = %s"
STORE: Final = """
INSERT INTO app.api_keys (tenant_id, sealed, last4, verified)
VALUES (%(tenant)s, %(sealed)s, %(last4)s, %(verified)s)
ON CONFLICT (tenant_id) DO UPDATE
SET sealed = %(sealed)s, last4 = %(last4)s, verified = %(verified)s, updated_at = clock_timestamp()
"""
DELETE: Final = "DELETE FROM app.api_keys WHERE tenant_id = %s"
REVEAL: Final = """
SELECT k.sealed FROM app.api_keys k JOIN app.tasks t ON t.tenant_id = k.tenant_id
WHERE k.tenant_id = %s AND t.task_id = %s AND t.fence = %s AND t.status = 'running'
  AND t.lease_until > clock_timestamp()
"""


class SealedApiKeys:
    """Keys as the API sees them (`application.identity.api_keys.KeyVault`)."""

    def __init__(self, database: Database, data_keys: DataKeys) -> None:
        """Take a database as the API, and data keys over the same."""
        self._database = database
        self._data_keys = data_keys

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        """What is stored. Raises Unavailable."""
        async with self._database.tenant(tenant_id) as connection:
            row = await (await connection.execute(DESCRIBE, (tenant_id,))).fetchone()
        if row is None:
            return KeyDescription(configured=False)
        return KeyDescription(configured=True, last4=row[0], verified=row[1], updated_at=row[2])

    async def store(self, tenant_id: UUID, api_key: str, *, verified: bool) -> None:
        """Seal and store, in place of an earlier one. Raises Unavailable."""
        data_key = await self._data_keys.of_tenant(tenant_id)
        values = {
            "tenant": tenant_id,
            "sealed": data_key.seal(PURPOSE, tenant_id, api_key.encode()),
            "last4": api_key[-SHOWN:],
            "verified": verified,
        }
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(STORE, values)

    async def delete(self, tenant_id: UUID) -> None:
        """Forget it; without a key, nothing happens. Raises Unavailable."""
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(DELETE, (tenant_id,))


class RevealedApiKeys:
    """Keys as a worker sees them, for the length of one call (`ports.ApiKeys`)."""

    def __init__(self, database: Database, data_keys: DataKeys) -> None:
        """Take a database as a worker, and data keys over the same."""
        self._database = database
        self._data_keys = data_keys

    async def reveal(self, tenant_id: UUID, claim: Claim) -> str | None:
        """The key; None if the tenant has none, it is damaged, or the lease is not live.

        Raises:
            Unavailable: the database does not answer.
            Unreadable: it is sealed under a master key that this process was not given.
        """
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.execute(
                REVEAL, (tenant_id, claim.task_id, claim.fencing_token)
            )
            row = await found.fetchone()
        if row is None:
            return None
        try:
            data_key = await self._data_keys.of_tenant(tenant_id)
            return data_key.open(PURPOSE, tenant_id, bytes(row[0])).decode()
        except MasterKeyUnusable as locked:
            raise Unreadable("The stored API key", Why.LOCKED) from locked
        except Unsealable:
            # As if there were none: whoever enters it again is helped, and nobody else is touched.
            log.exception("api_key_damaged", tenant=str(tenant_id))
            return None
