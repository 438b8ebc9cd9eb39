"""The ledger of model calls, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from msgspec.structs import replace

from application.ports import (
    LeaseLost,
    LedgerEntry,
)
from tests.fakes.tasks import MemoryTasks


@dataclass
class MemoryLedger:
    """The ledger of model calls, forgotten with the process."""

    tasks: MemoryTasks
    kept: dict[tuple[UUID, UUID, int, int], LedgerEntry] = field(default_factory=dict)

    async def entries(
        self, tenant_id: UUID, feature_id: UUID, task_id: UUID
    ) -> Sequence[LedgerEntry]:
        return [
            entry
            for (owner, *_), entry in self.kept.items()
            if owner == tenant_id and entry.task_id == task_id
        ]

    async def announce(
        self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry, fencing_token: int
    ) -> None:
        if not self.tasks.live(tenant_id, entry.task_id, fencing_token):
            raise LeaseLost
        known = self.kept.setdefault(
            self._name(tenant_id, entry),
            LedgerEntry(entry.task_id, entry.attempt, entry.turn, entry.request_sha256),
        )
        if known.request_sha256 != entry.request_sha256 or known.answer is not None:
            raise LookupError

    async def settle(self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry) -> None:
        name = self._name(tenant_id, entry)
        known = self.kept.get(name)
        if known is None or known.request_sha256 != entry.request_sha256:
            raise LookupError
        if known.answer is None:
            self.kept[name] = replace(
                known, answer=entry.answer, outcome=entry.outcome, tokens=entry.tokens
            )

    @staticmethod
    def _name(tenant_id: UUID, entry: LedgerEntry) -> tuple[UUID, UUID, int, int]:
        return (tenant_id, entry.task_id, entry.attempt, entry.turn)
