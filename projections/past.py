"""What a feature was at an earlier version: the same rows, folded from fewer facts.

Invariant: nothing is folded here that the read models do not fold; there is one `evolve` for each.
"""

from collections.abc import Iterable

from msgspec import Struct

from projections.fact import Fact
from projections.feature import FEATURE, FeatureRow
from projections.message import MESSAGE, MessageRow
from projections.projection import Rows, apply
from projections.run import RUN, RunRow


class Past(Struct, frozen=True):
    """A feature's rows as they were after the last of the given facts."""

    feature: FeatureRow
    messages: tuple[MessageRow, ...]
    """The conversation that was visible then, oldest first."""
    runs: tuple[RunRow, ...]
    """Every run that was announced by then, oldest first, with what had come of it."""


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
