"""Read models as sentences: `given(story).shows(DASHBOARD, title="Tools")`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import events as e
from domain.recorded import Recorded
from projections.catalogue import PROJECTIONS
from projections.projection import Projection, Rows, apply
from tests.given import Story, recorded

TENANT = UUID(int=1)
FEATURE_ID = UUID(int=2)
USER = "user:00000000-0000-0000-0000-000000000003"
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def at(version: int) -> datetime:
    """When the event at a version was recorded: one second after the other."""
    return DAY + timedelta(seconds=version)


def actor_of(event: e.FeatureEvent) -> str:
    """Who causes such an event."""
    attempt = getattr(event, "attempt", None)
    return f"agent:{attempt.step}" if attempt else USER


def fact_of(event: e.FeatureEvent, version: int, feature_id: UUID = FEATURE_ID) -> Recorded:
    """An event as it would stand in the log."""
    return replace(
        recorded(event, version, actor_of(event), at(version)),
        tenant_id=TENANT,
        feature_id=feature_id,
    )


def facts_of(events: Iterable[e.FeatureEvent]) -> list[Recorded]:
    """A log, as read models see it."""
    return [fact_of(event, version) for version, event in enumerate(events, 1)]


def rows_after(projection: Projection[Any], facts: Iterable[Recorded]) -> Rows:
    """The rows of one feature, folded from zero."""
    rows: Rows = {}
    for fact in facts:
        apply(projection, rows, fact)
    return rows


def all_rows_after(facts: Sequence[Recorded]) -> dict[str, Rows]:
    """The rows of one feature in every projection."""
    return {projection.name: rows_after(projection, facts) for projection in PROJECTIONS}


class Given:
    """The part of a sentence after `given`."""

    def __init__(self, events: Sequence[e.FeatureEvent]) -> None:
        self._facts = facts_of(events)

    def shows(self, projection: Projection[Any], item: str = "", /, **expected: object) -> None:
        """A row has these values."""
        row = self.row(projection, item)
        assert row is not None, f"no row {item!r}"
        assert {name: getattr(row, name) for name in expected} == expected

    def shows_nothing(self, projection: Projection[Any]) -> None:
        """There is no row."""
        assert rows_after(projection, self._facts) == {}

    def row(self, projection: Projection[Any], item: str = "") -> Any:
        """A row, or None."""
        return rows_after(projection, self._facts).get(item)

    def rows(self, projection: Projection[Any]) -> list[Any]:
        """All rows, in the order of their items."""
        return [row for _, row in sorted(rows_after(projection, self._facts).items())]


def given(past: Story | Sequence[e.FeatureEvent]) -> Given:
    """Begin a sentence."""
    return Given(past.events if isinstance(past, Story) else past)
