"""Which generation of each projection is shown, which are being built, and how far each is."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from infrastructure.database import AsyncBoundedConnection
from infrastructure.read_models.views import ACTIVE, ENSURE, Generations
from projections.projection import Projection


class Generation(NamedTuple):
    """One filling of a projection."""

    projection: str
    number: int
    position: int
    active: bool
    """Whether reads see it; otherwise it is being built."""
    updated_at: datetime


async def known(
    connection: AsyncBoundedConnection, projections: Iterable[Projection[Any]]
) -> Sequence[Generation]:
    """All generations; a projection without any begins its first, which is shown at once."""
    names = [projection.name for projection in projections]
    cursor = await connection.execute(ACTIVE, (names,))
    found = [Generation(*row) for row in await cursor.fetchall()]
    if {generation.projection for generation in found if generation.active} == set(names):
        return found
    await connection.execute(ENSURE, (names,))
    cursor = await connection.execute(ACTIVE, (names,))
    return [Generation(*row) for row in await cursor.fetchall()]


def together(generations: Collection[Generation]) -> tuple[Generations, int | None]:
    """Those furthest behind, to be moved together, and the position where the next ones stand."""
    positions = sorted({generation.position for generation in generations})
    behind = [g for g in generations if g.position == positions[0]]
    ahead = positions[1] if len(positions) > 1 else None
    return Generations({g.projection: g.number for g in behind}, positions[0]), ahead
