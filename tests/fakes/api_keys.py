"""Tenants' keys for the model, in memory, and the provider that checks them."""

from uuid import UUID

from application.identity.api_keys import KeyDescription


class MemoryVault:
    """The port `KeyVault`."""

    def __init__(self) -> None:
        self.keys: dict[UUID, tuple[str, bool]] = {}

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        if tenant_id not in self.keys:
            return KeyDescription(configured=False)
        key, verified = self.keys[tenant_id]
        return KeyDescription(configured=True, last4=key[-4:], verified=verified)

    async def store(self, tenant_id: UUID, api_key: str, *, verified: bool) -> None:
        self.keys[tenant_id] = (api_key, verified)

    async def delete(self, tenant_id: UUID) -> None:
        self.keys.pop(tenant_id, None)


class Provider:
    """The provider's word on a key: `None` when it cannot be reached."""

    def __init__(self) -> None:
        self.says: bool | None = True

    async def check_key(self, api_key: str) -> bool | None:
        return self.says
