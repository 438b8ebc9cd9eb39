"""Rows in memory between two pages of the log.

Invariant: what is here is what was committed last; it holds as long as nobody else moves the
positions, and whoever finds that somebody did starts with an empty cache.
"""

from collections.abc import Collection, Mapping
from typing import Final, TypeAlias
from uuid import UUID

from application.running.recent import Recent
from infrastructure.read_models.fold import RowsOf
from infrastructure.read_models.views import Generations
from projections.projection import Rows

Kept: TypeAlias = Recent[UUID, Rows]

CACHED_FEATURES: Final = 1_000
"""Features whose rows are kept for their next event, in each projection."""


class Cache:
    """Rows of the features that were touched last."""

    def __init__(self, features: int = CACHED_FEATURES) -> None:
        self._features = features
        self._rows: dict[tuple[str, int], Kept] = {}

    def find(
        self, generations: Generations, wanted: Mapping[str, dict[UUID, UUID]]
    ) -> tuple[RowsOf, dict[str, dict[UUID, UUID]]]:
        """The wanted rows that are here, and the features whose rows are not."""
        here: RowsOf = {}
        missing: dict[str, dict[UUID, UUID]] = {}
        for name, features in wanted.items():
            kept = self._rows.get((name, generations.of[name]))
            found = {f: kept.find(f) for f in features} if kept else {}
            here[name] = {f: rows for f, rows in found.items() if rows is not None}
            missing[name] = {f: tenant for f, tenant in features.items() if f not in here[name]}
        return here, missing

    def keep(
        self, generations: Generations, rows: RowsOf, parked: Collection[tuple[str, UUID]]
    ) -> None:
        """Keep rows that were committed; a parked feature's may change behind our back."""
        for name, features in rows.items():
            kept = self._rows.setdefault((name, generations.of[name]), Recent(self._features))
            for feature_id, items in features.items():
                if (name, feature_id) in parked:
                    kept.forget(feature_id)
                else:
                    kept.keep(feature_id, items)

    def clear(self) -> None:
        """Forget everything."""
        self._rows.clear()
