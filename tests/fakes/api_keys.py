"""Tenants' keys for the model, in memory, and the provider that checks them."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from application.identity.api_keys import KeyDescription


class MemoryVault:
    """The port `KeyVault`."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.keys: dict[UUID, tuple[str, bool, datetime]] = {}
        self._clock = clock

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        if tenant_id not in self.keys:
            return KeyDescription(configured=False)
        key, verified, since = self.keys[tenant_id]
        return KeyDescription(configured=True, last4=key[-4:], verified=verified, updated_at=since)

    async def store(self, tenant_id: UUID, api_key: str, *, verified: bool) -> None:
        self.keys[tenant_id] = (api_key, verified, self._clock())

    async def delete(self, tenant_id: UUID) -> None:
        self.keys.pop(tenant_id, None)


class Provider:
    """The provider's word on a key: `None` when it cannot be reached."""

    def __init__(self) -> None:
        self.says: bool | None = True

    async def check_key(self, api_key: str) -> bool | None:
        return self.says
