"""How commands speak: lines for people, JSON for programs, one line for what went wrong.

Invariant: what is printed of data reaches the terminal as characters to be seen, never as ones to
be obeyed, whoever wrote them and however long ago.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.characters import visible, visible_json


def plain(**where: Any) -> Console:  # noqa: ANN401 - as `Console` takes them.
    """A console that prints what it is given, without reading anything into it."""
    return Console(highlight=False, soft_wrap=True, emoji=False, **where)


OUT = plain()
ERR = plain(stderr=True)


def say(line: str = "") -> None:
    """A line for people."""
    OUT.print(visible(line), markup=False)


def fail(line: str) -> None:
    """What went wrong and what to do, in one line."""
    style = "bold red" if ERR.is_terminal else None
    ERR.print(f"error: {visible(line)}", markup=False, style=style)


def progress(words: str) -> None:
    """How far it is, over what was said of it before; nothing where nobody looks on."""
    if OUT.is_terminal:
        OUT.print(f"\r{visible(words)}", markup=False, end="")


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Rows as a table, or as one JSON document."""
    if as_json:
        sys.stdout.write(visible_json(msgspec.json.encode(rows).decode()) + "\n")
        return
    if not rows:
        say(empty)
        return
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(Text(str(name)), overflow="fold")
    for row in rows:
        # As `Text`, for a cell that is a string is read as markup.
        cells = ("" if value is None else visible(str(value)) for value in row.values())
        table.add_row(*map(Text, cells))
    OUT.print(table)


def write_lines(lines: bytes) -> None:
    """JSON lines, byte for byte; on a terminal with escapes for what it would obey."""
    if OUT.is_terminal:
        sys.stdout.write(visible_json(lines.decode()))
    else:
        sys.stdout.buffer.write(lines)
    sys.stdout.flush()
