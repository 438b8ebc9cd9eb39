"""The replay certificate: a feature's log, folded from its first event, beside what screens show.

Invariant: folding is a function of facts alone. No model, no message and no clock takes part, so
the same log gives the same hashes on any machine, and nothing is bought again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.recorded import Recorded
from projections.catalogue import PROJECTIONS
from projections.projection import Projection, Rows, apply

NAMED_AT_MOST: Final = 10
"""Differences that are named of one read model."""


class Cell(NamedTuple):
    """A row and the version of the event that last changed it."""

    version: int
    row: Any
    """As plain JSON: what a reader gets, whatever struct it was written by."""


Table = dict[str, Cell]
"""One feature's rows of one read model, by item."""


class Fingerprint(Struct, frozen=True):
    """A read model's rows of one feature, in one hash."""

    projection: str
    rows: int
    sha256: str


class Compared(Struct, frozen=True):
    """One read model: as it follows from the log, and as it is shown."""

    projection: str
    position: int
    """How far it had been applied when it was looked at; the log is folded up to there."""
    rows: int
    folded_sha256: str
    shown_sha256: str
    equal: bool
    differences: tuple[str, ...] = ()
    """Where they differ, the first ten: the row's item, and the fields."""


class Certificate(Struct, frozen=True):
    """That what is shown of a feature is what its log says."""

    feature_id: UUID
    equal: bool
    """Whether every read model is what the log gives."""
    events: int
    """Folded, from the first one on; those that were sealed and are lost give nothing to show.
    0 as long as no read model has come to the first."""
    head: str
    """The hash of the last of them, in hex; empty if there is none."""
    projections: tuple[Compared, ...]
    model_calls: int = 0
    """Requests to a model that folding made: none, for it has no way to make one."""
    unread_from: int | None = None
    """The version of the first event that cannot be read here; nothing behind it is certified."""
    why: str | None = None
    """Why it cannot: the code of the problem, such as `newer_version`."""


class Certifier(Protocol):
    """Compares the stored read models with the log."""

    async def certify(self, tenant_id: UUID, feature_id: UUID) -> Certificate | None:
        """A certificate as of now; None if there is no such stream. Raises Unavailable."""


class Folding:
    """One feature's rows in one read model, folded from its first fact on."""

    def __init__(self, projection: Projection[Any]) -> None:
        """Before the first fact."""
        self._projection = projection
        self._rows: Rows = {}
        self._changed: dict[str, int] = {}

    def add(self, fact: Recorded) -> None:
        """Take in the next fact.

        Raises:
            Exception: whatever a projection raises for a log that was not decided.
        """
        touched = apply(self._projection, self._rows, fact)
        self._changed.update(dict.fromkeys(touched, fact.version))

    def table(self) -> Table:
        """The rows so far."""
        return {item: Cell(self._changed[item], _plain(row)) for item, row in self._rows.items()}


def fold(
    facts: Iterable[Recorded], projections: Sequence[Projection[Any]] = PROJECTIONS
) -> dict[str, Table]:
    """One feature's rows in every read model. Raises as `Folding.add` does."""
    foldings = {projection.name: Folding(projection) for projection in projections}
    for fact in facts:
        for folding in foldings.values():
            folding.add(fact)
    return {name: folding.table() for name, folding in foldings.items()}


def stored_cell(version: int, row: str | bytes) -> Cell:
    """A row as it is stored."""
    return Cell(version, msgspec.json.decode(row))


def fingerprint(projection: str, table: Table) -> Fingerprint:
    """The hash of a table: over its rows in the order of their items, each as canonical JSON."""
    whole = sha256()
    for item in sorted(table):
        whole.update(_canonical((item, *table[item])) + b"\n")
    return Fingerprint(projection, len(table), whole.hexdigest())


def fingerprints(tables: Mapping[str, Table]) -> tuple[Fingerprint, ...]:
    """The hash of every read model, by name."""
    return tuple(fingerprint(name, tables[name]) for name in sorted(tables))


def compare(projection: str, position: int, folded: Table, shown: Table) -> Compared:
    """One read model's two sides."""
    expected, found = fingerprint(projection, folded), fingerprint(projection, shown)
    equal = expected.sha256 == found.sha256
    named = () if equal else tuple(_differences(folded, shown))[:NAMED_AT_MOST]
    return Compared(
        projection, position, expected.rows, expected.sha256, found.sha256, equal, named
    )


def _differences(folded: Table, shown: Table) -> Iterator[str]:
    for item in sorted({*folded, *shown}):
        name = item or "the row"
        if item not in shown:
            yield f"{name} is missing"
        elif item not in folded:
            yield f"{name} does not follow from the log"
        elif _canonical(folded[item]) != _canonical(shown[item]):
            fields = _fields(folded[item], shown[item])
            yield f"{name} differs in {', '.join(fields)}"


def _fields(folded: Cell, shown: Cell) -> list[str]:
    names = ["version"] if folded.version != shown.version else []
    if not isinstance(folded.row, dict) or not isinstance(shown.row, dict):
        return names or ["its whole"]
    differing = [
        name
        for name in sorted({*folded.row, *shown.row})
        if (name in folded.row) != (name in shown.row)
        or _canonical(folded.row.get(name)) != _canonical(shown.row.get(name))
    ]
    return names + [f"`{name}`" for name in differing]


def _plain(row: Struct) -> Any:  # noqa: ANN401 - any JSON.
    return msgspec.json.decode(msgspec.json.encode(row))


def _canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON.
    return msgspec.json.encode(value, order="deterministic")
