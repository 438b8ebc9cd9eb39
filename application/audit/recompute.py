"""What recorded runs would cost under another table of prices.

Invariant: nothing is written. What was recorded stays as it was recorded; this is a sum beside it.
"""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from application.agents.prices import PriceTable
from application.audit.expense import Expense


class Recomputed(Struct, frozen=True):
    """Runs of one model that were recorded under one table."""

    recorded_under: str
    """Version of the table; `none` if that did not know the model; empty where the log does not say
    it."""
    model: str
    runs: int
    recorded_usd: Decimal
    under: str
    """Version of the table that they are computed by here."""
    as_model: str
    """The model whose prices they are computed at here."""
    least_usd: Decimal | None
    """None, and `most_usd` too, if the table does not know the model."""
    most_usd: Decimal | None
    """Above `least_usd` where the price depends on the length of each prompt, and the log holds
    only the sum of several."""


class Recomputation:
    """Adds up, one expense after the other; it grows with models and tables, not with runs."""

    def __init__(self, table: PriceTable, as_model: str | None = None) -> None:
        """Nothing is added yet; all is priced as of one model, if it is named."""
        self._table = table
        self._as = as_model
        self._rows: dict[tuple[str, str], Recomputed] = {}

    def add(self, expenses: Iterable[Expense]) -> None:
        """Take expenses in."""
        for one in expenses:
            key = (one.prices, one.model)
            self._rows[key] = self._with(self._rows.get(key) or self._empty(one), one)

    def rows(self) -> tuple[Recomputed, ...]:
        """All of it so far, by table and model."""
        return tuple(self._rows[key] for key in sorted(self._rows))

    def _empty(self, one: Expense) -> Recomputed:
        model = self._as or one.model
        nothing = None if self._table.of(model) is None else Decimal(0)
        return Recomputed(
            one.prices, one.model, 0, Decimal(0), self._table.version, model, nothing, nothing
        )

    def _with(self, row: Recomputed, one: Expense) -> Recomputed:
        between = self._table.between(one.run.tokens, row.as_model, one.run.turns)
        least, most = between or (None, None)
        return Recomputed(
            row.recorded_under,
            row.model,
            row.runs + 1,
            row.recorded_usd + one.run.cost_usd,
            row.under,
            row.as_model,
            None if least is None else (row.least_usd or Decimal(0)) + least,
            None if most is None else (row.most_usd or Decimal(0)) + most,
        )
