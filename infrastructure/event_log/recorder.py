"""The library's recorder on our schema: one call appends a whole batch, one call reads a stream.

Invariant: an append whose answer was lost is asked again under the same event ids, which the
database answers with what is stored; so a batch is never stored twice, nor reported lost in error.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import (
    ApplicationRecorder,
    Notification,
    StoredEvent,
    Subscription,
)
from psycopg_pool import ConnectionPool
from typing_extensions import override

from application.ports import Diverged
from infrastructure.event_log.stored import (
    Append,
    AppendOutcome,
    Leases,
    Recording,
    StoredFeatureEvent,
    StoredStamp,
    StreamId,
)
from infrastructure.postgres.database import (
    ANSWER_SECONDS,
    READ_SECONDS,
    BoundedConnection,
    Trust,
    admit,
    bears_another_try,
    is_connection_dead,
    is_session_at_fault,
    unavailable,
)
from infrastructure.queue.tasks import MAX_ATTEMPTS

R = TypeVar("R")

APPEND: Final = (
    "SELECT a.item, a.outcome, a.position, a.version, a.event_id, a.recorded_at, a.previous_hash,"
    " a.hash"
    " FROM unnest(%s::text[], %s::text[]) AS asked (tenant, items)"
    " CROSS JOIN LATERAL (SELECT set_config('bp.tenant', asked.tenant, true) OFFSET 0) AS b (bound)"
    " CROSS JOIN LATERAL es.append_batch("
    "CASE WHEN b.bound = asked.tenant THEN asked.items END, %b, %b) AS a"
)
"""A batch, in one statement that is one transaction: for each tenant of it the transaction is bound
to that tenant, and only then are its items appended. The call depends on what the binding gave, so
that no plan can turn them round. Tenants come in order, and the streams of each are locked in
theirs: two batches cannot deadlock."""
APPEND_AND_HAND_OVER: Final = (
    "SELECT a.item, a.outcome, a.position, a.version, a.event_id, a.recorded_at, a.previous_hash,"
    " a.hash, a.task_id, a.fence"
    " FROM app.append_and_hand_over(%s::text[], %s::text[], %b, %b, %s::uuid[], %s, %s, %s) a"
)
"""The same for a worker, which is leased tasks that the batch makes in the same transaction."""
READ: Final = (
    "SELECT version, event_id, type, schema_version, payload, sealed, key_id, position, key_alive,"
    " correlation_id, causation_id, actor, recorded_at, previous_hash, hash"
    " FROM es.read_stream(%s, %s, %s, %b::bytea, %s, %s, %s)"
)
LONGEST: Final = 2**31 - 1
DIVERGED: Final = "BP001"
"""How es.read_stream says that the log does not hold what the reader goes on from."""


class BatchItem(msgspec.Struct, omit_defaults=True):
    """An append as es.batch_item reads it; `first` counts from 1."""

    item: int
    tenant_id: UUID
    feature_id: UUID
    expected: int
    correlation_id: UUID
    actor: str
    first: int
    event_ids: list[UUID]
    types: list[str]
    schema_versions: list[int]
    causation_id: UUID | None = None
    key_id: UUID | None = None
    wrapped: bytes | None = None
    task_id: UUID | None = None
    fence: int | None = None
    task_then: str | None = None
    retry_after_seconds: float = 0.0
    task_error: str = ""
    cancel_tasks: bool = False
    due_tasks: list[UUID] | None = None
    due_steps: list[str] | None = None
    due_places: list[int] | None = None
    max_attempts: int | None = None
    destroy_key: bool = False
    receipt_key: str | None = None
    request_sha256: str | None = None
    accepted: msgspec.Raw | None = None
    forked_from: UUID | None = None
    forked_at_version: int | None = None
    head: bytes | None = None
    answers: UUID | None = None
    rests_at: int | None = None
    rests_hash: bytes | None = None


class FeatureRecorder(ApplicationRecorder):
    """Appends and reads features' streams. Safe for threads."""

    def __init__(self, pool: ConnectionPool[BoundedConnection], trust: Trust | None = None) -> None:
        """Take a pool that somebody else opens and closes, and what may be worked on."""
        self._pool = pool
        self._trust = trust
        self._encode = msgspec.json.Encoder().encode

    @override
    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        appends: Sequence[Append] = (),
        outcomes: list[AppendOutcome] | None = None,
        leases: Leases | None = None,
        **kwargs: Any,
    ) -> None:
        """Append a batch in one transaction; `outcomes` gets one answer for each item, in order.

        Of the tasks that it makes, those that `leases` names are leased to who asks there.

        Raises:
            Unavailable: the database does not answer; whether anything was appended is unknown.
            psycopg.Error: one of them spoils the batch; nothing was appended.
        """
        stored = cast("Sequence[StoredFeatureEvent]", stored_events)
        asked = self._asked(appends, stored)
        made = {due.task_id for append in appends for due in append.effects.due}
        wanted = [task_id for task_id in leases.wanted if task_id in made] if leases else []
        query, values = APPEND, tuple[Any, ...](asked)
        if leases and wanted:
            named = (wanted, leases.owner, leases.seconds, leases.per_tenant)
            query, values = APPEND_AND_HAND_OVER, (*asked, *named)
        with unavailable():
            rows = self._once_more(
                lambda c: c.execute(query, values, binary=True).fetchall(), ANSWER_SECONDS
            )
        if leases and wanted:
            leases.given.update({row[8]: row[9] for row in rows if row[0] is None})
            rows = [row[:8] for row in rows if row[0] is not None]
        if outcomes is not None:
            outcomes.extend(_outcomes(len(appends), rows))

    @override
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
        head: bytes | None = None,
    ) -> Sequence[StoredFeatureEvent]:
        """The stream's events in order, behind the one with the hash `head`, if it is given.

        Raises:
            Unavailable: the database does not answer.
            Diverged: the event at `gt` is not there, or has another hash.
        """
        span = (gt or 0, head, lte or LONGEST)
        found = self._select(originator_id, span, None, limit or LONGEST)
        return found[::-1] if desc else found

    def select_versions(
        self, originator_id: UUID | str, versions: Sequence[int]
    ) -> Sequence[StoredFeatureEvent]:
        """The stream's events at exactly these versions, in order. Raises Unavailable."""
        return self._select(originator_id, (0, None, LONGEST), list(versions), LONGEST)

    def _select(
        self,
        originator_id: UUID | str,
        span: tuple[int, bytes | None, int],
        versions: list[int] | None,
        limit: int,
    ) -> list[StoredFeatureEvent]:
        stream = cast("StreamId", originator_id)
        asked = (stream.tenant_id, stream, *span, versions, limit)
        try:
            with unavailable():
                rows = self._once_more(
                    lambda c: c.execute(READ, asked, binary=True).fetchall(), READ_SECONDS
                )
        except psycopg.Error as error:
            if error.sqlstate == DIVERGED:
                raise Diverged from None
            raise
        return [
            StoredFeatureEvent(
                originator_id=stream,
                originator_version=row[0],
                topic=row[2],
                state=row[4],
                event_id=row[1],
                schema_version=row[3],
                sealed=row[5],
                key_id=row[6],
                meta=Recording._make(row[7:]),
            )
            for row in rows
        ]

    def find_key(self, tenant_id: UUID, scope: str) -> tuple[UUID, bytes] | None:
        """A stored, wrapped data key. Raises Unavailable."""
        find = "SELECT key_id, wrapped FROM app.data_key(%s, %s)"
        with unavailable():
            return self._once_more(
                lambda c: c.execute(find, (tenant_id, scope)).fetchone(), READ_SECONDS
            )

    def _asked(
        self, appends: Sequence[Append], stored: Sequence[StoredFeatureEvent]
    ) -> tuple[list[str], list[str], list[bytes], list[bytes | None]]:
        by_tenant: dict[str, list[BatchItem]] = {}
        first = 0
        for number, append in enumerate(appends):
            events = stored[first : first + len(append.events)]
            asked = _batch_item(number, append, first + 1, events)
            by_tenant.setdefault(str(asked.tenant_id), []).append(asked)
            first += len(events)
        tenants = sorted(by_tenant)
        return (
            tenants,
            [self._encode(by_tenant[tenant]).decode() for tenant in tenants],
            [event.state for event in stored],
            [event.sealed for event in stored],
        )

    def _once_more(self, ask: Callable[[BoundedConnection], R], answer_seconds: float) -> R:
        """Ask; and ask again if the connection turns out to be dead, or the transaction a victim.

        Whether the first asking was committed is unknown then; whatever is asked here may be asked
        twice.
        """
        began = time.monotonic()
        try:
            with self._pool.connection() as connection:
                admit(connection, self._trust)
                connection.answer_seconds = answer_seconds
                return ask(connection)
        except psycopg.Error as error:
            if is_session_at_fault(error) or is_connection_dead(error):
                self._pool.drain()  # The idle ones are no better.
            if not bears_another_try(error, time.monotonic() - began):
                raise
        with self._pool.connection() as connection:
            admit(connection, self._trust)
            connection.answer_seconds = answer_seconds
            return ask(connection)

    @override
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Refuse: a writer sees one tenant's streams; followers have a reader of their own."""
        raise NotImplementedError("follow the log with LogReader")

    @override
    def max_notification_id(self) -> int | None:
        """Refuse, for the same reason."""
        raise NotImplementedError("follow the log with LogReader")

    @override
    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Refuse, for the same reason."""
        raise NotImplementedError("follow the log with LogReader")


def _batch_item(
    number: int, append: Append, first: int, events: Sequence[StoredFeatureEvent]
) -> BatchItem:
    effects = append.effects
    asked = BatchItem(
        item=number,
        tenant_id=append.origin.tenant_id,
        feature_id=append.feature_id,
        expected=append.expected,
        correlation_id=append.origin.correlation_id,
        causation_id=append.origin.causation_id,
        actor=append.origin.actor,
        first=first,
        event_ids=[event.event_id for event in events],
        types=[event.topic for event in events],
        schema_versions=[event.schema_version for event in events],
        key_id=append.key.key_id if append.key else None,
        wrapped=append.wrapped,
        cancel_tasks=effects.cancel_tasks,
        destroy_key=effects.destroy_key,
        head=append.head,
        answers=effects.answers,
    )
    if effects.rests_on:
        asked.rests_at, asked.rests_hash = effects.rests_on
    if effects.task:
        asked.task_id = effects.task.task_id
        asked.fence = effects.task.fencing_token
        asked.task_then = effects.task.then
        asked.retry_after_seconds = effects.task.retry_after_seconds
        asked.task_error = effects.task.error
    if effects.due:
        asked.due_tasks = [due.task_id for due in effects.due]
        asked.due_steps = [due.step.value for due in effects.due]
        asked.due_places = [due.version - append.expected for due in effects.due]
        asked.max_attempts = MAX_ATTEMPTS
    if effects.forked_from:
        asked.forked_from, asked.forked_at_version = effects.forked_from
    if effects.receipt:
        asked.receipt_key = effects.receipt.key
        asked.request_sha256 = effects.receipt.request_sha256
        asked.accepted = msgspec.Raw(msgspec.json.encode(effects.accepted))
    return asked


def _outcomes(count: int, rows: Sequence[tuple[Any, ...]]) -> list[AppendOutcome]:
    words = [""] * count
    written: list[list[StoredStamp]] = [[] for _ in range(count)]
    for row in rows:
        words[row[0]] = row[1]
        if row[2] is not None:
            written[row[0]].append(StoredStamp._make(row[2:]))
    return [AppendOutcome(word, tuple(rows)) for word, rows in zip(words, written, strict=True)]
