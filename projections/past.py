"""What a feature was at an earlier version: the same rows, folded from fewer facts.

Invariant: nothing is folded here that the read models do not fold; there is one `evolve` for each.
"""

from msgspec import Struct

from domain.recorded import Recorded
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


class Looking:
    """Folds a feature's facts, beginning with its first, to what was to be seen after them."""

    def __init__(self) -> None:
        """Before the first fact."""
        self._feature: Rows = {}
        self._messages: Rows = {}
        self._runs: Rows = {}

    def add(self, fact: Recorded) -> None:
        """Take in the next fact."""
        apply(FEATURE, self._feature, fact)
        apply(MESSAGE, self._messages, fact)
        apply(RUN, self._runs, fact)

    def past(self) -> Past | None:
        """The rows after all facts so far; None without a feature."""
        row = next(iter(self._feature.values()), None)
        if row is None:
            return None
        said = (self._messages[item] for item in sorted(self._messages))
        return Past(
            row,
            tuple(message for message in said if row.shows(message.version)),
            tuple(sorted(self._runs.values(), key=lambda run: run.version)),
        )
