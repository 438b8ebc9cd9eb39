"""Idempotency keys, in memory."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from application.ports import (
    Accepted,
    Receipt,
)

RECEIPT_LIFE = timedelta(hours=24)


class MemoryReceipts:
    """Idempotency keys, forgotten with the process."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._kept: dict[tuple[UUID, str], tuple[datetime, str, Accepted]] = {}

    async def find(self, tenant_id: UUID, key: str) -> tuple[str, Accepted] | None:
        kept = self._kept.get((tenant_id, key))
        return kept[1:] if kept and self._good(kept[0]) else None

    async def forget_old(self) -> int:
        old = [name for name, kept in self._kept.items() if not self._good(kept[0])]
        for name in old:
            del self._kept[name]
        return len(old)

    def has(self, tenant_id: UUID, receipt: Receipt) -> bool:
        """Whether the key was used."""
        kept = self._kept.get((tenant_id, receipt.key))
        return kept is not None and self._good(kept[0])

    def keep(self, tenant_id: UUID, receipt: Receipt, accepted: Accepted) -> None:
        """What an append does with its receipt."""
        self._kept[(tenant_id, receipt.key)] = (self._clock(), receipt.request_sha256, accepted)

    def _good(self, since: datetime) -> bool:
        return since > self._clock() - RECEIPT_LIFE
