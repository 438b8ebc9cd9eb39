"""Idempotency keys, in memory."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from application.ports import (
    Accepted,
    Receipt,
)

RECEIPT_LIFE = timedelta(hours=24)


class Kept(NamedTuple):
    """A key that was used, and what it was used for."""

    since: datetime
    request_sha256: str
    accepted: Accepted
    event_id: UUID | None


class MemoryReceipts:
    """Idempotency keys, forgotten with the process."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._kept: dict[tuple[UUID, str], Kept] = {}

    async def find(self, tenant_id: UUID, key: str) -> tuple[str, Accepted] | None:
        kept = self._kept.get((tenant_id, key))
        return (kept.request_sha256, kept.accepted) if kept and self._good(kept) else None

    async def forget_old(self) -> int:
        old = [name for name, kept in self._kept.items() if not self._good(kept)]
        for name in old:
            del self._kept[name]
        return len(old)

    def has(self, tenant_id: UUID, receipt: Receipt) -> bool:
        """Whether the key was used."""
        kept = self._kept.get((tenant_id, receipt.key))
        return kept is not None and self._good(kept)

    def keep(
        self, tenant_id: UUID, receipt: Receipt, accepted: Accepted, event_id: UUID | None
    ) -> None:
        """What an append does with its receipt; the event is its last."""
        self._kept[(tenant_id, receipt.key)] = Kept(
            self._clock(), receipt.request_sha256, accepted, event_id
        )

    def set_back(self, held: Collection[UUID]) -> None:
        """Lose the receipts of all events but these."""
        self._kept = {
            name: kept
            for name, kept in self._kept.items()
            if kept.event_id is None or kept.event_id in held
        }

    def _good(self, kept: Kept) -> bool:
        return kept.since > self._clock() - RECEIPT_LIFE
