"""Runs are priced anew beside what was recorded, and what was recorded stays."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.agent_config import HAIKU, SONNET
from application.agents.prices import in_force, table_of
from application.audit.expense import Expense, Fate
from application.audit.recompute import Recomputation
from domain.runs import UNPRICED, Run, Tokens

AT = datetime(2026, 11, 28, tzinfo=UTC)
NOW = in_force()
OLD = table_of("prices-2026-11")
assert OLD is not None
MILLION = 1_000_000


def expense(model: str, run: Run, prices: str = "prices-2026-11") -> Expense:
    return Expense(UUID(int=1), "spec", model, AT, run, Fate.COUNTS, prices)


def test_each_table_and_model_is_told_with_what_was_recorded_and_what_it_would_be() -> None:
    sums = Recomputation(NOW)
    run = Run(Tokens(MILLION, MILLION), Decimal(18), turns=2)
    sums.add([expense(SONNET, run), expense(SONNET, run), expense(SONNET, run, "ours")])
    sums.add([expense("claude-unheard-of", Run(Tokens(1), Decimal(0), turns=1), UNPRICED)])
    nameless, ours, old = sums.rows()
    assert (old.model, old.least_usd, old.most_usd) == (SONNET, 24, 24)
    assert (old.runs, old.recorded_usd, old.recorded_under) == (2, 36, "prices-2026-11")
    assert (nameless.recorded_under, nameless.least_usd, nameless.most_usd) == ("none", None, None)
    assert (ours.recorded_under, ours.under) == ("ours", NOW.version)


def test_where_the_log_holds_only_a_sum_it_says_at_least_and_at_most() -> None:
    sums = Recomputation(NOW)
    sums.add([expense(HAIKU, Run(Tokens(150_000), Decimal(0), turns=2))])
    (row,) = sums.rows()
    assert (row.least_usd, row.most_usd) == (Decimal("0.015"), Decimal("0.075"))


COUNTS = st.integers(0, 2_000_000)
TOKENS = st.builds(Tokens, COUNTS, COUNTS, COUNTS, COUNTS)


@forall(st.lists(TOKENS, max_size=20))
def test_under_its_own_table_a_run_costs_what_was_recorded(used: list[Tokens]) -> None:
    assert OLD is not None
    sums = Recomputation(OLD)
    costs = [OLD.cost(tokens, SONNET) or Decimal(0) for tokens in used]
    runs = [Run(tokens, cost, turns=1) for tokens, cost in zip(used, costs, strict=True)]
    sums.add(expense(SONNET, run) for run in runs)
    for row in sums.rows():
        assert row.least_usd == row.most_usd == row.recorded_usd == sum(costs, Decimal(0))
