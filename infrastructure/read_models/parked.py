"""Features that a projection could not apply: who waits, and trying again.

Invariant: a feature that is let go has all its events up to the position, as if it never waited.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from infrastructure.database import Database
from infrastructure.read_models.fold import Batch
from infrastructure.read_models.source import Source
from infrastructure.read_models.views import Generations, held, load, save
from projections.catalogue import PROJECTIONS
from projections.projection import Projection

LIST: Final = """
    select k.projection, k.generation, k.feature_id, k.version, k.error, k.at,
      (select s.tenant_id from es.streams s where s.stream_id = k.feature_id)
    from app.parked k join app.positions p using (projection, generation)
    where p.active and (%(projection)s::text is null or k.projection = %(projection)s)
    order by k.at, k.projection, k.feature_id
"""


class ParkedFeature(Struct, frozen=True):
    """A feature whose rows in a projection stand still."""

    projection: str
    generation: int
    feature_id: UUID
    version: int
    """Of the first event that could not be applied."""
    error: str
    at: datetime
    tenant_id: UUID


async def parked(database: Database, projection: str | None = None) -> Sequence[ParkedFeature]:
    """Who waits in the generations that are shown, longest first. Raises Unavailable."""
    async with database.system() as connection:
        cursor = await connection.execute(LIST, {"projection": projection})
        return [ParkedFeature(*row) for row in await cursor.fetchall()]


async def retry_parked(
    database: Database,
    source: Source,
    projection: str | None = None,
    *,
    projections: Sequence[Projection[Any]] = PROJECTIONS,
) -> tuple[int, int]:
    """Try again what waits, after a defect was mended: how many go on now, and how many still wait.

    Args:
        database: As role `bp_projector`.
        source: The log.
        projection: Only in this one; None is all of them.
        projections: What is known.

    Raises:
        Unavailable: the database does not answer. Those that were let go, are.
    """
    known = {each.name: each for each in projections}
    waiting = [
        feature for feature in await parked(database, projection) if feature.projection in known
    ]
    released = 0
    for feature in waiting:
        released += await _retry(database, source, feature, known)
    return released, len(waiting) - released


async def _retry(
    database: Database, source: Source, feature: ParkedFeature, known: dict[str, Projection[Any]]
) -> bool:
    numbers = {feature.projection: feature.generation}
    async with database.system() as connection:
        position = await held(connection, numbers)
        if position is None:
            return False
        generations = Generations(numbers, position)
        # From the first event that failed: the rows hold everything before it.
        entries = await source.of_feature(feature.feature_id, feature.version, position)
        wanted = {feature.projection: {feature.feature_id: feature.tenant_id}}
        rows, _ = await load(connection, generations, wanted, known)
        batch = Batch([known[feature.projection]], rows)
        batch.add(entries)
        if batch.parked:
            return False
        batch.released.append((feature.projection, feature.feature_id))
        await save(connection, generations, batch, position)
        return True
