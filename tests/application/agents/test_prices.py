"""Prices: dated data, priced by request, nothing where nothing is known."""

from datetime import date
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.agent_config import HAIKU, OPUS, SONNET
from application.agents.prices import (
    PricesWrong,
    PriceTable,
    in_force,
    known_tables,
    operators_table,
    prompt_of,
    read_tables,
    table_of,
)
from application.agents.table import AGENTS
from domain.runs import Tokens

MILLION = 1_000_000
LIMIT = 100_000
NOW = in_force()
MODELS = st.sampled_from([price.model for price in NOW.models])
COUNTS = st.integers(0, 3_000_000)
TOKENS = st.builds(Tokens, COUNTS, COUNTS, COUNTS, COUNTS)


def cost(model: str, **tokens: int) -> Decimal | None:
    return NOW.cost(Tokens(**tokens), model)


def test_the_prices_are_those_of_the_providers_page() -> None:
    assert cost(SONNET, input=MILLION) == 2
    assert cost(SONNET, output=MILLION) == 10
    assert cost(SONNET, cache_read=MILLION) == Decimal("0.1")
    assert cost(SONNET, cache_write=MILLION) == Decimal("2.5")
    assert cost(OPUS, input=MILLION) == 4
    assert cost(OPUS, output=MILLION) == 20
    assert cost(OPUS, cache_read=MILLION) == Decimal("0.2")
    assert cost(HAIKU, output=MILLION) == Decimal("0.5")
    assert cost(HAIKU, input=LIMIT) == Decimal("0.01")
    assert cost(HAIKU, input=LIMIT + 2) == Decimal("0.050001")


def test_what_a_long_prompt_costs_holds_for_all_its_tokens() -> None:
    cached = Tokens(input=2, output=MILLION, cache_read=LIMIT)
    assert NOW.cost(cached, HAIKU) == Decimal("2.505001")


@pytest.mark.parametrize("table", known_tables(), ids=lambda table: table.version)
def test_every_price_says_who_said_it_and_when(table: PriceTable) -> None:
    assert table.note
    for price in table.models:
        assert isinstance(price.read, date)
        assert isinstance(price.valid_from, date)
        assert price.valid_from <= price.read
        if table is NOW:
            assert urlsplit(price.source).hostname == "platform.claude.com"
        for tier in price.tiers:
            assert tier.cache_read < tier.input < tier.cache_write < tier.cache_write_hour
            assert tier.cache_write == tier.input * Decimal("1.25")
            assert tier.cache_write_hour == tier.input * 2


def test_every_agents_model_has_a_price() -> None:
    assert all(NOW.of(row.entry.model) for row in AGENTS.values())


def test_what_was_recorded_by_an_older_table_can_still_be_priced_by_it() -> None:
    old = table_of("prices-2026-11")
    assert old is not None
    assert old.cost(Tokens(MILLION, MILLION, MILLION, MILLION), SONNET) == Decimal("22.05")
    assert old is not NOW


@forall(MODELS, TOKENS, TOKENS)
def test_more_tokens_never_cost_less(model: str, some: Tokens, more: Tokens) -> None:
    a, b = NOW.cost(some, model), NOW.cost(some + more, model)
    assert a is not None
    assert b is not None
    assert 0 <= a <= b


@forall(MODELS, st.lists(TOKENS, min_size=1, max_size=6))
def test_a_sum_of_requests_lies_in_the_range_that_is_told_for_it(
    model: str, requests: list[Tokens]
) -> None:
    told = NOW.between(sum(requests, Tokens()), model, len(requests))
    assert told is not None
    least, most = told
    each = [NOW.cost(one, model) or Decimal(0) for one in requests]
    rounding = Decimal("0.000001") * len(requests)
    assert least - rounding <= sum(each, Decimal(0)) <= most + rounding
    if len(requests) == 1 or len(NOW.of(model).tiers) == 1:
        assert least == most
    if sum(map(prompt_of, requests)) <= LIMIT:
        assert least == most


@forall(TOKENS, st.integers(0, 9))
def test_an_unknown_model_has_no_cost(tokens: Tokens, requests: int) -> None:
    assert NOW.cost(tokens, "claude-unheard-of") is None
    assert NOW.between(tokens, "claude-unheard-of", requests) is None


def test_an_operators_prices_stand_beside_the_others_under_their_own_name() -> None:
    table = operators_table({SONNET: {"input": "7", "output": 9, "cache_read": "1"}}, "ours")
    assert table.cost(Tokens(cache_read=MILLION), SONNET) == 1
    assert table.cost(Tokens(cache_write=MILLION), SONNET) == Decimal("8.75")
    assert table.cost(Tokens(input=MILLION), OPUS) == 4


@pytest.mark.parametrize(
    ("prices", "version"),
    [
        ({"m": {"input": 1, "output": 1}}, ""),
        ({"m": {"input": 1, "output": 1}}, "prices-2026-11"),
        ({"m": {"input": 1, "output": 1}}, "none"),
        ({"m": {"input": 1}}, "ours"),
        ({"m": {"input": -1, "output": 1}}, "ours"),
        ({"m": {"input": "cheap", "output": 1}}, "ours"),
        ({"m": {"input": "NaN", "output": 1}}, "ours"),
        ({"m": {"input": 1, "output": 1, "cash": 1}}, "ours"),
    ],
)
def test_what_cannot_be_a_price_is_refused(prices: dict, version: str) -> None:
    with pytest.raises(PricesWrong):
        operators_table(prices, version)


RATES = 'input = "{0}", output = "5", cache_read = "0.1", cache_write = "1", cache_write_hour = "2"'


def tiers(*of: tuple[int | None, int]) -> str:
    lines = [
        "{ " + (f"upto = {upto}, " if upto is not None else "") + RATES.format(price) + " }"
        for upto, price in of
    ]
    return (
        '[[tables]]\nversion = "v"\n[[tables.models]]\nmodel = "m"\nsource = "operator"\n'
        f"tiers = [{', '.join(lines)}]\n"
    )


def test_a_file_of_tables_is_read() -> None:
    (table,) = read_tables(tiers((10, 1), (None, 2)))
    assert table.cost(Tokens(input=10), "m") == Decimal("0.000010")
    assert table.cost(Tokens(input=11), "m") == Decimal("0.000022")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no table",
        "tables = []",
        tiers(),
        tiers((10, 1)),
        tiers((None, 1), (None, 1)),
        tiers((10, 1), (10, 1), (None, 1)),
        tiers((10, 2), (None, 1)),
        tiers((None, 1)) * 2,
        tiers((None, 1)) + tiers((None, 1)).partition("\n")[2].partition("\n")[2],
        tiers((None, 1)).replace("source", "sauce"),
    ],
)
def test_a_file_that_is_no_table_of_prices_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(PricesWrong) as refused:
        read_tables(text)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)
