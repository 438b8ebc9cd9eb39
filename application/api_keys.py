"""A tenant's own key for the model: checked with the provider, stored sealed, described, deleted.

Invariant: what comes out of here is never more of a key than its last four characters.
"""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct


class KeyDescription(Struct, frozen=True):
    """What may be told of a tenant's API key: never the key."""

    configured: bool
    last4: str | None = None
    """Its last four characters."""
    verified: bool = False
    """Whether the provider was asked and accepted it."""
    updated_at: datetime | None = None


class KeyVault(Protocol):
    """Where sealed keys are kept."""

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        """What is stored."""

    async def store(self, tenant_id: UUID, api_key: str, *, verified: bool) -> None:
        """Seal and store, in place of an earlier one."""

    async def delete(self, tenant_id: UUID) -> None:
        """Forget it; without a key, nothing happens."""


class KeyCheck(Protocol):
    """The provider's word on a key (`ports.Model`)."""

    async def check_key(self, api_key: str) -> bool | None:
        """Whether the provider accepts the key; None when it cannot be reached."""


class KeyRejected(Exception):
    """The provider does not accept this key. Nothing was stored."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class KeySettings:
    """What a person does with their key."""

    def __init__(self, vault: KeyVault, provider: KeyCheck, *, needed: bool) -> None:
        """Take the vault and the provider; `needed` is False for a model that takes no key."""
        self._vault = vault
        self._provider = provider
        self._needed = needed

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        """What is stored. Raises Unavailable."""
        return await self._vault.describe(tenant_id)

    async def replace(self, tenant_id: UUID, api_key: str) -> KeyDescription:
        """Store a key, unless the provider rejects it. Raises KeyRejected, Unavailable."""
        accepted = await self._provider.check_key(api_key)
        if accepted is False:
            raise KeyRejected
        await self._vault.store(tenant_id, api_key, verified=bool(accepted))
        return await self._vault.describe(tenant_id)

    async def delete(self, tenant_id: UUID) -> None:
        """Forget it. Raises Unavailable."""
        await self._vault.delete(tenant_id)

    async def missing(self, tenant_id: UUID) -> bool:
        """Whether the model needs a key and the tenant has none. Raises Unavailable."""
        return self._needed and not (await self._vault.describe(tenant_id)).configured
