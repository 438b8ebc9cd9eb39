"""What is being worked on right now? One row a feature, with the steps that wait or run.

The steps are the domain's own account of them. A row without steps stays, and is not shown: it
remembers that the feature has a title, which decides whether the title agent has work.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from domain import events as e
from domain.feature import Feature
from domain.feature import evolve as live_on
from domain.pipeline import AGENT_OF
from domain.runs import Attempt
from domain.status import Agent, Step
from projections.fact import Fact
from projections.projection import NOTHING, THE_ROW, Projection, Touched


class Work(Struct, frozen=True):
    """A step that waits for a worker, or runs."""

    step: Step
    agent: Agent
    due_since: int
    """Version of the event that made it due."""
    since: datetime
    """When the present attempt began; while none runs, when it began to wait."""
    attempt: Attempt | None = None
    """The attempt that runs; None while it waits."""


class InProgressRow(Struct, frozen=True):
    """A feature's steps under way."""

    id: UUID
    """The feature's."""
    titled: bool = False
    steps: tuple[Work, ...] = ()
    """In the order in which they fell due."""


IDLE = (e.RunDiscarded, e.VerdictReached)
"""Facts that neither begin nor end any work."""


def touched(fact: Fact) -> Touched:
    """The feature's row, but for facts that are not about work."""
    return NOTHING if isinstance(fact.event, IDLE) else THE_ROW


def evolve(row: InProgressRow | None, fact: Fact) -> InProgressRow | None:
    """The row after a fact."""
    event = fact.event
    if row is None:
        if not isinstance(event, e.FeatureCreated | e.FeatureForked):
            return None
        row = InProgressRow(fact.feature_id)
    if isinstance(event, e.FeatureDeleted):
        return None
    after = live_on(_state(row, fact), event)
    before = {work.step: work for work in row.steps}
    steps = tuple(
        _work(before.get(step), step, due_since, after.running.get(step), fact.recorded_at)
        for step, due_since in after.due.items()
    )
    if steps == row.steps and after.titled == row.titled:
        return row
    return InProgressRow(row.id, after.titled, steps)


def _state(row: InProgressRow, fact: Fact) -> Feature:
    return Feature(
        version=fact.version - 1,
        due={work.step: work.due_since for work in row.steps},
        running={work.step: work.attempt for work in row.steps if work.attempt},
        titled=row.titled,
    )


def _work(
    before: Work | None, step: Step, due_since: int, attempt: Attempt | None, now: datetime
) -> Work:
    if before and before.due_since == due_since and before.attempt == attempt:
        return before
    return Work(step, AGENT_OF[step], due_since, now, attempt)


IN_PROGRESS = Projection("in_progress", InProgressRow, touched, evolve)
