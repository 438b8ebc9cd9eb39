"""How the read models are doing, for operators."""

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from infrastructure.postgres.database import Database
from projections.catalogue import PROJECTIONS

STATUS: Final = """
    select p.projection, p.generation, p.active, p.position,
      greatest(0, case when s.is_called then s.last_value else 0 end - p.position),
      (select count(*) from app.parked k
       where k.projection = p.projection and k.generation = p.generation)
    from app.positions p, es.positions s where p.projection = any(%s)
    order by p.projection, p.generation
"""


class ProjectionStatus(Struct, frozen=True):
    """One generation of a projection."""

    projection: str
    generation: int
    active: bool
    """Whether reads see it; otherwise it is being rebuilt."""
    position: int
    lag: int
    """Places in the log that are not applied yet; holes are counted."""
    parked: int
    """Features that wait."""
    rate: float | None = None
    """Places a second while it was looked at; None if it was not."""


async def status(database: Database, *, sample_seconds: float = 0.0) -> Sequence[ProjectionStatus]:
    """Every generation there is.

    Args:
        database: As role `bp_projector` or `bp_sweeper`.
        sample_seconds: Look twice, so far apart, to tell how fast they move; 0 looks once.

    Raises:
        Unavailable: the database does not answer.
    """
    first = await _look(database)
    if not sample_seconds:
        return first
    await asyncio.sleep(sample_seconds)
    before = {(each.projection, each.generation): each.position for each in first}
    return [
        _paced(each, before.get((each.projection, each.generation), 0), sample_seconds)
        for each in await _look(database)
    ]


async def _look(database: Database) -> list[ProjectionStatus]:
    names = [projection.name for projection in PROJECTIONS]
    async with database.system() as connection:
        rows = await (await connection.execute(STATUS, (names,))).fetchall()
    return [ProjectionStatus(*row) for row in rows]


def _paced(now: ProjectionStatus, before: int, seconds: float) -> ProjectionStatus:
    return ProjectionStatus(
        now.projection,
        now.generation,
        now.active,
        now.position,
        now.lag,
        now.parked,
        (now.position - before) / seconds,
    )
