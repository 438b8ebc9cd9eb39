"""What an append makes due goes to a worker of the same process that waits for it, at once.

Invariant: only what is leased to the worker in the very transaction that made it is handed over.
Everything else stands in the queue, where any worker finds it, and so does all of it without this.
"""

from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from application.ports import Claim, DueStep

PER_TENANT: Final = 8
"""As the queue's own bound, unless told otherwise."""


class Waiting(Protocol):
    """A worker that has room."""

    def offer(self, steps: Sequence[DueStep]) -> Sequence[DueStep]:
        """Those of some steps that it would take; it keeps room for them until `take`."""

    def take(self, offered: int, claims: Sequence[Claim]) -> None:
        """Begin with those that were leased to it, of so many that it had offered to take."""

    def holds(self, task_id: UUID) -> bool:
        """Whether it has a task in hand."""


class HandOver:
    """Between the write path of a process and its worker, which is made after it."""

    def __init__(self, name: str, *, lease_seconds: float, per_tenant: int = PER_TENANT) -> None:
        """Take what a lease needs: who holds it, for how long, and a tenant's share."""
        self.name = name
        self.lease_seconds = lease_seconds
        self.per_tenant = per_tenant
        self._worker: Waiting | None = None

    def bind(self, worker: Waiting) -> None:
        """From now on this worker takes what it has room for."""
        self._worker = worker

    def offer(self, steps: Sequence[DueStep]) -> Sequence[DueStep]:
        """Those of some steps that the worker would take."""
        return self._worker.offer(steps) if self._worker and steps else ()

    def take(self, offered: Sequence[DueStep], fences: dict[UUID, int]) -> None:
        """Give the worker what was leased to it, by task and fencing token, of what it offered."""
        claims = [
            Claim(
                task_id=due.task_id,
                tenant_id=due.tenant_id,
                feature_id=due.feature_id,
                step=due.step,
                event_id=due.event_id,
                version=due.version,
                correlation_id=due.correlation_id,
                attempt=1,
                fencing_token=fences[due.task_id],
            )
            for due in offered
            if due.task_id in fences
        ]
        if self._worker is not None and offered:
            self._worker.take(len(offered), claims)

    def holds(self, task_id: UUID) -> bool:
        """Whether the worker has a task in hand."""
        return self._worker is not None and self._worker.holds(task_id)
