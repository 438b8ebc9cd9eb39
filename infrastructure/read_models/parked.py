"""Features that a projection could not apply: who waits, and trying again.

Invariant: a feature that is let go has all its events up to the position, as if it never waited.
Nothing is given up: whoever waits is tried again when a projector starts, which may be of a newer
version, and then at growing pauses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from msgspec import Struct

from application.running.outage import Outage
from application.running.waiting import is_set_within
from infrastructure.postgres.database import Database
from infrastructure.read_models.fold import SPOILT, Batch
from infrastructure.read_models.source import Source
from infrastructure.read_models.views import Generations, clear_feature, held, load, save
from projections.catalogue import PROJECTIONS
from projections.projection import Projection

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 30.0
"""How often it is looked for features whose time has come again."""
PAUSE_SECONDS: Final = (30.0, 3600.0)
"""Between two tries of a feature, at first and at last; each is twice the one before."""
AT_ONCE: Final = 200
"""Features that one look takes on, those that wait longest for another try first."""

LIST: Final = """
    select k.projection, k.generation, k.feature_id, k.version, k.error, k.at,
      (select s.tenant_id from es.streams s where s.stream_id = k.feature_id), k.tries, k.retry_at
    from app.parked k join app.positions p using (projection, generation)
    where p.active and (%(projection)s::text is null or k.projection = %(projection)s)
    order by k.at, k.projection, k.feature_id
"""
DUE: Final = """
    select k.projection, k.generation, k.feature_id, k.version, k.error, k.at,
      (select s.tenant_id from es.streams s where s.stream_id = k.feature_id), k.tries, k.retry_at
    from app.parked k join app.positions p using (projection, generation)
    where p.active and (k.retry_at is null or k.retry_at <= clock_timestamp())
    order by k.retry_at nulls first, k.at, k.projection, k.feature_id limit %s
"""
ALL_AGAIN: Final = """
    update app.parked set retry_at = null where retry_at is not null and projection = any(%s)
"""
POSTPONE: Final = """
    update app.parked set tries = tries + 1, error = %(error)s,
      retry_at = clock_timestamp() + make_interval(
        secs => least(%(longest)s, %(pause)s * power(2, least(tries, 20))))
    where projection = %(projection)s and generation = %(generation)s
      and feature_id = %(feature_id)s
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
    tries: int = 0
    """How often it was tried again."""
    retry_at: datetime | None = None
    """When it is tried again by itself; None is soon."""


Applied = Callable[[UUID, UUID, int, int], Awaitable[None]]
"""Told after a feature was let go: tenant, feature, version and position that its rows show."""


async def _nobody(_tenant: UUID, _feature: UUID, _version: int, _position: int) -> None:
    """Nobody wants to know."""


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

    A row that cannot be read is folded anew from the first event.

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
        released += await _retry(database, source, feature, known, anew=True) is not None
    return released, len(waiting) - released


class Retrying:
    """Tries again, for as long as a projector runs, what it could not apply."""

    def __init__(
        self,
        database: Database,
        source: Source,
        *,
        applied: Applied = _nobody,
        projections: Sequence[Projection[Any]] = PROJECTIONS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """Take the projector's database, the log, who is told, and what to fold."""
        self._database = database
        self._source = source
        self._applied = applied
        self._projections = {each.name: each for each in projections}
        self._look_seconds = look_seconds
        self._begun = False

    async def run(self, stop: asyncio.Event) -> None:
        """Try everything once, then what is due, until told to stop."""
        outage = Outage(log, "parked_features_not_tried")
        while not stop.is_set():
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - a defect, too, is waited out: it is told.
                outage.on(error)
            else:
                outage.over()
            await is_set_within(stop, self._look_seconds)

    async def look(self) -> int:
        """Try those whose time has come; how many go on. Raises Unavailable."""
        async with self._database.system() as connection:
            if not self._begun:
                # This program may be newer than the one that parked them.
                await connection.execute(ALL_AGAIN, ([*self._projections],))
            found = await connection.execute(DUE, (AT_ONCE,))
            due = [ParkedFeature(*row) for row in await found.fetchall()]
        self._begun = True
        released = 0
        for feature in due:
            if feature.projection in self._projections:
                released += await self._try(feature)
        return released

    async def _try(self, feature: ParkedFeature) -> bool:
        try:
            reached = await _retry(self._database, self._source, feature, self._projections)
            error = feature.error
        except Exception as failure:  # noqa: BLE001 - the next one is tried all the same.
            reached, error = None, f"{type(failure).__name__}: it cannot be tried"
        if reached is None:
            await self._postpone(feature, error)
            return False
        log.info(
            "feature_goes_on", projection=feature.projection, feature_id=str(feature.feature_id)
        )
        await self._applied(feature.tenant_id, feature.feature_id, *reached)
        return True

    async def _postpone(self, feature: ParkedFeature, error: str) -> None:
        values = {
            "projection": feature.projection,
            "generation": feature.generation,
            "feature_id": feature.feature_id,
            "error": error,
            "pause": PAUSE_SECONDS[0],
            "longest": PAUSE_SECONDS[1],
        }
        async with self._database.system() as connection:
            await connection.execute(POSTPONE, values)


async def _retry(
    database: Database,
    source: Source,
    feature: ParkedFeature,
    known: dict[str, Projection[Any]],
    *,
    anew: bool = False,
) -> tuple[int, int] | None:
    """Apply what waits; the version and position that its rows show then, None if it still waits.

    A row that cannot be read is left to the newer version that may have written it, unless `anew`.
    """
    numbers = {feature.projection: feature.generation}
    async with database.system() as connection:
        position = await held(connection, numbers)
        if position is None:
            return None
        generations = Generations(numbers, position)
        wanted = {feature.projection: {feature.feature_id: feature.tenant_id}}
        rows, _ = await load(connection, generations, wanted, known)
        # From the first event that failed: the rows hold everything before it.
        version = feature.version
        anew = anew and SPOILT in rows[feature.projection][feature.feature_id].values()
        if anew:
            rows, version = {}, 1
        entries = await source.of_feature(feature.feature_id, version, position)
        batch = Batch([known[feature.projection]], rows, quiet=True)
        batch.add(entries)
        if batch.parked:
            return None
        if anew:
            named = (feature.projection, feature.generation, feature.tenant_id)
            await clear_feature(connection, *named, feature.feature_id)
        batch.released.append((feature.projection, feature.feature_id))
        await save(connection, generations, batch, position)
    reached = batch.reached.get(feature.feature_id)
    return (reached[1], reached[2]) if reached else (feature.version, position)
