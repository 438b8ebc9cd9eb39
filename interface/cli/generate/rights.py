"""Which process may do what to which table, read from the migrations that grant it.

Invariant: tables and grants are written plainly in the migrations, never put together there, for
the roles of processes; a test compares what is read here with a migrated database.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from interface.cli.generate.markdown import table

ROLES: Final = ("bp_api", "bp_worker", "bp_relay", "bp_projector", "bp_sweeper", "bp_keeper")

_COMMENT: Final = re.compile(r"--[^\n]*")
_TABLE: Final = re.compile(r"create table (\S+) \((?!partition)", re.IGNORECASE)
_GRANT: Final = re.compile(
    r"\bgrant ([^;$]+?) on ((?!schema|function)[^;$]+?) to ([^;$]+?);", re.IGNORECASE
)
_PRIVILEGE: Final = re.compile(r"(\w+)\s*(\([^()]*\))?")
_WORDS: Final = {"select": "read", "insert": "add", "update": "change", "delete": "delete"}


class Right(NamedTuple):
    """A privilege of one role on one table."""

    table: str
    role: str
    privilege: str
    """`select`, `insert`, `update` or `delete`."""
    some_columns: bool


def tables(migrations: Path) -> list[str]:
    """All tables, in the order in which they were made."""
    return [found[1] for found in _TABLE.finditer(_text(migrations))]


def rights(migrations: Path) -> Iterator[Right]:
    """Every right of a process's role on a table."""
    known = set(tables(migrations))
    for granted, objects, roles in _GRANT.findall(_text(migrations)):
        for privilege, columns in _PRIVILEGE.findall(granted):
            for name in _listed(objects):
                for role in _listed(roles):
                    if name in known and role in ROLES and privilege.lower() in _WORDS:
                        yield Right(name, role, privilege.lower(), bool(columns))


def rights_table(migrations: Path) -> str:
    """The table of the documentation."""
    found: dict[tuple[str, str], list[str]] = {}
    for right in rights(migrations):
        some = " some columns" if right.some_columns else ""
        words = found.setdefault((right.table, right.role), [])
        if (word := _WORDS[right.privilege] + some) not in words:  # Granted in several migrations.
            words.append(word)
    return table(
        ("table", *(f"`{role}`" for role in ROLES)),
        (
            (f"`{name}`", *(", ".join(found.get((name, role), ())) for role in ROLES))
            for name in tables(migrations)
        ),
    )


def _text(migrations: Path) -> str:
    return "\n".join(
        _COMMENT.sub("", path.read_text(encoding="utf-8"))
        for path in sorted(migrations.glob("*.sql"))
    )


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]
