"""A page of the log, folded into rows in memory.

Invariant: for each projection a feature's events are applied in order and without a gap; the first
that cannot be applied parks the feature there, and the others go on. So does a row that cannot be
read, and one that the database refuses.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

import structlog
from msgspec import Struct

from application.ports import Why
from domain.events import FeatureDeleted
from domain.recorded import Recorded
from projections.projection import NOTHING, Projection, Rows, apply

log = structlog.get_logger(__name__)

RowsOf: TypeAlias = dict[str, dict[UUID, Rows]]
"""Rows by projection and feature."""


class Spoilt:
    """Stands for a stored row that cannot be read: a newer version wrote it, or it is damaged."""


SPOILT: Final = Spoilt()


class UnreadablePosition(Struct, frozen=True):
    """An event that this program cannot read: an unknown tag, or bytes that are no such event."""

    position: int
    tenant_id: UUID
    feature_id: UUID
    version: int
    error: str
    """What is wrong with it, without its content."""
    why: Why = Why.NEWER


Entry: TypeAlias = Recorded | UnreadablePosition
"""What a page of the log consists of. Sealed events of deleted features are already left out."""


class RowChange(Struct, frozen=True):
    """A row after a batch; None is no row."""

    projection: str
    tenant_id: UUID
    feature_id: UUID
    item: str
    version: int
    """Of the last event that changed it."""
    row: Any


class Parked(Struct, frozen=True):
    """The first event of a feature that a projection could not apply."""

    projection: str
    tenant_id: UUID
    feature_id: UUID
    version: int
    error: str


class Batch:
    """Rows under the events of one page, or several."""

    def __init__(
        self,
        projections: Iterable[Projection[Any]],
        rows: RowsOf,
        parked: Iterable[tuple[str, UUID]] = (),
        *,
        quiet: bool = False,
    ) -> None:
        """Begin with current rows.

        Args:
            projections: What to fold.
            rows: All rows of every feature that an event touches; changed in place.
            parked: Features that wait elsewhere, by projection: their events are passed over.
            quiet: Say nothing of what parks: it waits already.
        """
        self.parked: list[Parked] = []
        self.released: list[tuple[str, UUID]] = []
        """Parked features that were deleted: nobody waits for them any more."""
        self.reached: dict[UUID, tuple[UUID, int, int]] = {}
        """Each feature's tenant, and the last version and position that was applied."""
        self._quiet = quiet
        self._projections = tuple(projections)
        self._rows = rows
        self.waiting = set(parked)
        """Features that are passed over, by projection."""
        self._changes: dict[tuple[str, UUID, str], RowChange] = {}
        self._first: dict[UUID, Entry] = {}
        """The first event of each feature."""

    def add(self, entries: Iterable[Entry]) -> None:
        """Fold events that stand in the order of the log."""
        # No row belongs to two features: their order among each other does not matter.
        for feature_id, lived in by_feature(entries).items():
            self._first.setdefault(feature_id, lived[0])
            gone = _deletion(lived)
            for projection in self._projections:
                if (projection.name, feature_id) not in self.waiting:
                    self._apply(projection, feature_id, lived)
                if gone and (projection.name, feature_id) in self.waiting:
                    self._remove(projection.name, gone)

    def changes(self) -> Iterable[RowChange]:
        """The last state of every row that changed."""
        return self._changes.values()

    def _apply(self, projection: Projection[Any], feature_id: UUID, lived: Sequence[Entry]) -> None:
        name = projection.name
        rows = self._rows.setdefault(name, {}).setdefault(feature_id, {})
        if SPOILT in rows.values():
            self._park(name, lived[0], f"{Spoilt.__name__}: its row cannot be read here")
            return
        latest: dict[str, tuple[Recorded, Any]] = {}
        reached = None
        for entry in lived:
            if isinstance(entry, UnreadablePosition):
                self._park(name, entry, entry.error)
                break
            try:
                changed = apply(projection, rows, entry)
            except Exception as error:  # noqa: BLE001 - whatever it is, only this feature waits.
                self._park(name, entry, f"{type(error).__name__} at {type(entry.event).__name__}")
                break
            reached = entry
            for item, row in changed.items():
                latest[item] = (entry, row)
        for item, (fact, row) in latest.items():
            self._changes[name, feature_id, item] = RowChange(
                name, fact.tenant_id, feature_id, item, fact.version, row
            )
        if reached is not None:
            self.reached[feature_id] = (reached.tenant_id, reached.version, reached.position)

    def refuse(self, name: str, feature_id: UUID, error: str) -> None:
        """Park a feature whose rows the database does not take, before its first event here."""
        for key in [key for key in self._changes if key[:2] == (name, feature_id)]:
            del self._changes[key]
        self._park(name, self._first[feature_id], error)

    def _remove(self, name: str, gone: Recorded) -> None:
        """Remove the rows of a parked feature: what is deleted may not stay because of a defect."""
        feature_id = gone.feature_id
        rows = self._rows.setdefault(name, {}).setdefault(feature_id, {})
        for item in rows:
            self._changes[name, feature_id, item] = RowChange(
                name, gone.tenant_id, feature_id, item, gone.version, None
            )
        rows.clear()
        self.waiting.discard((name, feature_id))
        self.released.append((name, feature_id))
        self.parked = [p for p in self.parked if (p.projection, p.feature_id) != (name, feature_id)]

    def _park(self, name: str, entry: Entry, error: str) -> None:
        if (name, entry.feature_id) in self.waiting:
            return
        self.waiting.add((name, entry.feature_id))
        self.parked.append(Parked(name, entry.tenant_id, entry.feature_id, entry.version, error))
        if self._quiet:
            return
        log.error(
            "feature_parked",
            projection=name,
            feature_id=str(entry.feature_id),
            version=entry.version,
            position=entry.position,
            error=error,
        )


def _deletion(lived: Sequence[Entry]) -> Recorded | None:
    for entry in reversed(lived):
        if isinstance(entry, Recorded) and isinstance(entry.event, FeatureDeleted):
            return entry
    return None


def by_feature(entries: Iterable[Entry]) -> Mapping[UUID, list[Entry]]:
    """The events of each feature, in their order."""
    lives: dict[UUID, list[Entry]] = {}
    for entry in entries:
        lives.setdefault(entry.feature_id, []).append(entry)
    return lives


def begun_by(entries: Iterable[Entry]) -> frozenset[UUID]:
    """The features whose first event of all is among these."""
    return frozenset(entry.feature_id for entry in entries if entry.version == 1)


def touched_by(
    projections: Iterable[Projection[Any]], entries: Iterable[Entry]
) -> Mapping[str, dict[UUID, UUID]]:
    """The features whose rows a page may change, by projection, each with its tenant."""
    lives = by_feature(entries)
    return {
        projection.name: {
            feature_id: lived[0].tenant_id
            for feature_id, lived in lives.items()
            if any(isinstance(e, Recorded) and projection.touched(e) is not NOTHING for e in lived)
        }
        for projection in projections
    }
