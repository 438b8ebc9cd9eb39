"""The ledger of model calls, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from msgspec.structs import replace

from application.ports import (
    LeaseLost,
    LedgerEntry,
)
from tests.fakes.log import MemoryLog
from tests.fakes.tasks import MemoryTasks

Name = tuple[UUID, UUID, UUID, int, int]
"""Of a request: tenant, feature, task, attempt, turn."""


@dataclass
class MemoryLedger:
    """The ledger of model calls, forgotten with the process; answers go with their feature."""

    tasks: MemoryTasks
    log: MemoryLog
    kept: dict[Name, LedgerEntry] = field(default_factory=dict)

    async def entries(
        self, tenant_id: UUID, feature_id: UUID, task_id: UUID
    ) -> Sequence[LedgerEntry]:
        found = [
            entry
            for (*owner, task, _, _), entry in self.kept.items()
            if [*owner, task] == [tenant_id, feature_id, task_id]
        ]
        if self.log.lives(tenant_id, feature_id):
            return found
        return [replace(entry, answer=None) for entry in found]

    async def announce(
        self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry, fencing_token: int
    ) -> None:
        if not self.tasks.live(tenant_id, entry.task_id, fencing_token):
            raise LeaseLost
        known = self.kept.setdefault(
            (tenant_id, feature_id, entry.task_id, entry.attempt, entry.turn),
            LedgerEntry(entry.task_id, entry.attempt, entry.turn, entry.request_sha256),
        )
        if known.request_sha256 != entry.request_sha256 or known.answer is not None:
            raise LookupError

    async def settle(self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry) -> None:
        name = (tenant_id, feature_id, entry.task_id, entry.attempt, entry.turn)
        known = self.kept.get(name)
        if known is None or known.request_sha256 != entry.request_sha256:
            raise LookupError
        if known.answer is None:
            answer = entry.answer if self.log.lives(tenant_id, feature_id) else None
            self.kept[name] = replace(
                known, answer=answer, outcome=entry.outcome, tokens=entry.tokens
            )
