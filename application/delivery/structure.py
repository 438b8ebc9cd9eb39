"""What stands where in generated files, as their syntax trees show it: a port, and what it tells.

Invariant: only what is written out is told. A name that is put together when the program runs, or a
file that no parser reads, has no piece; nothing is guessed in its place.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from domain.documents import Plan


class PieceKind(StrEnum):
    """What a piece of a file is."""

    EXPORT = "export"
    ROUTE = "route"
    TABLE = "table"
    TEST = "test"


class Piece(Struct, frozen=True, omit_defaults=True):
    """Lines of a file that have a name of their own."""

    kind: PieceKind
    name: str
    """Of an export or a table; of a route `GET /loans/:id` as the plan writes it; of a test its
    title behind those of the suites around it."""
    path: str
    first: int
    last: int
    """Lines from 1, both included."""
    uses: tuple[str, ...] = ()
    """Ids of the pieces that it names: imports that a test uses, routes that it calls, tables in
    the statements of an export."""

    @property
    def id(self) -> str:
        """Names it among the pieces; a table that several statements make has one."""
        return piece_id(self.kind, self.path, self.name)


def piece_id(kind: PieceKind, path: str, name: str) -> str:
    """The id of a piece."""
    at = path if kind in (PieceKind.EXPORT, PieceKind.TEST) else ""
    return f"{kind} {at}#{name}"


class Structure(Struct, frozen=True):
    """All files together."""

    pieces: tuple[Piece, ...] = ()
    imports: dict[str, tuple[str, ...]] = {}
    """The files that each script imports, directly or through others."""


ReadStructure: TypeAlias = Callable[[dict[str, str], Plan | None], Structure]
"""Reads files, by path, against the plan, if there is one.

A public function of a module, so that it can be computed apart.
"""
