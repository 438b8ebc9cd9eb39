"""How commands speak: lines for people, JSON for programs, one line for what went wrong."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """A line for people."""
    OUT.print(line, markup=False)


def fail(line: str) -> None:
    """What went wrong and what to do, in one line."""
    ERR.print(f"error: {line}", markup=False, style="bold red" if ERR.is_terminal else None)


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Rows as a table, or as one JSON document."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return
    if not rows:
        say(empty)
        return
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(str(name), overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    OUT.print(table)
