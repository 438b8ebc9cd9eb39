"""Keeps the read models up with the log, a page at a time.

Invariant: rows and position are committed together, so an event counts exactly once, however many
projectors run and wherever one of them dies. What cannot be applied parks its feature, and nothing
else: no event and no row stops a projector.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import structlog

from application.ports import Unavailable
from application.running.outage import Outage
from application.running.pulse import Pulse
from application.running.turns import SLICE
from application.running.waiting import any_set_within
from infrastructure.postgres.database import Database
from infrastructure.read_models.cache import Cache
from infrastructure.read_models.fold import Batch, RowsOf, begun_by, touched_by
from infrastructure.read_models.generations import Generation, known, together
from infrastructure.read_models.source import LogPage, Source
from infrastructure.read_models.views import (
    Generations,
    InNoLog,
    clear,
    is_plain,
    load,
    load_committed,
    locked,
    project,
    retire,
    save,
    save_apart,
    waiting_in,
)
from projections.catalogue import PROJECTIONS, RETIRED
from projections.projection import Projection

log = structlog.get_logger(__name__)

PAGE: Final = 500
"""Events of one transaction at most."""
SOON_SECONDS: Final = 0.02
LATER_SECONDS: Final = 0.25
"""How often an idle projector looks, unless it is woken: less and less."""
DOWN_SECONDS: Final = 1.0
"""How long it waits for a database that does not answer."""
RATE_SECONDS: Final = 10.0
LATE_SECONDS: Final = 15.0
CONFIRM_SECONDS: Final = 1.0
"""How often an idle projector looks where the database says that the read models stand."""

Applied = Callable[[UUID, UUID, int, int], Awaitable[None]]
"""Told after the commit: tenant, feature, and the version and position that its rows show."""

Wanted = Mapping[str, dict[UUID, UUID]]
"""The features whose rows a page may change, by projection, each with its tenant."""


async def _nobody(_tenant: UUID, _feature: UUID, _version: int, _position: int) -> None:
    """Nobody wants to know."""


class Projector:
    """Follows the log for all projections that are shown."""

    def __init__(
        self,
        database: Database,
        source: Source,
        *,
        applied: Applied = _nobody,
        projections: Sequence[Projection[Any]] = PROJECTIONS,
        page: int = PAGE,
    ) -> None:
        """Follow a log.

        Args:
            database: As role `bp_projector`.
            source: The log.
            applied: Told of every feature whose rows changed.
            projections: What to fold.
            page: Events of one transaction at most.
        """
        self._database = database
        self._source = source
        self._applied = applied
        self._projections = {projection.name: projection for projection in projections}
        self._page = page
        self._notified = asyncio.Event()
        self._cache = Cache()
        self._generations: Sequence[Generation] = ()
        self._parked: frozenset[tuple[str, UUID]] | None = None
        """Who waits, by projection, as far as it is known of all that is moved together."""
        self._confirmed_at = 0.0
        self._retired: Sequence[str] = RETIRED
        self._recent: deque[tuple[float, int]] = deque()
        self.pulse = Pulse("projector", within_seconds=LATE_SECONDS)

    def notify(self) -> None:
        """Say that the log has grown. Several notifications may count as one."""
        self._notified.set()

    @property
    def rate(self) -> float:
        """Events applied a second, by this process, over the last ten seconds."""
        self._forget()
        return sum(events for _, events in self._recent) / RATE_SECONDS

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the log until told to stop; the page under way is finished."""
        delay = SOON_SECONDS
        outage = Outage(log, "read_models_wait")
        while not stop.is_set():
            self._notified.clear()
            try:
                moved = await self.step()
                self.pulse.beat()
            except InNoLog:
                log.warning("page_in_no_log", consequence="it is read again")
                self.start_over()
                continue
            except Exception as error:  # noqa: BLE001 - a defect, too, is waited out: it is told.
                outage.on(error)
                self.start_over()
                await self._rest(stop, DOWN_SECONDS, woken=False)
                continue
            outage.over()
            if moved:
                delay = SOON_SECONDS
                continue
            await self._rest(stop, delay)
            delay = min(2 * delay, LATER_SECONDS)

    async def step(self) -> int:
        """Apply one page, if there is one; how many positions it moved.

        Raises:
            Unavailable: the database does not answer. Nothing was applied, or all of it.
        """
        if not self._generations:
            self._generations = await self._shown()
        generations, ahead = together(self._generations)
        page = await self._source.page(generations.position, self._page, ahead)
        if page.upto <= generations.position:
            await self._confirm()
            return 0
        try:
            try:
                batch = await self._commit(generations, page)
            except (Unavailable, OSError):
                raise
            except Exception as error:  # noqa: BLE001 - one feature is at fault: which, is found out.
                log.warning("page_refused", cause=type(error).__name__, at=generations.position)
                self._forget_rows()
                batch = await self._commit(generations, page, apart=True)
        except BaseException:
            self.start_over()
            raise
        if batch is None:
            # Another projector was faster, or a rebuild was switched: look again.
            self.start_over()
            return 0
        self._moved(generations, page)
        for feature_id, (tenant_id, version, position) in batch.reached.items():
            await self._applied(tenant_id, feature_id, version, position)
        return page.upto - generations.position

    def start_over(self) -> None:
        """Look again where the read models stand, and keep no row in memory."""
        self._generations = ()
        self._forget_rows()

    def _forget_rows(self) -> None:
        self._cache = Cache()
        self._parked = None

    async def _shown(self) -> Sequence[Generation]:
        async with self._database.system() as connection:
            found = await known(connection, self._projections.values())
        shown = [generation for generation in found if generation.active]
        if any(generation.position == 0 and generation.number > 1 for generation in shown):
            await clear(self._database, list(self._projections))  # Of what was filled anew.
        self._confirmed_at = time.monotonic()
        return shown

    async def _confirm(self) -> None:
        """See now and then that they stand where they are believed to: the log may be set back."""
        if time.monotonic() - self._confirmed_at < CONFIRM_SECONDS:
            return
        if self._retired:  # Once, when there is nothing better to do.
            await retire(self._database, self._retired)
            self._retired = ()
        before, now = self._generations, await self._shown()
        if [(*g[:3], g.head) for g in now] != [(*g[:3], g.head) for g in before]:
            self.start_over()

    async def _commit(
        self, generations: Generations, page: LogPage, *, apart: bool = False
    ) -> Batch | None:
        wanted = touched_by(self._of(generations), page.entries)
        # As long as some stand elsewhere, it is not known for all of them who waits.
        if len(generations.of) == len(self._projections) and not apart:
            if self._parked is None:
                self._parked = await waiting_in(self._database, generations)
            word, batch = await self._commit_at_once(generations, page, wanted, self._parked)
            if word == "in_no_log":
                raise InNoLog(InNoLog.__doc__)
            if word in ("moved", "elsewhere"):
                return batch if word == "moved" else None
            self._forget_rows()
        return await self._commit_holding(generations, page, wanted, apart=apart)

    async def _commit_at_once(
        self,
        generations: Generations,
        page: LogPage,
        wanted: Wanted,
        parked: Collection[tuple[str, UUID]],
    ) -> tuple[str, Batch]:
        """In one round trip, where the page only writes rows; what came of it, see `project`."""
        cached, missing = self._cache.find(generations, wanted)
        begun = begun_by(page.entries)  # Of a feature that begins here there are no rows yet.
        older = {
            name: {feature: tenant for feature, tenant in features.items() if feature not in begun}
            for name, features in missing.items()
        }
        loaded = await load_committed(self._database, generations, older, self._projections)
        rows: RowsOf = {
            name: {**{feature: {} for feature in missing[name]}, **cached[name], **loaded[name]}
            for name in wanted
        }
        batch = await self._folded(generations, rows, parked, page, quiet=True)
        if not is_plain(batch):
            return "not_plain", batch
        word = await project(self._database, generations, batch, parked, page.upto, page.head)
        if word == "moved":
            self._keep(generations, wanted, rows, batch)
        return word, batch

    async def _commit_holding(
        self, generations: Generations, page: LogPage, wanted: Wanted, *, apart: bool
    ) -> Batch | None:
        """With the positions held meanwhile: whatever it is that the page does."""
        cached, missing = self._cache.find(generations, wanted)
        async with self._database.system() as connection:
            if not await locked(connection, generations):
                return None
            loaded, parked = await load(connection, generations, missing, self._projections)
            rows = {name: {**cached[name], **loaded[name]} for name in wanted}
            batch = await self._folded(generations, rows, parked, page)
            write = save_apart if apart else save
            await write(connection, generations, batch, page.upto, page.head)
        self._keep(generations, wanted, rows, batch)
        return batch

    def _of(self, generations: Generations) -> Sequence[Projection[Any]]:
        return [self._projections[name] for name in generations.of]

    async def _folded(
        self,
        generations: Generations,
        rows: RowsOf,
        parked: Collection[tuple[str, UUID]],
        page: LogPage,
        *,
        quiet: bool = False,
    ) -> Batch:
        batch = Batch(self._of(generations), rows, parked, quiet=quiet)
        for start in range(0, len(page.entries), SLICE):
            batch.add(page.entries[start : start + SLICE])
            await asyncio.sleep(0)  # Whatever else this process does goes on meanwhile.
        return batch

    def _keep(self, generations: Generations, wanted: Wanted, rows: RowsOf, batch: Batch) -> None:
        # Only what was read: of features that no event of the page touches, the batch knows no row.
        read = {name: {f: rows[name][f] for f in features} for name, features in wanted.items()}
        self._cache.keep(generations, read, batch.waiting)

    def _moved(self, generations: Generations, page: LogPage) -> None:
        self._generations = [
            generation._replace(
                position=page.upto, head=page.head[1] if page.head else generation.head
            )
            if generations.of.get(generation.projection) == generation.number
            else generation
            for generation in self._generations
        ]
        self._recent.append((time.monotonic(), page.events))
        self._forget()

    def _forget(self) -> None:
        while self._recent and self._recent[0][0] < time.monotonic() - RATE_SECONDS:
            self._recent.popleft()

    async def _rest(self, stop: asyncio.Event, seconds: float, *, woken: bool = True) -> None:
        """Until woken or told to stop, but not longer."""
        events = (stop, self._notified) if woken else (stop,)
        await any_set_within(events, seconds)
