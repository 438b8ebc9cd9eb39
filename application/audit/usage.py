"""What was spent, by agent, model, feature and day, and how much on what does not count any more.

Invariant: everything that was ever paid for is in it, also what was spent on features that are
deleted; nothing is counted twice.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol, TypeAlias
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from application.agents.prices import PriceTable, known_tables
from application.audit.expense import Expense, Fate
from application.audit.recompute import Recomputation, Recomputed
from application.audit.waste import SpendingCause
from application.running.single_flight import SingleFlight
from application.running.turns import Turns
from domain.runs import UNPRICED, Tokens


class Spent(Struct, frozen=True):
    """A sum."""

    runs: int = 0
    """Attempts that used something."""
    tokens: Tokens = Tokens()
    cost_usd: Decimal = Decimal(0)
    superseded_usd: Decimal = Decimal(0)
    """How much of it went into what does not count now."""
    superseded_tokens: Tokens = Tokens()
    """The same in tokens."""
    unpriced_runs: int = 0
    """How many of the runs had a model without a known price: they are in no cost here."""


class Share(Struct, frozen=True):
    """A sum, and what it is of."""

    name: str
    """An agent, a model, a feature's id, or a day (`2026-11-22`)."""
    spent: Spent


class CauseShare(Struct, frozen=True):
    """A sum, and why it was paid."""

    name: SpendingCause
    spent: Spent


class PricesKnown(Struct, frozen=True):
    """A table that recorded tokens can be priced by."""

    version: str
    models: tuple[str, ...]
    """Those that it has a price for."""


class WhatIf(NamedTuple):
    """Other prices for what was recorded. No call is made, and nothing is written."""

    table: PriceTable
    model: str | None = None
    """Whose prices every token is taken at; None: each model's own."""


class FateShare(Struct, frozen=True):
    """A sum, and what became of it."""

    name: Fate
    spent: Spent


class Usage(Struct, frozen=True):
    """What was spent in a stretch of time. Each list adds up to the total."""

    total: Spent
    by_agent: tuple[Share, ...]
    """The dearest first, as are models and features."""
    by_model: tuple[Share, ...]
    by_feature: tuple[Share, ...]
    by_day: tuple[Share, ...]
    """In order, by UTC; days without expenses are left out."""
    by_fate: tuple[FateShare, ...]
    by_cause: tuple[CauseShare, ...] = ()
    """Why each token was paid, as things stand now."""
    titles: Mapping[UUID, str] = {}
    """What the features are called now; deleted ones are missing."""
    what_if: tuple[Recomputed, ...] = ()
    """What the same tokens would have cost, if that was asked: by table and model of the record."""
    tables: tuple[PricesKnown, ...] = ()
    """What may be asked for, oldest first."""


class Expenses(Protocol):
    """All that agents used, from the log."""

    def between(
        self, tenant_id: UUID, since: datetime | None, until: datetime | None
    ) -> AsyncIterator[Sequence[Expense]]:
        """Expenses recorded in [since, until), feature by feature, some hundred at a time.

        Raises Unavailable.
        """

    def of_feature(self, tenant_id: UUID, feature_id: UUID) -> AsyncIterator[Sequence[Expense]]:
        """All expenses of one feature. Raises Unavailable."""


class _Sum:
    """A sum under way. There are many expenses, so it adds in place."""

    __slots__ = ("cost", "lost", "runs", "unpriced", "used", "wasted")

    def __init__(self) -> None:
        self.runs = self.unpriced = 0
        self.used = [0, 0, 0, 0]
        self.wasted = Tokens()
        self.cost = self.lost = Decimal(0)

    def add(self, one: Expense) -> None:
        tokens, cost = one.run.tokens, one.run.cost_usd
        used = self.used
        used[0] += tokens.input
        used[1] += tokens.output
        used[2] += tokens.cache_read
        used[3] += tokens.cache_write
        self.runs += 1
        self.unpriced += one.prices == UNPRICED
        self.cost += cost
        if one.fate is not Fate.COUNTS:
            self.lost += cost
            self.wasted += tokens

    def spent(self) -> Spent:
        used = Tokens(*self.used)
        return Spent(self.runs, used, self.cost, self.lost, self.wasted, self.unpriced)


_Sums: TypeAlias = defaultdict[str, _Sum]


class Tally:
    """Adds expenses up, one after the other; it grows with features and days, not with them."""

    def __init__(self, what_if: WhatIf | None = None) -> None:
        """Nothing is spent yet."""
        self._total = _Sum()
        self._agents: _Sums = defaultdict(_Sum)
        self._models: _Sums = defaultdict(_Sum)
        self._features: _Sums = defaultdict(_Sum)
        self._days: _Sums = defaultdict(_Sum)
        self._fates: _Sums = defaultdict(_Sum)
        self._causes: _Sums = defaultdict(_Sum)
        self._anew = Recomputation(what_if.table, what_if.model) if what_if else None

    def add(self, one: Expense) -> None:
        """Take in an expense."""
        self._causes[one.cause].add(one)
        if self._anew is not None:
            self._anew.add((one,))
        self._total.add(one)
        self._agents[one.agent].add(one)
        self._models[one.model].add(one)
        self._features[str(one.feature_id)].add(one)
        self._days[one.at.date().isoformat()].add(one)
        self._fates[one.fate].add(one)

    def usage(self) -> Usage:
        """All of it so far."""
        return Usage(
            total=self._total.spent(),
            by_agent=_dearest(self._agents),
            by_model=_dearest(self._models),
            by_feature=_dearest(self._features),
            by_day=tuple(Share(day, self._days[day].spent()) for day in sorted(self._days)),
            by_fate=tuple(FateShare(Fate(one.name), one.spent) for one in _dearest(self._fates)),
            by_cause=tuple(
                CauseShare(SpendingCause(one.name), one.spent) for one in _dearest(self._causes)
            ),
            what_if=self._anew.rows() if self._anew else (),
        )


class Usages:
    """Answers what was spent: each question once at a time, however many ask it."""

    def __init__(
        self, expenses: Expenses, turns: Turns, tables: Sequence[PriceTable] | None = None
    ) -> None:
        """Take what was spent, and the tables that it can be priced by; else the known ones."""
        self._expenses = expenses
        self._turns = turns
        self._tables = known_tables() if tables is None else tables
        self._asked: SingleFlight[Usage] = SingleFlight()

    def table(self, version: str | None) -> PriceTable | None:
        """The table of a version, or the one in force; None: there is no such table."""
        if version is None:
            return self._tables[-1]
        return next((table for table in self._tables if table.version == version), None)

    @property
    def versions(self) -> tuple[str, ...]:
        """The tables that may be asked for, oldest first."""
        return tuple(table.version for table in self._tables)

    async def of(
        self,
        tenant_id: UUID,
        since: datetime | None,
        until: datetime | None,
        what_if: WhatIf | None = None,
    ) -> Usage:
        """What was spent in [since, until). Raises Unavailable, Crowded."""

        async def work() -> Usage:
            found = self._expenses.between(tenant_id, since, until)
            return await self._add_up(tenant_id, found, what_if)

        return await self._asked.do((tenant_id, since, until, _named(what_if)), work)

    async def of_feature(
        self, tenant_id: UUID, feature_id: UUID, what_if: WhatIf | None = None
    ) -> Usage:
        """What was ever spent on a feature. Raises Unavailable, Crowded."""

        async def work() -> Usage:
            found = self._expenses.of_feature(tenant_id, feature_id)
            return await self._add_up(tenant_id, found, what_if)

        return await self._asked.do((tenant_id, feature_id, _named(what_if)), work)

    async def _add_up(
        self, tenant_id: UUID, expenses: AsyncIterator[Sequence[Expense]], what_if: WhatIf | None
    ) -> Usage:
        tally = Tally(what_if)
        async with self._turns.long(tenant_id):
            async for some in expenses:
                await self._turns.through(some, tally.add)
        known = tuple(
            PricesKnown(table.version, tuple(price.model for price in table.models))
            for table in self._tables
        )
        return replace(tally.usage(), tables=known)


def _named(what_if: WhatIf | None) -> tuple[str, str | None] | None:
    return what_if and (what_if.table.version, what_if.model)


def _dearest(sums: Mapping[str, _Sum]) -> tuple[Share, ...]:
    shares = [Share(str(name), each.spent()) for name, each in sums.items()]
    return tuple(sorted(shares, key=lambda share: (-share.spent.cost_usd, share.name)))
