"""What did agents do, and what did it cost? One row an attempt, whatever came of it.

An attempt stays `running` until a fact says otherwise; one that nobody waits for any more is
`discarded` at once, and what it used is added when its late answer is refused.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.feature import Feature
from domain.feature import evolve as live_on
from domain.lifecycle import APPROVED_AT, EDITED_AT
from domain.recorded import Recorded
from domain.runs import UNPRICED, Attempt, Run, Tokens
from domain.status import Agent, Step
from projections.projection import EVERY_ROW, NOTHING, Projection, Touched
from projections.spending import attempt_of, run_of


class Outcome(StrEnum):
    """What came of an attempt."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REUSED = "reused"
    FAILED = "failed"
    DISCARDED = "discarded"
    OUTCOME_UNKNOWN = "outcome_unknown"


class RunRow(Struct, frozen=True):
    """One attempt of one step."""

    id: UUID
    step: Step
    agent: Agent
    model: str
    prompt_sha256: str
    attempt: int
    """The attempt's number: 1 for the first try of this step in the feature's life."""
    epoch: int
    outcome: Outcome
    started_at: datetime
    version: int
    """Of the event that announced it."""
    tokens: Tokens = Tokens()
    cost_usd: Decimal = Decimal(0)
    priced: bool = True
    """Whether a price of the model was known; without one `cost_usd` is 0, and it was not free."""
    seconds: float = 0.0
    turns: int = 0
    error: str | None = None
    """A code, when there is no result."""
    ended_version: int | None = None
    """Of the event that says what came of it."""


def item_of(attempt: Attempt) -> str:
    """The row's item."""
    return f"{attempt.step}:{attempt.number:06d}"


def touched(fact: Recorded) -> Touched:
    """The attempt that the fact names; what may end other work touches whatever still runs."""
    if isinstance(fact.event, e.StepStarted):
        return Touched(item_of(fact.event.attempt))
    if isinstance(fact.event, ENDING):
        return EVERY_ROW
    attempt = attempt_of(fact.event)
    return Touched(others=(item_of(attempt),)) if attempt else NOTHING


ENDING = (
    e.FeatureRenamed,
    e.FeatureDeleted,
    e.BriefConfirmed,
    e.BriefRevised,
    *APPROVED_AT,
    e.RewriteRequested,
    *EDITED_AT,
    e.StepAbandoned,
    e.FeatureFailed,
    e.FeatureRetried,
    e.FeatureReplayed,
    e.WorkStopped,
)
"""Facts that may end attempts without naming them."""


def evolve(row: RunRow | None, fact: Recorded) -> RunRow | None:
    """The row after a fact."""
    event = fact.event
    if row is None:
        return _started(fact, event) if isinstance(event, e.StepStarted) else None
    if isinstance(event, e.FeatureDeleted):
        return None
    if attempt_of(event) not in {None, Attempt(row.step, row.epoch, row.attempt)}:
        return row
    match event:
        case e.AttemptFailed(run=used, code=code):
            unknown = code == Outcome.OUTCOME_UNKNOWN
            outcome = Outcome.OUTCOME_UNKNOWN if unknown else Outcome.FAILED
            return _ended(row, fact, outcome, used, code)
        case e.RunDiscarded(run=used, code=code):
            if row.outcome in ANSWERED:
                return _used(row, used)
            return _ended(row, fact, Outcome.DISCARDED, used, code)
        case e.FeatureFailed(step=row.step, code=code) | e.StepAbandoned(step=row.step, code=code):
            unknown = row.outcome is Outcome.RUNNING
            return _ended(row, fact, Outcome.OUTCOME_UNKNOWN, Run(), code) if unknown else row
        case _:
            run = run_of(event)
            if run is None:
                return _overtaken(row, fact)
            reused = getattr(event, "reused_from", None) is not None
            return _ended(row, fact, Outcome.REUSED if reused else Outcome.SUCCEEDED, run)


ANSWERED = frozenset({Outcome.SUCCEEDED, Outcome.REUSED})

SUPERSEDED = "superseded"
"""The code of an attempt that nobody waits for any more."""


def _started(fact: Recorded, event: e.StepStarted) -> RunRow:
    attempt, inputs = event.attempt, event.manifest
    return RunRow(
        id=uuid5(fact.feature_id, item_of(attempt)),
        step=attempt.step,
        agent=event.agent,
        model=inputs.model,
        prompt_sha256=inputs.prompt_sha256,
        attempt=attempt.number,
        epoch=attempt.epoch,
        outcome=Outcome.RUNNING,
        started_at=fact.recorded_at,
        version=fact.version,
        priced=inputs.prices != UNPRICED,
    )


def _overtaken(row: RunRow, fact: Recorded) -> RunRow:
    """Discarded, if the domain waits for the attempt no longer."""
    if row.outcome is not Outcome.RUNNING:
        return row
    attempt = Attempt(row.step, row.epoch, row.attempt)
    alone = Feature(due={row.step: row.version}, running={row.step: attempt})
    if row.step in live_on(alone, fact.event).running:
        return row
    return _ended(row, fact, Outcome.DISCARDED, Run(), SUPERSEDED)


def _ended(
    row: RunRow, fact: Recorded, outcome: Outcome, run: Run, error: str | None = None
) -> RunRow:
    used = _used(row, run)
    return replace(used, outcome=outcome, error=error, ended_version=fact.version)


def _used(row: RunRow, run: Run) -> RunRow:
    return replace(
        row,
        tokens=row.tokens + run.tokens,
        cost_usd=row.cost_usd + run.cost_usd,
        seconds=row.seconds + run.seconds,
        turns=row.turns + run.turns,
    )


RUN = Projection("run", RunRow, touched, evolve)
