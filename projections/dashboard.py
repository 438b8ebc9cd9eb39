"""Which features have I got, and what do they wait for? One row a feature.

The row is what the list answers with, as it stands.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.lifecycle import GATES, WORKING, actions_at, target_of
from domain.recorded import Recorded
from domain.status import Part, Recommendation, Status
from projections.failure import failure_of
from projections.forked_from import ForkedFrom, origin_of
from projections.projection import THE_ROW, Projection
from projections.spending import run_of


class DashboardRow(Struct, frozen=True):
    """A feature at a glance."""

    id: UUID
    title: str
    status: Status
    actions: tuple[str, ...]
    """What its owner may do now, but for `stop`: only the feature itself says what is due."""
    version: int
    epoch: int
    created_at: datetime
    updated_at: datetime
    cost_usd: Decimal = Decimal(0)
    """All that was ever spent on it, in US dollars."""
    recommendation: Recommendation | None = None
    """What the reviewer advises at the gate where it stands."""
    failure: str | None = None
    """Code of what it failed of."""
    working_since: datetime | None = None
    """Since when agents have been at work without a person; None while it is a person's turn."""
    forked_from: ForkedFrom | None = None
    stopped: bool = False
    """Whether a person stopped the agents: nothing is paid for until work is resumed."""


def evolve(row: DashboardRow | None, fact: Recorded) -> DashboardRow | None:
    """The row after a fact."""
    event = fact.event
    if row is None:
        if isinstance(event, e.FeatureCreated | e.FeatureForked):
            return _created(fact, event)
        return None
    if isinstance(event, e.FeatureDeleted):
        return None
    row = replace(_changed(row, fact), version=fact.version, updated_at=fact.recorded_at)
    run = run_of(event)
    return replace(row, cost_usd=row.cost_usd + run.cost_usd) if run and run.cost_usd else row


def _created(fact: Recorded, event: e.FeatureCreated | e.FeatureForked) -> DashboardRow:
    at = fact.recorded_at
    return DashboardRow(
        id=fact.feature_id,
        title=event.title,
        status=Status.DRAFTING,
        actions=actions_at(Status.DRAFTING),
        version=fact.version,
        epoch=event.epoch if isinstance(event, e.FeatureForked) else 0,
        created_at=at,
        updated_at=at,
        forked_from=origin_of(event),
    )


def _changed(row: DashboardRow, fact: Recorded) -> DashboardRow:
    match fact.event:
        case e.FeatureRenamed(title=title) | e.FeatureTitled(title=title):
            return replace(row, title=title)
        case (
            e.RecommendationMade(recommendation=advised)
            | e.PartCarried(part=Part.ADVICE, event=e.RecommendationMade(recommendation=advised))
        ):
            return replace(row, recommendation=advised)
        case (
            e.BriefConfirmed(epoch=epoch)
            | e.BriefRevised(epoch=epoch)
            | e.FeatureRetried(epoch=epoch)
            | e.FeatureReplayed(epoch=epoch)
        ):
            return _moved(replace(row, epoch=epoch, working_since=None, stopped=False), fact)
        case e.WorkStopped(epoch=epoch):
            return _standing(replace(row, epoch=epoch, stopped=True, working_since=None), fact)
        case e.WorkResumed():
            return _standing(replace(row, stopped=False), fact)
        case _:
            return _moved(row, fact)


def _moved(row: DashboardRow, fact: Recorded) -> DashboardRow:
    event = fact.event
    status = target_of(event)
    if status is None:
        return row
    advice = event.restored.advice if isinstance(event, e.FeatureReplayed) else None
    failure = failure_of(event, fact.version)
    moved = replace(
        row,
        status=status,
        recommendation=advice.recommendation if advice and status in GATES else None,
        failure=failure.code if failure else None,
    )
    return _standing(moved, fact)


def _standing(row: DashboardRow, fact: Recorded) -> DashboardRow:
    """With what follows from the status, and from work being stopped."""
    works = row.status in WORKING and not row.stopped
    return replace(
        row,
        actions=actions_at(row.status, stopped=row.stopped),
        working_since=(row.working_since or fact.recorded_at) if works else None,
    )


DASHBOARD = Projection("dashboard", DashboardRow, lambda _: THE_ROW, evolve)
