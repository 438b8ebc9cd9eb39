"""What a feature was at an earlier version: the same rows, folded from fewer facts.

Invariant: nothing is folded here that the read models do not fold; there is one `evolve` for each.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct

from projections.fact import Fact
from projections.feature import FEATURE, FeatureRow
from projections.message import MESSAGE, MessageRow
from projections.projection import Rows, apply
from projections.run import RUN, RunRow

REMEMBERED: Final = 64
"""Versions that a process keeps; each is some kilobytes, of a very long life a megabyte."""


class Past(Struct, frozen=True):
    """A feature's rows as they were after the last of the given facts."""

    feature: FeatureRow
    messages: tuple[MessageRow, ...]
    """The conversation that was visible then, oldest first."""
    runs: tuple[RunRow, ...]
    """Every run that was announced by then, oldest first, with what had come of it."""


class Pasts:
    """Versions that were looked at lately: a past version never changes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, UUID, int], Past] = OrderedDict()

    def find(self, tenant_id: UUID, feature_id: UUID, version: int) -> Past | None:
        """The rows at a version, if they are remembered."""
        found = self._kept.get((tenant_id, feature_id, version))
        if found is not None:
            self._kept.move_to_end((tenant_id, feature_id, version))
        return found

    def keep(self, tenant_id: UUID, past: Past) -> None:
        """Remember the rows under their own feature and version."""
        self._kept[tenant_id, past.feature.id, past.feature.version] = past
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: the log was set back."""
        self._kept.clear()

    def forget(self, feature_id: UUID) -> None:
        """Forget what was deleted."""
        for key in [key for key in self._kept if key[1] == feature_id]:
            del self._kept[key]


def past_of(facts: Iterable[Fact]) -> Past | None:
    """The rows after these facts, which begin with the feature's first; None without a feature."""
    feature: Rows = {}
    messages: Rows = {}
    runs: Rows = {}
    for fact in facts:
        apply(FEATURE, feature, fact)
        apply(MESSAGE, messages, fact)
        apply(RUN, runs, fact)
    row = next(iter(feature.values()), None)
    if row is None:
        return None
    return Past(
        row,
        tuple(messages[item] for item in sorted(messages) if row.shows(messages[item].version)),
        tuple(sorted(runs.values(), key=lambda run: run.version)),
    )
