"""The log, in memory."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from application.ports import (
    Conflict,
    Diverged,
    Effects,
    Groundless,
    LeaseLost,
    Metadata,
    ReceiptExists,
    Unread,
    Unreadable,
    Why,
)
from domain.errors import NotFound
from domain.events import FeatureEvent
from domain.recorded import Recorded
from tests.fakes.receipts import MemoryReceipts
from tests.fakes.tasks import MemoryTasks


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
            last = recorded[-1].event_id if recorded else None
            self._receipts.keep(origin.tenant_id, receipt, effects.accepted, last)
        if task:
            self._tasks.apply(task)
        if effects.cancel_tasks:
            self._tasks.cancel(feature_id)
        self._tasks.add(effects.due)
        if effects.destroy_key:
            self._destroyed.add(feature_id)
            self.removals.append((origin.tenant_id, feature_id))
        return recorded

    def lives(self, tenant_id: UUID, feature_id: UUID) -> bool:
        """Whether the feature began, and its key was not destroyed."""
        return feature_id not in self._destroyed and bool(self._stream(tenant_id, feature_id))

    def set_back(self, events: int) -> None:
        """Lose all but the first events, as a restore does; tasks and receipts follow."""
        held = {event.event_id for event in self.events[:events]}
        self.events = self.events[:events]
        self._tasks.set_back(held)
        self._receipts.set_back(held)

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
