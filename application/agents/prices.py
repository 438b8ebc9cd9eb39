"""What tokens cost: tables of prices as dated data, each with its source.

Invariant: a model that a table does not name has no cost and no estimate, rather than a wrong one.
A table never changes once it was in force, so that its version, recorded with every run, says for
ever what the run was priced by.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from domain.runs import UNPRICED, Tokens

MILLION: Final = Decimal(1_000_000)
CENT_FRACTION: Final = Decimal("0.000001")
CACHE_READ: Final = Decimal("0.1")
CACHE_WRITE: Final = Decimal("1.25")
CACHE_WRITE_HOUR: Final = Decimal(2)
"""Shares of the price of input, as the provider's pricing page has them for most models. Used for
prices that an operator sets without naming these."""


class PricesWrong(ValueError):
    """A table of prices that cannot be: what is wrong with it, and where."""


class Rates(Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    """For five minutes."""
    cache_write_hour: Decimal
    """For one hour; this program asks for none."""

    def __post_init__(self) -> None:
        """Refuse what is no amount of money."""
        for name in Rates.__struct_fields__:
            amount = getattr(self, name)
            if not (amount.is_finite() and amount >= 0):
                raise ValueError(f"`{name}` must be an amount of at least 0")

    def cost(self, tokens: Tokens) -> Decimal:
        """US dollars, not rounded."""
        return (
            self.input * tokens.input
            + self.output * tokens.output
            + self.cache_read * tokens.cache_read
            + self.cache_write * tokens.cache_write
        ) / MILLION


class Tier(Rates, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rates of requests whose prompt is so long at most."""

    upto: int | None = None
    """Tokens of the prompt, the cached ones included; None for any number."""


class ModelPrice(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model costs, and who says so."""

    model: str
    source: str
    """The address where it was read; `operator` for what is set here."""
    tiers: tuple[Tier, ...]
    """The one for short prompts first; the last one has no bound."""
    read: date | None = None
    """When it was read there; None for what an operator set."""
    valid_from: date | None = None

    def __post_init__(self) -> None:
        """Refuse what no request could be priced by, or what costs less for a longer prompt."""
        bounds = [tier.upto for tier in self.tiers]
        if not bounds or bounds[-1] is not None or None in bounds[:-1]:
            raise ValueError(f"`{self.model}`: the last tier, and only that, has no `upto`")
        if any((a.upto or 0) >= (b.upto or float("inf")) for a, b in pairwise(self.tiers)):
            raise ValueError(f"`{self.model}`: `upto` must grow from tier to tier")
        for a, b in pairwise(self.tiers):
            if any(getattr(a, of) > getattr(b, of) for of in Rates.__struct_fields__):
                raise ValueError(f"`{self.model}`: a tier for longer prompts must not cost less")

    def rates(self, prompt: int) -> Rates:
        """What a request costs whose prompt has so many tokens."""
        return next(tier for tier in self.tiers if tier.upto is None or prompt <= tier.upto)


class PriceTable(Struct, frozen=True, forbid_unknown_fields=True):
    """All prices that hold at one time, under a name."""

    version: Annotated[str, Meta(min_length=1, max_length=100)]
    models: tuple[ModelPrice, ...]
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse two prices of one model."""
        names = [price.model for price in self.models]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"`{min(twice)}` has two prices in `{self.version}`")

    def of(self, model: str) -> ModelPrice | None:
        """The price of a model; None if it is not known."""
        return next((price for price in self.models if price.model == model), None)

    def cost(self, tokens: Tokens, model: str) -> Decimal | None:
        """What one request cost, in US dollars to a millionth; None if the price is not known."""
        between = self.between(tokens, model, 1)
        return between and between[0]

    def between(self, tokens: Tokens, model: str, requests: int) -> tuple[Decimal, Decimal] | None:
        """What several requests cost of which only the sum is known: at least, and at most.

        The two differ where tiers are by the length of a prompt and the sum could be of both.
        """
        price = self.of(model)
        if price is None:
            return None
        whole = price.rates(prompt_of(tokens))
        least = whole if requests <= 1 else price.rates(0)
        return rounded(least.cost(tokens)), rounded(whole.cost(tokens))


def prompt_of(tokens: Tokens) -> int:
    """How long a request's prompt was, in tokens: read anew, from the cache, or into it."""
    return tokens.input + tokens.cache_read + tokens.cache_write


def rounded(usd: Decimal) -> Decimal:
    """US dollars to a millionth."""
    return usd.quantize(CENT_FRACTION)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    tables: tuple[PriceTable, ...]


def read_tables(text: str | bytes) -> tuple[PriceTable, ...]:
    """The tables of a file in the shape of `prices.toml`, in its order.

    Raises:
        PricesWrong: it is no such file, or holds two tables of one version, or none.
    """
    try:
        tables = msgspec.toml.decode(text, type=_File).tables
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PricesWrong(f"{str(error).rstrip('.')}.") from None
    versions = [table.version for table in tables]
    if not versions:
        raise PricesWrong("It holds no table.")
    if len({*versions}) < len(versions):
        raise PricesWrong("Two of its tables have the same version.")
    return tables


@cache
def known_tables() -> tuple[PriceTable, ...]:
    """The tables of this program, oldest first; the last one is in force."""
    return read_tables(files("application.agents").joinpath("prices.toml").read_text("utf-8"))


def table_of(version: str) -> PriceTable | None:
    """A table of this program."""
    return next((table for table in known_tables() if table.version == version), None)


def operators_table(prices: Mapping[str, Mapping[str, object]], version: str) -> PriceTable:
    """The table in force with what an operator set, under a name of its own.

    Args:
        prices: Model to `input`, `output` and perhaps the cache's rates, in US dollars per million
            tokens; cache rates that are missing are the provider's usual shares of `input`.
        version: Its name.

    Raises:
        PricesWrong: no name, or one that is taken; a price that cannot be read.
    """
    if not version:
        raise PricesWrong("Prices that are set need a name, such as `prices-2027-01`.")
    if version == UNPRICED or table_of(version) is not None:
        raise PricesWrong(f"The name `{version}` is taken: it means something else in the log.")
    try:
        set_here = tuple(_set_here(model, of) for model, of in prices.items())
    except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
        raise PricesWrong(str(error)) from None
    others = [price for price in in_force().models if price.model not in prices]
    return PriceTable(version, (*set_here, *others), "set by the operator")


def _set_here(model: str, of: Mapping[str, object]) -> ModelPrice:
    per_input = Decimal(str(of.get("input", 0)))
    usual = {
        "cache_read": per_input * CACHE_READ,
        "cache_write": per_input * CACHE_WRITE,
        "cache_write_hour": per_input * CACHE_WRITE_HOUR,
    }
    tier = msgspec.convert({**usual, **of}, Tier, strict=False)
    return ModelPrice(model, "operator", (tier,))


def in_force() -> PriceTable:
    """The table that holds now."""
    return known_tables()[-1]


def free(model: str, version: str) -> PriceTable:
    """A table in which one model costs nothing."""
    nothing = Decimal(0)
    tier = Tier(
        input=nothing, output=nothing, cache_read=nothing, cache_write=nothing,
        cache_write_hour=nothing,
    )  # fmt: skip
    return PriceTable(version, (ModelPrice(model, "operator", (tier,)),))


def unpriced(models: Sequence[str], table: PriceTable) -> tuple[str, ...]:
    """Those of the models that the table has no price for, in order, each once."""
    return tuple(dict.fromkeys(model for model in models if table.of(model) is None))
