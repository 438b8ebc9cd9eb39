"""Data keys of features and tenants: made, wrapped, found again, and kept for a while in memory.

Invariant: a key is kept only as it is stored; whoever finds its row gone forgets it at once.
"""

from threading import Lock
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from application.running.recent import Recent
from infrastructure.postgres.database import AsyncBoundedConnection, Database
from infrastructure.sealing import TENANT_SCOPE, DataKey, MasterKey

KEPT_AT_MOST: Final = 4096
"""Keys in memory; each takes about 2 KB with its sub-keys."""

FIND: Final = "SELECT key_id, wrapped FROM app.data_key(%s, %s)"
ADD: Final = """
INSERT INTO app.data_keys (key_id, tenant_id, scope, wrapped) VALUES (%s, %s, %s, %s)
ON CONFLICT (tenant_id, scope) DO NOTHING
"""


class KeyRing:
    """Opened keys by tenant and scope, the least recently used forgotten first; for threads too."""

    def __init__(self, master: MasterKey, *, at_most: int = KEPT_AT_MOST) -> None:
        """Take the master key, and how many opened keys to keep."""
        self._master = master
        self._kept: Recent[tuple[UUID, str], DataKey] = Recent(at_most)
        self._lock = Lock()

    def kept(self, tenant_id: UUID, scope: UUID | str) -> DataKey | None:
        """The key, if it is in memory."""
        with self._lock:
            return self._kept.find((tenant_id, str(scope)))

    def make(self, tenant_id: UUID, scope: UUID | str) -> tuple[DataKey, bytes]:
        """Make a key and wrap it; `keep` it once it is stored."""
        key = DataKey.generate(uuid7(), tenant_id, scope)
        return key, key.wrap(self._master)

    def opened(self, key_id: UUID, wrapped: bytes, tenant_id: UUID, scope: UUID | str) -> DataKey:
        """Unwrap a stored key and keep it. Raises WrongMasterKey or Unsealable."""
        key = DataKey.unwrap(self._master, wrapped, key_id, tenant_id, scope)
        self.keep(key)
        return key

    def keep(self, key: DataKey) -> None:
        """Keep a key that is stored."""
        with self._lock:
            self._kept.keep((key.tenant_id, key.scope), key)

    def clear(self) -> None:
        """Drop all: the log was set back."""
        with self._lock:
            self._kept.clear()

    def forget(self, tenant_id: UUID, scope: UUID | str) -> None:
        """Drop a key whose row is gone."""
        with self._lock:
            self._kept.forget((tenant_id, str(scope)))


class DataKeys:
    """Stored keys, for asynchronous callers."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        """Take the process's database and its ring."""
        self._database = database
        self._ring = ring

    async def of_feature(self, tenant_id: UUID, feature_id: UUID) -> DataKey | None:
        """A feature's key; None before its first event is stored and after its deletion.

        Always asks the database whether the key still exists. Raises Unavailable.
        """
        async with self._database.tenant(tenant_id) as connection:
            return await self.find(connection, tenant_id, feature_id)

    async def likely(self, tenant_id: UUID, feature_id: UUID) -> DataKey | None:
        """The same from memory if it is there: for who makes the database check that it exists."""
        kept = self._ring.kept(tenant_id, feature_id)
        return kept or await self.of_feature(tenant_id, feature_id)

    async def of_tenant(self, tenant_id: UUID) -> DataKey:
        """The tenant's own key, made at the first call by a role that may store one."""
        async with self._database.tenant(tenant_id) as connection:
            found = await self.find(connection, tenant_id, TENANT_SCOPE)
            if found is not None:
                return found
            key, wrapped = self._ring.make(tenant_id, TENANT_SCOPE)
            await connection.execute(ADD, (key.key_id, tenant_id, TENANT_SCOPE, wrapped))
            stored = await self.find(connection, tenant_id, TENANT_SCOPE)
        if stored is None:
            raise LookupError("a tenant's data key was stored and is gone")
        return stored

    async def find(
        self, connection: AsyncBoundedConnection, tenant_id: UUID, scope: UUID | str
    ) -> DataKey | None:
        """The same within a transaction of the tenant; None if it is destroyed or was never."""
        row = await (await connection.execute(FIND, (tenant_id, str(scope)))).fetchone()
        if row is None:
            self._ring.forget(tenant_id, scope)
            return None
        kept = self._ring.kept(tenant_id, scope)
        if kept is not None and kept.key_id == row[0]:
            return kept
        return self._ring.opened(row[0], row[1], tenant_id, scope)
