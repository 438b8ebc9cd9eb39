"""What an operator asks about money over all tenants; nothing is written."""

from pathlib import Path

from msgspec import to_builtins

from application.agents.prices import (
    PricesWrong,
    PriceTable,
    known_tables,
    read_tables,
    table_of,
)
from application.audit.recompute import Recomputation
from infrastructure.audit.usage import PostgresExpenses
from interface.cli.console import fail, show
from interface.cli.operations import OperatorContext, act


def recompute(prices: str, *, as_json: bool) -> int:
    """What all recorded runs would cost under another table."""
    try:
        table = _table(prices)
    except PricesWrong as wrong:
        fail(str(wrong))
        return 1

    async def work(context: OperatorContext) -> int:
        sums = Recomputation(table)
        expenses = PostgresExpenses(context.database)
        for tenant_id in dict.fromkeys(tenant for tenant, _ in await context.ask.streams()):
            async for some in expenses.between(tenant_id, None, None):
                sums.add(some)
        rows = [to_builtins(row) for row in sums.rows()]
        show(rows, as_json=as_json, empty="No run is recorded yet.")
        return 0

    return act("bp_projector", work)


def _table(prices: str) -> PriceTable:
    """A table of this program by its version, or the last one of a file."""
    known = table_of(prices)
    if known is not None:
        return known
    try:
        text = Path(prices).read_text("utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        versions = ", ".join(table.version for table in known_tables())
        raise PricesWrong(
            f"{prices}: neither a version of this program's prices ({versions}) nor a file."
        ) from None
    try:
        return read_tables(text)[-1]
    except PricesWrong as wrong:
        raise PricesWrong(f"{prices}: no table of prices. {wrong}") from None
