"""What was spent, by agent, model, feature and day, and how much on what does not count any more.

Invariant: everything that was ever paid for is in it, also what was spent on features that are
deleted; nothing is counted twice.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from domain.runs import Run, Tokens


class Fate(StrEnum):
    """What became of what an attempt brought."""

    COUNTS = "counts"
    """It is part of what stands now."""
    FAILED = "failed"
    """The attempt brought no result."""
    DISCARDED = "discarded"
    """The answer came too late."""
    REPLACED = "replaced"
    """A revision, a retry or a replay put something else in its place."""
    DELETED = "deleted"
    """Its feature was deleted."""


class Expense(Struct, frozen=True):
    """What one attempt used."""

    feature_id: UUID
    agent: str
    model: str
    at: datetime
    """When it was recorded."""
    run: Run
    fate: Fate


class Spent(Struct, frozen=True):
    """A sum."""

    runs: int = 0
    """Attempts that used something."""
    tokens: Tokens = Tokens()
    cost_usd: Decimal = Decimal(0)
    superseded_usd: Decimal = Decimal(0)
    """How much of it went into what does not count now."""


class Share(Struct, frozen=True):
    """A sum, and what it is of."""

    name: str
    """An agent, a model, a feature's id, a day (`2026-11-22`), or a fate."""
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
    by_fate: tuple[Share, ...]


class Expenses(Protocol):
    """All that agents used, from the log."""

    async def between(
        self, tenant_id: UUID, since: datetime | None, until: datetime | None
    ) -> Iterable[Expense]:
        """Expenses recorded in [since, until), in order. Raises Unavailable."""


def usage_of(expenses: Iterable[Expense]) -> Usage:
    """Add it all up."""
    every = list(expenses)
    return Usage(
        total=_sum(every),
        by_agent=_dearest(every, lambda one: one.agent),
        by_model=_dearest(every, lambda one: one.model),
        by_feature=_dearest(every, lambda one: str(one.feature_id)),
        by_day=tuple(sorted(_shares(every, _day), key=lambda share: share.name)),
        by_fate=_dearest(every, lambda one: one.fate),
    )


def _day(one: Expense) -> str:
    day: date = one.at.date()
    return day.isoformat()


def _dearest(every: Iterable[Expense], name: Callable[[Expense], str]) -> tuple[Share, ...]:
    shares = _shares(every, name)
    return tuple(sorted(shares, key=lambda share: (-share.spent.cost_usd, share.name)))


def _shares(every: Iterable[Expense], name: Callable[[Expense], str]) -> list[Share]:
    groups: dict[str, list[Expense]] = {}
    for one in every:
        groups.setdefault(name(one), []).append(one)
    return [Share(str(each), _sum(group)) for each, group in groups.items()]


def _sum(group: Iterable[Expense]) -> Spent:
    total = Spent()
    for one in group:
        lost = Decimal(0) if one.fate is Fate.COUNTS else one.run.cost_usd
        total = Spent(
            total.runs + 1,
            total.tokens + one.run.tokens,
            total.cost_usd + one.run.cost_usd,
            total.superseded_usd + lost,
        )
    return total
