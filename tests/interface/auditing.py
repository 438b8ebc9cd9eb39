"""The ports of audit over a log in memory; the real ones have tests of their own."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from application.audit.events import (
    PROBLEMS,
    VERDICT,
    AuditEntry,
    Causation,
    EventFilter,
    Found,
    SearchTerm,
    tree_of,
)
from application.audit.expense import Expense, Fate
from application.audit.past_runs import RecordedRun, RunTrace, recorded_runs
from application.audit.waste import Causes, clear_part_of
from domain import events as e
from domain.pipeline import AGENT_OF
from domain.recorded import Recorded
from domain.runs import Run, Tokens
from domain.status import Verdict
from projections.catalogue import PROJECTIONS
from projections.certificate import Certificate, compare, fold
from tests.stored import stored_as_it_would_be


def entry_of(one: Recorded) -> AuditEntry:
    return AuditEntry(
        one.position,
        one.feature_id,
        one.version,
        one.event_id,
        one.type,
        one.schema_version,
        one.actor,
        one.recorded_at,
        one.correlation_id,
        one.causation_id,
        one.hash.hex(),
    )


def matches(one: Recorded, wanted: EventFilter) -> bool:
    event = one.event
    failed = isinstance(event, e.VerdictReached) and event.verdict is not Verdict.PASS
    assert not failed or one.type == VERDICT
    return (
        (not wanted.types or one.type in wanted.types)
        and one.type not in wanted.not_types
        and (wanted.actor is None or wanted.actor in (one.actor, one.actor.partition(":")[0]))
        and wanted.feature_id in (None, one.feature_id)
        and (wanted.since is None or one.recorded_at >= wanted.since)
        and (wanted.until is None or one.recorded_at < wanted.until)
        and (not wanted.problems or one.type in PROBLEMS or failed)
        and all(_said(one, word) for word in wanted.words)
    )


def _said(one: Recorded, word: SearchTerm) -> bool:
    kind = one.actor.partition(":")[0]
    return (
        one.type in word.types
        or word.text in one.type
        or word.text in one.actor
        or bool({one.actor, kind} & set(word.actors))
    )


class MemoryAudit:
    """The ports `AuditLog`, `Expenses`, `PastRuns` and `Certifier`."""

    def __init__(self, events: Callable[[], Sequence[Recorded]]) -> None:
        self._events = events

    def _of(self, tenant_id: UUID) -> list[Recorded]:
        return [one for one in self._events() if one.tenant_id == tenant_id]

    async def entries(
        self,
        tenant_id: UUID,
        wanted: EventFilter,
        *,
        beyond: int | None,
        limit: int,
        ascending: bool,
    ) -> Found:
        found = [entry_of(one) for one in self._of(tenant_id) if matches(one, wanted)]
        if beyond is not None:
            found = [
                f for f in found if (f.position > beyond if ascending else f.position < beyond)
            ]
        found = sorted(found, key=lambda f: f.position, reverse=not ascending)[:limit]
        return Found(found, {})

    async def titles(self, tenant_id: UUID, features: Collection[UUID]) -> Mapping[UUID, str]:
        told = [one for one in self._of(tenant_id) if one.feature_id in features]
        return {o.feature_id: o.event.title for o in told if hasattr(o.event, "title")}

    async def causation(
        self, tenant_id: UUID, feature_id: UUID, event_id: UUID
    ) -> Causation | None:
        stream = [one for one in self._of(tenant_id) if one.feature_id == feature_id]
        named = next((one for one in stream if one.event_id == event_id), None)
        if named is None:
            return None
        together = [entry_of(o) for o in stream if o.correlation_id == named.correlation_id]
        first = together[0]
        roots = tree_of(together, {})
        return Causation(first.correlation_id, first.actor, len(together), 0, Tokens(), roots)

    async def between(
        self, tenant_id: UUID, since: datetime | None, until: datetime | None
    ) -> AsyncIterator[Sequence[Expense]]:
        folds: defaultdict[UUID, Causes] = defaultdict(Causes)
        for one in self._of(tenant_id):
            folds[one.feature_id].add(one.version, type(one.event), clear_part_of(one.event))
        yield [
            Expense(
                one.feature_id,
                AGENT_OF[one.event.attempt.step],
                "model",
                one.recorded_at,
                one.event.run,
                Fate.COUNTS,
                cause=folds[one.feature_id].causes()[one.version],
            )
            for one in self._of(tenant_id)
            if hasattr(one.event, "run") and hasattr(one.event, "attempt")
            if (since is None or one.recorded_at >= since)
            if (until is None or one.recorded_at < until)
        ]

    async def of_feature(
        self, tenant_id: UUID, feature_id: UUID
    ) -> AsyncIterator[Sequence[Expense]]:
        async for some in self.between(tenant_id, None, None):
            yield [one for one in some if one.feature_id == feature_id]

    async def recent(self, tenant_id: UUID) -> Sequence[RecordedRun]:
        return recorded_runs(trace_of(one) for one in self._of(tenant_id))

    async def certify(self, tenant_id: UUID, feature_id: UUID) -> Certificate | None:
        stream = [one for one in self._of(tenant_id) if one.feature_id == feature_id]
        if not stream:
            return None
        tables = fold(stream)
        compared = tuple(
            compare(p.name, stream[-1].position, tables[p.name], tables[p.name])
            for p in PROJECTIONS
        )
        head = stored_as_it_would_be(stream)[-1].hash.hex()
        return Certificate(feature_id, True, len(stream), head, compared)  # noqa: FBT003


def trace_of(one: Recorded) -> RunTrace:
    """What an event says in clear about work."""
    event = one.event
    return RunTrace(
        one.feature_id,
        one.version,
        type(event),
        getattr(event, "attempt", None),
        getattr(event, "run", Run()),
        event.manifest.model if isinstance(event, e.StepStarted) else "",
        event.part if isinstance(event, e.PartCarried) else None,
    )
