"""In-memory adapters that pass the same contract tests as the real ones.

Invariant: whatever a contract test asserts, holds here too; where the real one reads the database's
clock, these read one that a test may turn.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from msgspec.structs import replace

from application.ports import (
    Accepted,
    Claim,
    Conflict,
    Diverged,
    DueStep,
    Effects,
    Groundless,
    LeaseLost,
    LedgerEntry,
    Metadata,
    Receipt,
    ReceiptExists,
    TaskUpdate,
    Unread,
    Unreadable,
    Why,
)
from domain.errors import NotFound
from domain.events import FeatureEvent
from domain.pipeline import AGENT_OF
from domain.recorded import Recorded
from domain.status import Agent

OPEN = ("queued", "running")
RECEIPT_LIFE = timedelta(hours=24)


class Clock:
    """A clock that moves a millisecond with each look, and as far as a test turns it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


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


class MemoryLog:
    """The log, forgotten with the process; its tasks and receipts share each append."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        tasks: MemoryTasks | None = None,
        receipts: MemoryReceipts | None = None,
    ) -> None:
        self.events: list[Recorded] = []
        """All of them, in the order of their positions."""
        self.removals: list[tuple[UUID, UUID]] = []
        self.unread: dict[tuple[UUID, int], Why] = {}
        """Events that cannot be read, by feature and version."""
        self._clock = clock
        self._tasks = tasks or MemoryTasks(clock)
        self._receipts = receipts or MemoryReceipts(clock)
        self._destroyed: set[UUID] = set()

    async def read(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        after: int = 0,
        upto: int | None = None,
        head: bytes | None = None,
    ) -> Sequence[Recorded]:
        if upto is not None and upto <= after:
            return ()
        if head is not None and not self._holds(tenant_id, feature_id, after, head):
            raise Diverged
        found = [
            event
            for event in self._stream(tenant_id, feature_id)
            if event.version > after and (upto is None or event.version <= upto)
        ]
        return self._readable(found)

    async def at(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        stream = self._stream(tenant_id, feature_id)
        found = self._readable([event for event in stream if event.version in versions])
        return {event.version: event for event in found}

    async def entries(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        after: int = 0,
        upto: int | None = None,
        versions: Collection[int] | None = None,
    ) -> Sequence[Recorded | Unread]:
        stream = self._stream(tenant_id, feature_id)
        wanted = [
            event
            for event in stream
            if event.version > after
            and (upto is None or event.version <= upto)
            and (versions is None or event.version in versions)
        ]
        if any(e.feature_id in self._destroyed and e.event.personal for e in wanted):
            raise NotFound
        return [self._entry(event) for event in wanted]

    def _entry(self, event: Recorded) -> Recorded | Unread:
        why = self.unread.get((event.feature_id, event.version))
        if why is None:
            return event
        fields = {name: getattr(event, name) for name in Unread.__struct_fields__ if name != "why"}
        return Unread(**fields, why=why)

    async def append(
        self,
        feature_id: UUID,
        events: Sequence[tuple[UUID, FeatureEvent]],
        *,
        expected: int,
        origin: Metadata,
        effects: Effects = Effects(),
        head: bytes | None = None,
    ) -> Sequence[Recorded]:
        stream = self._stream(origin.tenant_id, feature_id)
        stored = stream[expected : expected + len(events)]
        if events and [event.event_id for event in stored] == [new_id for new_id, _ in events]:
            return stored
        if not self._grounded(feature_id, origin, effects):
            raise Groundless
        receipt = effects.receipt
        if receipt and self._receipts.has(origin.tenant_id, receipt):
            raise ReceiptExists
        if len(stream) != expected or self._taken(feature_id, origin.tenant_id, events):
            raise Conflict
        if head is not None and stream and stream[-1].hash != head:
            raise Conflict
        task = effects.task
        if task and not self._tasks.holds(task.task_id, task.fencing_token):
            raise LeaseLost
        if effects.forked_from and effects.forked_from[0] in self._destroyed:
            raise Conflict
        recorded = self._record(feature_id, events, stream, origin)
        self.events += recorded
        if receipt and effects.accepted:
            self._receipts.keep(origin.tenant_id, receipt, effects.accepted)
        if task:
            self._tasks.apply(task)
        if effects.cancel_tasks:
            self._tasks.cancel(feature_id)
        self._tasks.add(effects.due)
        if effects.destroy_key:
            self._destroyed.add(feature_id)
            self.removals.append((origin.tenant_id, feature_id))
        return recorded

    def set_back(self, events: int) -> None:
        """Lose all but the first events, as a failover or a restore does; tasks follow them."""
        held = {event.event_id for event in self.events[:events]}
        self.events = self.events[:events]
        self._tasks.set_back(held)

    def _holds(self, tenant_id: UUID, feature_id: UUID, version: int, head: bytes) -> bool:
        stream = self._stream(tenant_id, feature_id)
        return version == 0 or (len(stream) >= version and stream[version - 1].hash == head)

    def _grounded(self, feature_id: UUID, origin: Metadata, effects: Effects) -> bool:
        answered = effects.answers is None or any(
            (event.event_id, event.tenant_id) == (effects.answers, origin.tenant_id)
            for event in self.events
        )
        if effects.rests_on is None:
            return answered
        return answered and self._holds(origin.tenant_id, feature_id, *effects.rests_on)

    def _stream(self, tenant_id: UUID, feature_id: UUID) -> list[Recorded]:
        return [e for e in self.events if (e.tenant_id, e.feature_id) == (tenant_id, feature_id)]

    def _taken(
        self, feature_id: UUID, tenant_id: UUID, events: Sequence[tuple[UUID, FeatureEvent]]
    ) -> bool:
        new = {event_id for event_id, _ in events}
        return any(
            event.event_id in new
            or (event.feature_id == feature_id and event.tenant_id != tenant_id)
            for event in self.events
        )

    def _readable(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        if any(event.feature_id in self._destroyed and event.event.personal for event in events):
            raise NotFound
        for event in events:
            if (why := self.unread.get((event.feature_id, event.version))) is not None:
                raise Unreadable(f"Event {event.version} ({event.type})", why)
        return events

    def _record(
        self,
        feature_id: UUID,
        events: Sequence[tuple[UUID, FeatureEvent]],
        stream: Sequence[Recorded],
        origin: Metadata,
    ) -> list[Recorded]:
        recorded: list[Recorded] = []
        previous_hash = stream[-1].hash if stream else b""
        now = self._clock()
        for number, (event_id, event) in enumerate(events, start=1):
            head = sha256(previous_hash + event_id.bytes).digest()
            recorded.append(
                Recorded(
                    position=len(self.events) + number,
                    tenant_id=origin.tenant_id,
                    feature_id=feature_id,
                    version=len(stream) + number,
                    event_id=event_id,
                    type=str(type(event).__struct_config__.tag),
                    schema_version=event.schema_version,
                    event=event,
                    actor=origin.actor,
                    correlation_id=origin.correlation_id,
                    causation_id=origin.causation_id,
                    recorded_at=now,
                    hash=head,
                    previous_hash=previous_hash,
                )
            )
            previous_hash = head
        return recorded


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
