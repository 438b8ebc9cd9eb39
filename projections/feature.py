"""What is this feature, what has it made, and where can it go back to? One row a feature.

The row keeps the domain's own state, folded by the domain's own `evolve`: so what a screen shows
after a replay is what the decider decides on, and the two can never disagree. Beside it stands
a mark for each version that made something: who, when, how much.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.content import Approval, Deliverable, Review, Span
from domain.events import tag_of
from domain.feature import Feature
from domain.feature import evolve as live_on
from domain.lifecycle import EDITED_AT, GATE_STATUS, WRITTEN_AT, actions_at
from domain.pipeline import REVIEWS
from domain.recorded import Recorded
from domain.runs import Attempt, Tokens
from domain.status import Gate, Recommendation, Status, Step, Verdict
from projections.breadcrumb import Crumb, breadcrumb
from projections.failure import Failure, failure_of
from projections.forked_from import ForkedFrom, origin_of
from projections.projection import THE_ROW, Projection
from projections.spending import run_of


class Mark(Struct, frozen=True, array_like=True):
    """A version that made something: a checkpoint, or the result of a run."""

    version: int
    event: str
    """The event's tag in the log."""
    status: Status
    at: datetime
    by: str
    cost_usd: Decimal
    """What its own run cost."""
    spent_usd: Decimal
    """What the feature had cost in all, up to here."""
    checkpoint: bool


class WrittenPart(Struct, frozen=True):
    """A deliverable, review or approval. Its words stand in the event at `version`."""

    content_sha256: str
    version: int
    by: str
    at: datetime
    verdict: Verdict | None = None
    """Of a review, as code computed it."""


class Pause(Struct, frozen=True):
    """Until when a step waits for its next attempt. Why stands in the event at `version`."""

    version: int
    until: datetime


class Deliverables(Struct, frozen=True):
    """What was written so far; None is not written yet."""

    brief: WrittenPart | None = None
    spec: WrittenPart | None = None
    plan: WrittenPart | None = None
    tests: WrittenPart | None = None
    security_review: WrittenPart | None = None
    code_review: WrittenPart | None = None


class Recommended(Struct, frozen=True):
    """What the reviewer advises at the gate where the feature stands; reasons by version."""

    gate: Gate
    verdict: Recommendation
    version: int


class Checkpoint(Struct, frozen=True):
    """A place to go back to."""

    version: int
    event: str
    status: Status
    at: datetime
    by: str
    cost_usd_since: Decimal
    """What was spent after it, whatever came of it."""


class FeatureRow(Struct, frozen=True):
    """Everything about one feature but its texts."""

    id: UUID
    title: str
    created_at: datetime
    updated_at: datetime
    state: Feature
    """What the decider sees, without its checkpoints, reusable results and words of reviews."""
    cost_usd: Decimal = Decimal(0)
    tokens: Tokens = Tokens()
    failure: Failure | None = None
    pauses: dict[Step, Pause] = {}
    """Steps whose last attempt brought nothing, and that are tried again by themselves."""
    marks: tuple[Mark, ...] = ()
    """In the order of their versions; nothing ever leaves."""
    forked_from: ForkedFrom | None = None

    @property
    def version(self) -> int:
        """The version of the last event in this row."""
        return self.state.version

    @property
    def epoch(self) -> int:
        """Raised when the user confirms, revises, retries or replays."""
        return self.state.epoch

    @property
    def status(self) -> Status:
        """Where it stands."""
        return self.state.status or Status.DRAFTING

    @property
    def actions(self) -> tuple[str, ...]:
        """What its owner may do now; whether something can be stopped is `can_stop`."""
        return actions_at(self.status, stopped=self.state.stopped is not None)

    @property
    def can_stop(self) -> bool:
        """Whether a step waits or runs. Not among `actions`: they follow from where it stands."""
        return bool(self.state.due)

    @property
    def breadcrumb(self) -> tuple[Crumb, ...]:
        """How far it has come."""
        return breadcrumb(self.status, self.failure.step if self.failure else None)

    @property
    def deliverables(self) -> Deliverables:
        """What was written, by hash and version."""
        content = self.state.content
        return Deliverables(
            self._written(content.brief),
            **{gate.value: self._written(content.deliverable(gate)) for gate in Gate},
            **{step.value: self._written(content.review(step)) for step in REVIEWS},
        )

    @property
    def approvals(self) -> dict[Gate, WrittenPart]:
        """The approvals that still count, by gate."""
        given = {gate: self._written(self.state.content.approval(gate)) for gate in Gate}
        return {gate: approval for gate, approval in given.items() if approval}

    @property
    def recommendation(self) -> Recommended | None:
        """The advice at the gate where it stands; None elsewhere, and until there is one."""
        advice = self.state.content.advice
        if advice is None or GATE_STATUS.get(self.status) is not advice.gate:
            return None
        return Recommended(advice.gate, advice.recommendation, advice.version)

    @property
    def awaiting(self) -> tuple[Gate, ...]:
        """The gates that a person is asked to approve now, in order; several in a fork only."""
        gate = GATE_STATUS.get(self.status)
        return self.state.content.awaiting(gate) if gate else ()

    @property
    def files_version(self) -> int | None:
        """The version whose event lists the generated files that count now."""
        made = self.state.content.implementation
        return made.version if made else None

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Every place to go back to, oldest first."""
        return tuple(
            Checkpoint(m.version, m.event, m.status, m.at, m.by, self.cost_usd - m.spent_usd)
            for m in self.marks
            if m.checkpoint
        )

    @property
    def superseded_cost_usd(self) -> Decimal:
        """What was spent on results that do not count: failed, late, revised or gone back from."""
        counting = self.counting
        spent = (mark.cost_usd for mark in self.marks if mark.version in counting)
        return self.cost_usd - sum(spent, Decimal(0))

    @property
    def due(self) -> dict[Step, int]:
        """The steps that wait or run, and the version that made them due."""
        return dict(self.state.due)

    @property
    def running(self) -> dict[Step, Attempt]:
        """The attempt of each step under way."""
        return dict(self.state.running)

    def shows(self, version: int) -> bool:
        """Whether a message recorded at `version` belongs to the visible conversation."""
        return self.state.content.shows(version)

    @property
    def counting(self) -> frozenset[int]:
        """The versions of results that are part of what stands now, or of a round that was done.

        What was delivered is no waste because it was changed afterwards.
        """
        content = self.state.content
        spans = [Span(content.brief.version if content.brief else 0, self.version)]
        for one in content.rounds:
            if one.status is Status.DONE:
                before = (m for m in reversed(self.marks) if m.version <= one.ended)
                brief = next((m.version for m in before if m.event in BRIEFS), 0)
                spans.append(Span(brief, one.ended))
        counts = {mark.version for mark in self.marks if self._counts(mark, spans)}
        return frozenset(counts - self._replaced())

    def _replaced(self) -> set[int]:
        """The results that a person had written anew, and advice on what they edited."""
        found: set[int] = set()
        since = 0
        for mark in self.marks:
            if not self.shows(mark.version):
                continue
            if mark.event in REPLACING:
                first = since if mark.event == REWRITE else since + 1
                found |= {
                    one.version
                    for one in self.marks
                    if first <= one.version < mark.version and one.event not in LASTING
                }
            if mark.event in WRITTEN:
                since = mark.version
        return found

    def _counts(self, mark: Mark, spans: Sequence[Span]) -> bool:
        if mark.event == TITLED:
            return True
        within = any(span.first < mark.version <= span.last for span in spans)
        return self.shows(mark.version) and (within or mark.event in LASTING)

    def _written(self, made: Deliverable | Review | Approval | None) -> WrittenPart | None:
        if made is None:
            return None
        mark = next((m for m in self.marks if m.version == made.version), None)
        if mark is None:
            return None
        verdict = made.verdict if isinstance(made, Review) else None
        return WrittenPart(made.content_sha256, made.version, mark.by, mark.at, verdict)


TITLED = tag_of(e.FeatureTitled)
BRIEFS = frozenset({tag_of(e.BriefConfirmed), tag_of(e.BriefRevised)})
REWRITE = tag_of(e.RewriteRequested)
WRITTEN = frozenset(map(tag_of, WRITTEN_AT))
REPLACING = frozenset({REWRITE, *map(tag_of, EDITED_AT)})
LASTING = frozenset({TITLED, tag_of(e.AgentReplied)})
"""Results that no revised brief replaces."""


def evolve(row: FeatureRow | None, fact: Recorded) -> FeatureRow | None:
    """The row after a fact."""
    event = fact.event
    if row is None:
        if not isinstance(event, e.FeatureCreated | e.FeatureForked):
            return None
        at, origin = fact.recorded_at, origin_of(event)
        row = FeatureRow(fact.feature_id, event.title, at, at, Feature(), forked_from=origin)
    if isinstance(event, e.FeatureDeleted):
        return None
    after = live_on(row.state, event)
    state = replace(after, checkpoints=(), recorded={}, found={})
    run = run_of(event)
    spent = row.cost_usd + run.cost_usd if run else row.cost_usd
    row = replace(
        row,
        title=event.title if isinstance(event, TITLES) else row.title,
        updated_at=fact.recorded_at,
        state=state,
        cost_usd=spent,
        tokens=row.tokens + run.tokens if run else row.tokens,
        failure=_failure(row, event, state),
        pauses=_pauses(row, fact, state),
    )
    if isinstance(event, e.PartCarried):
        mark = replace(_mark(row, fact, after), at=event.at, by=event.by)
        return replace(row, marks=(*row.marks, mark))
    made = run is not None and not isinstance(event, e.AttemptFailed | e.RunDiscarded)
    if not (made or after.checkpoints):
        return row
    return replace(row, marks=(*row.marks, _mark(row, fact, after)))


def _mark(row: FeatureRow, fact: Recorded, after: Feature) -> Mark:
    run = run_of(fact.event)
    return Mark(
        fact.version,
        tag_of(fact.event),
        row.status,
        fact.recorded_at,
        fact.actor,
        run.cost_usd if run else Decimal(0),
        row.cost_usd,
        checkpoint=bool(after.checkpoints),
    )


LONGEST_PAUSE: Final = 24 * 60 * 60.0
"""Seconds: nothing waits for longer before it is tried again, and every date can be told."""
TITLES = (e.FeatureRenamed, e.FeatureTitled)


def _pauses(row: FeatureRow, fact: Recorded, state: Feature) -> dict[Step, Pause]:
    pauses = {
        step: pause
        for step, pause in row.pauses.items()
        if step not in state.running and row.state.due.get(step) == state.due.get(step)
    }
    event = fact.event
    if isinstance(event, e.AttemptFailed) and event.retried and event.attempt.step in state.due:
        pause = min(max(event.retry_after_seconds, 0.0), LONGEST_PAUSE)
        until = fact.recorded_at + timedelta(seconds=pause)
        pauses[event.attempt.step] = Pause(fact.version, until)
    return pauses


def _failure(row: FeatureRow, event: e.FeatureEvent, state: Feature) -> Failure | None:
    if state.status is not Status.FAILED:
        return None
    return failure_of(event, state.version) or row.failure


FEATURE = Projection("feature", FeatureRow, lambda _: THE_ROW, evolve)
