"""The queue of record, in memory."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from application.ports import (
    Claim,
    DueStep,
    TaskUpdate,
    Why,
)
from domain.pipeline import AGENT_OF
from domain.status import Agent

OPEN = ("queued", "running")


@dataclass
class Task:
    """A row of the queue."""

    due: DueStep
    not_before: datetime
    max_attempts: int
    status: str = "queued"
    attempt: int = 0
    fencing_token: int = 0
    worker: str = ""
    lease_until: datetime | None = None
    progress_at: datetime | None = None
    error: str = ""
    alone: bool = False
    lost: int = 0

    def claim(self) -> Claim:
        due = self.due
        return Claim(
            due.task_id,
            due.tenant_id,
            due.feature_id,
            due.step,
            due.event_id,
            due.version,
            due.correlation_id,
            self.attempt,
            self.fencing_token,
            self.alone,
        )


class MemoryTasks:
    """The queue of record, forgotten with the process."""

    def __init__(
        self, clock: Callable[[], datetime], *, max_attempts: int = 5, per_tenant: int = 8
    ) -> None:
        self.rows: dict[UUID, Task] = {}
        self._clock = clock
        self._max_attempts = max_attempts
        self._per_tenant = per_tenant
        self._fencing_token = 0

    async def enqueue(self, steps: Sequence[DueStep]) -> int:
        return self.add(steps)

    def add(self, steps: Sequence[DueStep]) -> int:
        """Make the tasks that are not there yet; how many were new."""
        new = {due.task_id: due for due in steps if due.task_id not in self.rows}
        for task_id, due in new.items():
            self.rows[task_id] = Task(
                due, self._clock(), self._max_attempts, alone=self._fatal(due)
            )
        return len(new)

    def _fatal(self, due: DueStep) -> bool:
        return any(
            (task.due.feature_id, task.due.step, task.error)
            == (due.feature_id, due.step, "crashed_alone")
            for task in self.rows.values()
        )

    async def claim(
        self,
        worker: str,
        agents: Sequence[Agent],
        *,
        limit: int,
        lease_seconds: float,
        alone: int | None = None,
        take_over: bool = True,
    ) -> Sequence[Claim]:
        now = self._clock()
        claims: list[Claim] = []
        places = limit if alone is None else alone
        while len(claims) < limit:
            taken = {claim.task_id for claim in claims}
            ready = [
                (self._running(task.due.tenant_id, now), task.not_before, task_id)
                for task_id, task in self.rows.items()
                if task_id not in taken
                and AGENT_OF[task.due.step] in agents
                and self._ready(task, now, take_over=take_over)
                and (places > 0 or not (task.alone or task.status == "running"))
            ]
            ready = [candidate for candidate in ready if candidate[0] < self._per_tenant]
            if not ready:
                break
            task = self.rows[min(ready)[2]]
            task.attempt += 1
            task.alone = task.alone or task.status == "running"
            task.lost += task.status == "running"
            places -= task.alone
            self._lease(task, worker, now, lease_seconds)
            claims.append(task.claim())
        return claims

    async def heartbeat(
        self,
        worker: str,
        alive: Mapping[UUID, int],
        progressed: Sequence[UUID],
        lease_seconds: float,
    ) -> set[UUID]:
        now = self._clock()
        held = {
            task_id
            for task_id, fencing_token in alive.items()
            if self.holds(task_id, fencing_token)
        }
        for task_id in held:
            task = self.rows[task_id]
            task.lease_until = now + timedelta(seconds=lease_seconds)
            if task_id in progressed:
                task.progress_at = now
        return held

    async def hand_back(
        self, held: Mapping[UUID, int], *, pause_seconds: float = 0.0, error: str = ""
    ) -> set[UUID]:
        ours = {
            task_id for task_id, fencing_token in held.items() if self.holds(task_id, fencing_token)
        }
        for task_id in ours:
            task = self.rows[task_id]
            task.status, task.error, task.lease_until = "queued", error, None
            task.not_before = self._clock() + timedelta(seconds=pause_seconds)
        return ours

    async def cancel_task(
        self, task_id: UUID, fencing_token: int, status: str, error: str = ""
    ) -> None:
        if self.holds(task_id, fencing_token):
            self.rows[task_id].status = status
            self.rows[task_id].error = error

    async def put_off(self, task_id: UUID, fencing_token: int, error: str) -> None:
        if self.holds(task_id, fencing_token):
            task = self.rows[task_id]
            task.status, task.error, task.lease_until = "queued", error, None
            task.not_before = self._clock() + timedelta(seconds=30)

    async def take_up(self) -> int:
        off = [task for task in self.rows.values() if task.error in set(Why)]
        off = [task for task in off if task.status == "queued" and task.not_before > self._clock()]
        for task in off:
            task.not_before = self._clock()
        return len(off)

    async def stuck(self, silent_seconds: float, limit: int) -> Sequence[Claim]:
        now = self._clock()
        silent = now - timedelta(seconds=silent_seconds)
        found = [task for task in self.rows.values() if self._is_stuck(task, now, silent)][:limit]
        for task in found:
            self._lease(task, "sweeper", now, 60.0)
        return [task.claim() for task in found]

    def holds(self, task_id: UUID, fencing_token: int) -> bool:
        """Whether this is the live lease."""
        task = self.rows.get(task_id)
        return task is not None and task.status == "running" and task.fencing_token == fencing_token

    def live(self, tenant_id: UUID, task_id: UUID, fencing_token: int) -> bool:
        """Whether this is the live lease of the tenant's task, and its time is not over."""
        if not self.holds(task_id, fencing_token):
            return False
        task = self.rows[task_id]
        return task.due.tenant_id == tenant_id and not self._expired(task, self._clock())

    def apply(self, update: TaskUpdate) -> None:
        """What an append does to its own task."""
        task = self.rows[update.task_id]
        if update.then != "running":
            task.status = update.then
            task.error = update.error
            task.not_before = self._clock() + timedelta(seconds=update.retry_after_seconds)
            task.lease_until = None

    def cancel(self, feature_id: UUID) -> None:
        """Cancel what is open for a feature."""
        for task in self.rows.values():
            if task.due.feature_id == feature_id and task.status in OPEN:
                task.status = "cancelled"

    def set_back(self, held: Collection[UUID]) -> None:
        """Lose the tasks of all events but these; what the lost ones ended is open again."""
        self.rows = {name: row for name, row in self.rows.items() if row.due.event_id in held}
        for row in self.rows.values():
            row.status, row.lease_until = "queued", None
            row.not_before = self._clock()

    def _lease(self, task: Task, worker: str, now: datetime, seconds: float) -> None:
        self._fencing_token += 1
        task.status = "running"
        task.fencing_token = self._fencing_token
        task.worker = worker
        task.lease_until = now + timedelta(seconds=seconds)
        task.progress_at = now

    def _ready(self, task: Task, now: datetime, *, take_over: bool) -> bool:
        if task.status == "queued":
            return task.not_before <= now
        silent = task.status == "running" and self._expired(task, now)
        return take_over and silent and task.lost + 1 < task.max_attempts

    def _running(self, tenant_id: UUID, now: datetime) -> int:
        return sum(
            task.status == "running" and not self._expired(task, now)
            for task in self.rows.values()
            if task.due.tenant_id == tenant_id
        )

    @staticmethod
    def _expired(task: Task, now: datetime) -> bool:
        return task.lease_until is not None and task.lease_until <= now

    def _is_stuck(self, task: Task, now: datetime, silent: datetime) -> bool:
        if task.status != "running" or task.progress_at is None:
            return False
        expired = self._expired(task, now)
        taken = task.worker == "sweeper" and not expired
        used_up = task.lost + 1 >= task.max_attempts
        return (expired and used_up) or (task.progress_at <= silent and not taken)
