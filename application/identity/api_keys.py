"""A tenant's own key for the model: checked with the provider, stored sealed, described, deleted.

Invariant: what comes out of here is never more of a key than its last four characters.
"""

from datetime import datetime
from time import monotonic
from typing import Final, NamedTuple, Protocol
from uuid import UUID

import structlog
from msgspec import Struct

from application.identity.rate_limit import Allowance, OwnTries, RateLimiter, TooOften, Tries

log = structlog.get_logger(__name__)

KEY_CHECKS: Final = Allowance(6, 3_600.0)
"""Keys that one account has checked: a person has one, and mistypes it."""
KEY_REJECTIONS: Final = Allowance(20, 3_600.0)
"""Keys from one address that the provider rejects: whoever tries found ones has many."""


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


class Asker(NamedTuple):
    """Who has a key checked."""

    user_id: UUID
    address: str


class KeyLimits(Struct, frozen=True):
    """How often keys are checked with the provider, whose answer tells whether a key is good."""

    checks: Allowance = KEY_CHECKS
    rejections: Allowance = KEY_REJECTIONS


class KeySettings:
    """What a person does with their key."""

    def __init__(
        self,
        vault: KeyVault,
        provider: KeyCheck,
        *,
        needed: bool,
        tries: Tries | None = None,
        limits: KeyLimits = KeyLimits(),
    ) -> None:
        """Take the ports.

        Args:
            vault: Where keys are kept.
            provider: Who says whether a key is good.
            needed: False for a model that takes no key.
            tries: Counts checks; without, those of this process alone.
            limits: How many are allowed.
        """
        self._vault = vault
        self._provider = provider
        self._needed = needed
        self._tries = tries or OwnTries(RateLimiter(monotonic))
        self._limits = limits

    async def describe(self, tenant_id: UUID) -> KeyDescription:
        """What is stored. Raises Unavailable."""
        return await self._vault.describe(tenant_id)

    async def replace(self, tenant_id: UUID, api_key: str, asker: Asker) -> KeyDescription:
        """Store a key, unless the provider rejects it.

        Every check counts for the account, for a good answer tells as much as a bad one. For the
        address only rejected ones stay counted: many people may store a key from one.

        Raises:
            KeyRejected: the provider does not accept it.
            TooOften: there were too many checks.
            Unavailable: a store does not answer.
        """
        checks = (("key_check", str(asker.user_id)), self._limits.checks)
        rejections = (("key_rejected", asker.address), self._limits.rejections)
        who = {"tenant": str(tenant_id), "user": str(asker.user_id), "address": asker.address}
        seconds = await self._tries.take(checks, rejections)
        if seconds:
            log.warning("api_key_not_checked", **who, retry_after_seconds=round(seconds))
            raise TooOften(seconds, "Too many API keys were checked. Wait, then try again.")
        accepted = await self._provider.check_key(api_key)
        if accepted is False:
            log.warning("api_key_rejected", **who)
            raise KeyRejected
        await self._tries.give_back(*rejections)
        await self._vault.store(tenant_id, api_key, verified=bool(accepted))
        return await self._vault.describe(tenant_id)

    async def delete(self, tenant_id: UUID) -> None:
        """Forget it. Raises Unavailable."""
        await self._vault.delete(tenant_id)

    async def missing(self, tenant_id: UUID) -> bool:
        """Whether the model needs a key and the tenant has none. Raises Unavailable."""
        return self._needed and not (await self._vault.describe(tenant_id)).configured
