"""Which generation of each projection is shown, which are being built, and how far each is."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import structlog

from infrastructure.postgres.database import AsyncBoundedConnection
from infrastructure.read_models.views import ACTIVE, BEGIN_ANEW, ENSURE, Generations
from projections.projection import Projection

log = structlog.get_logger(__name__)


class Generation(NamedTuple):
    """One filling of a projection."""

    projection: str
    number: int
    position: int
    active: bool
    """Whether reads see it; otherwise it is being built."""
    updated_at: datetime
    head: bytes | None = None
    """Hash of the last event that it holds, if there is one and it is known."""
    in_log: bool = True
    """Whether the log holds that event."""


async def known(
    connection: AsyncBoundedConnection, projections: Iterable[Projection[Any]]
) -> Sequence[Generation]:
    """All generations; a projection without any begins its first, which is shown at once.

    One that holds what is in no log, because the log was set back and it was not, begins anew.
    """
    names = [projection.name for projection in projections]
    cursor = await connection.execute(ACTIVE, (names,))
    found = [Generation(*row) for row in await cursor.fetchall()]
    if not all(generation.in_log for generation in found):
        cursor = await connection.execute(BEGIN_ANEW, {"names": names})
        begun = sorted(row[0] for row in await cursor.fetchall())
        log.error("read_models_of_no_log", projections=begun, consequence="filled anew")
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
    head = next(g.head for g in generations if g.position == positions[0])
    behind = [g for g in generations if (g.position, g.head) == (positions[0], head)]
    ahead = positions[1] if len(positions) > 1 else None
    return Generations({g.projection: g.number for g in behind}, positions[0], head), ahead
