"""Fills projections again from the first event, beside the rows that are shown, then switches.

Invariant: reads see the old rows or the new ones, the new ones never behind the old. A rebuild that
dies goes on where it was when it is asked for again.
"""

import contextlib
import gc
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

import structlog
from msgspec import Struct

from application.ports import Unavailable
from infrastructure.postgres.database import AsyncBoundedConnection, Database
from infrastructure.read_models.cache import Cache
from infrastructure.read_models.fold import Batch, Entry, touched_by
from infrastructure.read_models.generations import Generation, known, together
from infrastructure.read_models.source import Source
from infrastructure.read_models.views import (
    Generations,
    clear,
    held,
    load,
    locked,
    save,
    save_apart,
)
from projections.catalogue import PROJECTIONS
from projections.projection import Projection

log = structlog.get_logger(__name__)

PAGE: Final = 2_000
"""Events read at once."""
BATCH: Final = 10_000
"""Events folded in memory before their rows are written: a row is written once for all of them."""
CACHED_FEATURES: Final = 4_000
GAP: Final = 500
"""How many events may be folded while the projections stand still for the switch."""
BEGIN: Final = """
    insert into app.positions (projection, generation, position, active)
    select name, 1 + max(p.generation), 0, false
    from unnest(%s::text[]) as name join app.positions p on p.projection = name
    group by name having not bool_or(not p.active)
    on conflict do nothing
"""
RETIRE: Final = "delete from app.positions where projection = any(%s) and active"
SHOW: Final = """
    update app.positions p set active = true
    from unnest(%s::text[], %s::int[]) as wanted (projection, generation)
    where p.projection = wanted.projection and p.generation = wanted.generation
"""


class RebuildProgress(Struct, frozen=True):
    """How far a rebuild is."""

    position: int
    goal: int
    events: int
    """Read so far, by this call."""
    rate: float
    """Events a second, so far."""
    switched: bool = False


class Rebuilder:
    """Rebuilds projections while the projector goes on with the rows that are shown."""

    def __init__(
        self,
        database: Database,
        source: Source,
        *,
        projections: Sequence[Projection[Any]] = PROJECTIONS,
        page: int = PAGE,
        batch: int = BATCH,
    ) -> None:
        """Rebuild from a log.

        Args:
            database: As role `bp_projector`.
            source: The log.
            projections: All there are.
            page: Events read at once.
            batch: Events whose rows are written together.
        """
        self._database = database
        self._source = source
        self._projections = {projection.name: projection for projection in projections}
        self._page = page
        self._batch = batch
        self._began = 0.0
        self._events = 0

    async def rebuild(
        self,
        names: Collection[str] | None = None,
        progress: Callable[[RebuildProgress], None] = lambda _: None,
    ) -> None:
        """Fill and switch.

        Args:
            names: Which projections; None is all of them.
            progress: Told after every batch, and at the end.

        Raises:
            KeyError: there is no such projection.
            Unavailable: the database does not answer; ask again to go on.
        """
        wanted = [self._projections[name] for name in (names or self._projections)]
        self._began, self._events = time.monotonic(), 0
        cache = Cache(CACHED_FEATURES)
        await self._begin([projection.name for projection in wanted])
        with _seldom_collected():
            await self._build(wanted, cache, progress)
        await clear(self._database, [projection.name for projection in wanted])

    async def _build(
        self,
        wanted: Sequence[Projection[Any]],
        cache: Cache,
        progress: Callable[[RebuildProgress], None],
    ) -> None:
        """Fill and switch, until nothing is left to build."""
        while True:
            building, shown = await self._stand(wanted)
            if not building:
                return
            generations, ahead = together(building)
            goal = min(generation.position for generation in shown)
            if generations.position < min(goal, ahead or goal):
                upto = min(goal, ahead or goal)
                moved = await self._fill(generations, upto, cache)
                progress(self._progress(moved, goal))
            elif await self._switch(generations, shown, cache):
                progress(self._progress(goal, goal, switched=True))

    def _progress(self, position: int, goal: int, *, switched: bool = False) -> RebuildProgress:
        seconds = max(time.monotonic() - self._began, 1e-6)
        return RebuildProgress(position, goal, self._events, self._events / seconds, switched)

    async def _begin(self, names: Sequence[str]) -> None:
        async with self._database.system() as connection:
            await known(connection, self._projections.values())
            await connection.execute(BEGIN, (names,))

    async def _stand(
        self, wanted: Sequence[Projection[Any]]
    ) -> tuple[Sequence[Generation], Sequence[Generation]]:
        async with self._database.system() as connection:
            found = await known(connection, wanted)
        building = [generation for generation in found if not generation.active]
        names = {generation.projection for generation in building}
        return building, [g for g in found if g.active and g.projection in names]

    async def _fill(self, generations: Generations, upto: int, cache: Cache) -> int:
        """Fold one batch and write it; the position it reached."""
        position, head = generations.position, None
        entries: list[Entry] = []
        while position < upto and len(entries) < self._batch:
            page = await self._source.page(position, self._page, upto)
            if page.upto <= position:
                break
            entries.extend(page.entries)
            self._events += page.events
            position, head = page.upto, page.head or head
        try:
            return await self._saved(generations, entries, cache, position, head)
        except (Unavailable, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - one feature is at fault: which, is found out.
            log.warning("page_refused", cause=type(error).__name__, at=generations.position)
            cache.clear()
            return await self._saved(generations, entries, cache, position, head, apart=True)

    async def _saved(
        self,
        generations: Generations,
        entries: Sequence[Entry],
        cache: Cache,
        position: int,
        head: tuple[int, bytes] | None,
        *,
        apart: bool = False,
    ) -> int:
        """Fold and write; the position that was reached."""
        batch = await self._folded(generations, entries, cache)
        async with self._database.system() as connection:
            if await locked(connection, generations, wait=True):
                write = save_apart if apart else save
                await write(connection, generations, batch, position, head)
                return position
        cache.clear()
        return generations.position

    async def _folded(
        self, generations: Generations, entries: Sequence[Entry], cache: Cache
    ) -> Batch:
        projections = [self._projections[name] for name in generations.of]
        wanted = touched_by(projections, entries)
        here, missing = cache.find(generations, wanted)
        async with self._database.system() as connection:
            loaded, parked = await load(connection, generations, missing, self._projections)
        rows = {name: {**here[name], **loaded[name]} for name in wanted}
        batch = Batch(projections, rows, parked)
        batch.add(entries)
        cache.keep(generations, rows, batch.waiting)
        return batch

    async def _switch(
        self, generations: Generations, shown: Sequence[Generation], cache: Cache
    ) -> bool:
        """Show the new rows instead of the old, if both stand at the same place."""
        names, numbers = generations.columns()
        active = {g.projection: g.number for g in shown if g.projection in generations.of}
        async with self._database.system() as connection:
            position = await held(connection, active)
            if position is None or not await locked(connection, generations, wait=True):
                return False
            if position - generations.position > GAP:
                return False
            if position > generations.position:
                await self._close(connection, generations, position, cache)
            await connection.execute(RETIRE, (names,))
            await connection.execute(SHOW, (names, numbers))
        log.info("read_models_switched", projections=names, position=position)
        return True

    async def _close(
        self,
        connection: AsyncBoundedConnection,
        generations: Generations,
        position: int,
        cache: Cache,
    ) -> None:
        """Fold what was appended since, while the old rows stand still."""
        page = await self._source.page(generations.position, GAP, position)
        batch = await self._folded(generations, page.entries, cache)
        await save(connection, generations, batch, page.upto, page.head)


@contextlib.contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let the collector of cycles look less often.

    Rows and events are many and hold no cycles; looking for some took a quarter of a rebuild.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
