"""What was spent, by agent, model, feature and day, and how much on what does not count any more.

Invariant: everything that was ever paid for is in it, also what was spent on features that are
deleted; nothing is counted twice.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypeAlias
from uuid import UUID

from msgspec import Struct

from application.running.single_flight import SingleFlight
from application.running.turns import Turns
from domain.runs import UNPRICED, Run, Tokens


class Fate(StrEnum):
    """What became of what an attempt brought."""

    COUNTS = "counts"
    """It is part of what stands now."""
    FAILED = "failed"
    """The attempt brought no result."""
    DISCARDED = "discarded"
    """The answer came too late."""
    OURS = "ours"
    """A restart or a loss of ours cut it off; another attempt went on."""
    REPLACED = "replaced"
    """A revision, a retry or a replay put something else in its place."""
    DELETED = "deleted"
    """Its feature was deleted."""
    UNREAD = "unread"
    """A newer version of this program wrote it: what it used is counted once that runs here."""


class Expense(Struct, frozen=True):
    """What one attempt used."""

    feature_id: UUID
    agent: str
    model: str
    at: datetime
    """When it was recorded."""
    run: Run
    fate: Fate
    prices: str = ""
    """Version of the table that it was priced by; `UNPRICED` if that did not know the model; empty
    where the log does not say it."""


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
    titles: Mapping[UUID, str] = {}
    """What the features are called now; deleted ones are missing."""


class Expenses(Protocol):
    """All that agents used, from the log."""

    def between(
        self, tenant_id: UUID, since: datetime | None, until: datetime | None
    ) -> AsyncIterator[Sequence[Expense]]:
        """Expenses recorded in [since, until), feature by feature, some hundred at a time.

        Raises Unavailable.
        """


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

    def __init__(self) -> None:
        """Nothing is spent yet."""
        self._total = _Sum()
        self._agents: _Sums = defaultdict(_Sum)
        self._models: _Sums = defaultdict(_Sum)
        self._features: _Sums = defaultdict(_Sum)
        self._days: _Sums = defaultdict(_Sum)
        self._fates: _Sums = defaultdict(_Sum)

    def add(self, one: Expense) -> None:
        """Take in an expense."""
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
        )


class Usages:
    """Answers what was spent: each question once at a time, however many ask it."""

    def __init__(self, expenses: Expenses, turns: Turns) -> None:
        self._expenses = expenses
        self._turns = turns
        self._asked: SingleFlight[Usage] = SingleFlight()

    async def of(self, tenant_id: UUID, since: datetime | None, until: datetime | None) -> Usage:
        """What was spent in [since, until). Raises Unavailable, Crowded."""
        question = (tenant_id, since, until)
        return await self._asked.do(question, lambda: self._add_up(*question))

    async def _add_up(
        self, tenant_id: UUID, since: datetime | None, until: datetime | None
    ) -> Usage:
        tally = Tally()
        async with self._turns.long(tenant_id):
            async for some in self._expenses.between(tenant_id, since, until):
                await self._turns.through(some, tally.add)
        return tally.usage()


def _dearest(sums: Mapping[str, _Sum]) -> tuple[Share, ...]:
    shares = [Share(str(name), each.spent()) for name, each in sums.items()]
    return tuple(sorted(shares, key=lambda share: (-share.spent.cost_usd, share.name)))
