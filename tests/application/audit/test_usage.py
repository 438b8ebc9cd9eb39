"""What was spent is added up page by page, and once for all who ask at the same time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from application.audit.expense import Expense, Fate
from application.audit.usage import Tally, Usages
from application.ports import Unavailable
from application.running.turns import Turns
from domain.runs import UNPRICED, Run, Tokens

ANN, BEN = UUID(int=1), UUID(int=2)
AT = datetime(2026, 11, 28, tzinfo=UTC)
PAGES, PAGE = 30, 10


class Book:
    """Expenses in pages; how often they were asked for, and how many pages were out at once."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked = 0
        self.pages = 0
        self._fails = fails

    async def between(
        self, tenant_id: UUID, since: datetime | None, until: datetime | None
    ) -> AsyncIterator[Sequence[Expense]]:
        self.asked += 1
        for page in range(PAGES):
            await asyncio.sleep(0)
            if self._fails:
                raise Unavailable("database")
            self.pages += 1
            yield [
                Expense(
                    UUID(int=page), "spec", "model", AT + timedelta(days=page),
                    Run(Tokens(1, 2), Decimal("0.01"), turns=1),
                    Fate.COUNTS if n else Fate.REPLACED,
                )
                for n in range(PAGE)
            ]  # fmt: skip


async def test_ten_who_ask_the_same_are_answered_together() -> None:
    book = Book()
    usages = Usages(book, Turns())
    answers = await asyncio.gather(*(usages.of(ANN, None, None) for _ in range(10)))
    assert book.asked == 1
    assert all(answer is answers[0] for answer in answers)
    [usage, *_] = answers
    assert usage.total.runs == PAGES * PAGE
    assert usage.total.cost_usd == Decimal("3.00")
    assert usage.total.superseded_usd == Decimal("0.30")
    assert len(usage.by_day) == len(usage.by_feature) == PAGES
    await usages.of(ANN, None, None)
    assert book.asked == 2


def test_a_run_without_a_price_is_counted_as_such_and_not_as_free() -> None:
    tally = Tally()
    used = Run(Tokens(1, 2), Decimal(0), turns=1)
    for prices in ("prices-2026-11", UNPRICED, UNPRICED, ""):
        tally.add(Expense(UUID(int=1), "spec", "model", AT, used, Fate.COUNTS, prices))
    usage = tally.usage()
    assert (usage.total.runs, usage.total.unpriced_runs) == (4, 2)
    assert usage.by_model[0].spent.unpriced_runs == 2


async def test_another_question_and_another_tenant_are_answered_apart() -> None:
    book = Book()
    usages = Usages(book, Turns())
    await asyncio.gather(
        usages.of(ANN, None, None), usages.of(ANN, AT, None), usages.of(BEN, None, None)
    )
    assert book.asked == 3


async def test_when_nobody_waits_any_more_it_is_not_added_up() -> None:
    book = Book()
    asked = asyncio.create_task(Usages(book, Turns()).of(ANN, None, None))
    while not book.pages:
        await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    for _ in range(10):
        await asyncio.sleep(0)
    assert book.pages < PAGES


async def test_a_failure_is_told_to_all_who_wait_and_kept_for_nobody() -> None:
    book = Book(fails=True)
    usages = Usages(book, Turns())
    answers = await asyncio.gather(
        *(usages.of(ANN, None, None) for _ in range(3)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    with pytest.raises(Unavailable):
        await usages.of(ANN, None, None)
    assert book.asked == 2
