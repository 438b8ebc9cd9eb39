"""What a read model is: rows under keys, and `evolve(row, fact) -> row`.

A row belongs to one feature, and only that feature's facts touch it: so rows can be folded feature
by feature, in pages, in any process, and come out the same.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar

from msgspec import Struct

from domain.recorded import Recorded

R = TypeVar("R", bound=Struct)

ONLY: Final = ""
"""The item of a projection that has one row a feature."""


class Touched(Struct, frozen=True):
    """The rows of its feature that a fact may change, named by their items."""

    own: str | None = None
    """The row it may create."""
    others: tuple[str, ...] = ()
    """Further rows, as far as they exist."""
    every: bool = False
    """Every row of the feature, as far as they exist."""


NOTHING: Final = Touched()
THE_ROW: Final = Touched(ONLY)
EVERY_ROW: Final = Touched(every=True)


class Projection(Struct, Generic[R], frozen=True):
    """One question that screens ask, and how its answer follows from facts."""

    name: str
    row: type[R]
    touched: Callable[[Recorded], Touched]
    """Which rows a fact may change. Never raises."""
    evolve: Callable[[R | None, Recorded], R | None]
    """The row after a fact: None is no row. Pure, and never raises for a log that was decided.

    It is called without a row only for `Touched.own`.
    """


Rows: TypeAlias = dict[str, Any]
"""One feature's rows of one projection, by item."""


def apply(projection: Projection[Any], rows: Rows, fact: Recorded) -> Rows:
    """Fold one fact into `rows`, in place and whole or not at all, and say what changed.

    Args:
        projection: The read model.
        rows: All of the feature's rows that the fact touches; more do no harm.
        fact: The next one of that feature.

    Returns:
        The new row under each item that changed; None where it went away.
    """
    touched = projection.touched(fact)
    if touched is NOTHING:
        return {}
    if touched.every or touched.others:
        return _apply_to_several(projection, rows, fact, touched)
    item = touched.own or ONLY
    before = rows.get(item)
    after = projection.evolve(before, fact)
    if after is before:
        return {}
    if after is None:
        del rows[item]
    else:
        rows[item] = after
    return {item: after}


def _apply_to_several(
    projection: Projection[Any], rows: Rows, fact: Recorded, touched: Touched
) -> Rows:
    items = [*rows] if touched.every else [item for item in touched.others if item in rows]
    if touched.own is not None and touched.own not in items:
        items.append(touched.own)
    before = {item: rows.get(item) for item in items}
    after = {item: projection.evolve(row, fact) for item, row in before.items()}
    changed = {item: row for item, row in after.items() if row is not before[item]}
    for item, row in changed.items():
        if row is None:
            del rows[item]
        else:
            rows[item] = row
    return changed
