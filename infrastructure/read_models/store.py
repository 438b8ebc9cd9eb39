"""The port `ReadStore` on PostgreSQL: each question one statement, each of one tenant.

Invariant: every statement reads the generation that is shown at its own moment, so a rebuild that
switches in between is not seen.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, LiteralString, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from application.ports import Unreadable, Why
from domain.status import Status
from infrastructure.postgres.database import READ_SECONDS, AsyncBoundedConnection, Database
from infrastructure.read_models.signals import Signals
from infrastructure.read_models.views import COMPLETE_UPTO
from projections.dashboard import DASHBOARD, DashboardRow
from projections.feature import FEATURE, FeatureRow
from projections.message import MESSAGE, MessageRow, item_of
from projections.projection import Projection
from projections.run import RUN, RunRow
from projections.store import LIMIT, MOST, Page, Standing

R = TypeVar("R", bound=Struct)

FEATURES: Final = "select feature_id, row from app.feature_page(%s, %s, %s, %s, %s)"
FORKS: Final = "select feature_id, row from app.fork_page(%s, %s, %s, %s)"
ROW: Final = "select app.view_row(%s, %s, %s, %s)"
STANDING: Final = "select row, latest from app.standing(%s, %s)"
VISIBLE: Final = """
    select row::text from app.views
    where projection = 'message' and feature_id = %(feature_id)s and key > %(after)s
      and generation = (
        select generation from app.positions where projection = 'message' and active)
      and version <@ %(visible)s::int4multirange
    order by key limit %(limit)s
"""
BY_TIME: Final = """
    select row::text from app.views
    where projection = 'run' and feature_id = %(feature_id)s
      and generation = (select generation from app.positions where projection = 'run' and active)
      and (row ->> 'version')::int > %(after)s
    order by (row ->> 'version')::int limit %(limit)s
"""
POSITION: Final = f"select {COMPLETE_UPTO}"
LAG: Final = (
    "select greatest(0, case when s.is_called then s.last_value else 0 end"  # noqa: S608 - no input.
    f" - {COMPLETE_UPTO}) from es.positions s"
)

NEWEST: Final = UUID(int=2**128 - 1)
"""Behind every feature that will ever be."""

POLL_SECONDS: Final = (0.03, 0.25)
"""How often a waiting read looks again by itself: at first, and at last. One that is told when the
row changes looks as at last."""

Watch = Callable[[UUID, UUID | None], AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]]]
"""What is said about one feature, by tenant and feature (`ports.Live.watch`)."""


class PostgresReadStore:
    """The read models' rows."""

    def __init__(self, database: Database, *, watch: Watch | None = None) -> None:
        """Read as role `bp_api`.

        Args:
            database: Where the rows are.
            watch: Signals that a feature's rows changed; without them, waiting reads poll.
        """
        self._database = database
        self._watch = watch

    async def features(
        self,
        tenant_id: UUID,
        *,
        status: Status | None = None,
        q: str = "",
        limit: int = LIMIT,
        after: UUID | None = None,
    ) -> Page[DashboardRow]:
        """The tenant's features, newest first."""
        title = q.strip().lower()
        words = f"%{_literal(title)}%" if title else None
        asked = (tenant_id, after or NEWEST, status and str(status), words)
        return await self._listed(FEATURES, asked, limit)

    async def feature(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        min_version: int | None = None,
        timeout: float = 2.0,  # noqa: ASYNC109 - how long to wait is the caller's to say.
    ) -> FeatureRow | None:
        """One feature, as soon as it has reached `min_version`, or as it is after `timeout`."""
        row = await self._row(tenant_id, FEATURE, feature_id)
        if min_version is None or _reached(row, min_version):
            return row
        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(timeout),
                self._signals(tenant_id, feature_id, min_version) as signals,
            ):
                poll = POLL_SECONDS[self._watch is not None]
                while not _reached(row, min_version):
                    await signals.wait(poll)
                    poll = min(2 * poll, POLL_SECONDS[1])
                    row = await self._row(tenant_id, FEATURE, feature_id)
        return row

    async def standing(self, tenant_id: UUID, feature_id: UUID) -> Standing:
        """One feature's row, and how far the log is."""
        asked = (tenant_id, feature_id)
        [(row, latest)] = await self._database.call(STANDING, asked, answer_seconds=READ_SECONDS)
        return Standing(None if row is None else _decoded(FEATURE, row), latest)

    async def forks(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = LIMIT, after: UUID | None = None
    ) -> Page[DashboardRow]:
        """The features that were forked from this one, newest first."""
        return await self._listed(FORKS, (tenant_id, feature_id, after or NEWEST), limit)

    async def messages(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = LIMIT, after: int = 0
    ) -> Page[MessageRow]:
        """The visible conversation, oldest first."""
        feature = await self._row(tenant_id, FEATURE, feature_id)
        if feature is None:
            return Page(())
        content = feature.state.content
        closed = "".join(f"[{span.first},{span.last}]," for span in content.conversation)
        values = {
            "feature_id": feature_id,
            "after": item_of(after),
            "visible": f"{{{closed}[{content.since},)}}",
        }
        return await self._page(tenant_id, VISIBLE, MESSAGE, values, limit)

    async def runs(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = LIMIT, after: int = 0
    ) -> Page[RunRow]:
        """Every agent run, oldest first."""
        values = {"feature_id": feature_id, "after": after}
        return await self._page(tenant_id, BY_TIME, RUN, values, limit)

    async def position(self) -> int:
        """The place in the log up to which every read model is applied."""
        return await self._number(POSITION)

    async def lag(self) -> int:
        """Places in the log that are not applied yet; holes are counted."""
        return await self._number(LAG)

    async def _number(self, query: LiteralString) -> int:
        rows = await self._database.call(query)
        return int(rows[0][0]) if rows else 0

    async def _row(self, tenant_id: UUID, projection: Projection[R], feature_id: UUID) -> R | None:
        found = await self._database.call(ROW, (tenant_id, projection.name, feature_id, ""))
        row = found[0][0]
        return None if row is None else _decoded(projection, row)

    async def _page(
        self,
        tenant_id: UUID,
        query: str,
        projection: Projection[R],
        values: dict[str, Any],
        limit: int,
    ) -> Page[R]:
        wanted = _bounded(limit)
        async with self._database.tenant(tenant_id) as connection:
            found = await _rows(connection, query, {**values, "limit": wanted + 1})
        rows = tuple(_decoded(projection, row) for (row,) in found[:wanted])
        return Page(rows, len(found) > wanted)

    async def _listed(
        self, query: LiteralString, asked: tuple[Any, ...], limit: int
    ) -> Page[DashboardRow]:
        """A page of a list of features: one that cannot be read hides no other."""
        wanted = _bounded(limit)
        found = await self._database.call(query, (*asked, wanted + 1), answer_seconds=READ_SECONDS)
        rows: list[DashboardRow] = []
        unread: list[UUID] = []
        for feature_id, row in found[:wanted]:
            try:
                rows.append(_decoded(DASHBOARD, row))
            except Unreadable:
                unread.append(feature_id)
        return Page(tuple(rows), len(found) > wanted, tuple(unread))

    @contextlib.asynccontextmanager
    async def _signals(
        self, tenant_id: UUID, feature_id: UUID, version: int
    ) -> AsyncIterator[Signals]:
        signals = Signals(version)
        if self._watch is None:
            yield signals
            return
        # Beside the polls: nobody waits for a broker that does not answer.
        listening = asyncio.create_task(signals.follow(self._watch(tenant_id, feature_id)))
        try:
            yield signals
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _rows(
    connection: AsyncBoundedConnection, query: str, values: dict[str, Any]
) -> list[Any]:
    cursor = await connection.execute(query, values)
    return await cursor.fetchall()


def _decoded(projection: Projection[R], row: str | bytes) -> R:
    """A stored row. Raises Unreadable: a projector of a newer version may have written it."""
    try:
        return msgspec.json.decode(row, type=projection.row)
    except (msgspec.MsgspecError, RecursionError):
        raise Unreadable(f"Its row in `{projection.name}`", Why.NEWER) from None


def _reached(row: FeatureRow | None, version: int) -> bool:
    return row is not None and row.version >= version


def _bounded(limit: int) -> int:
    return max(1, min(limit, MOST))


def _literal(text: str) -> str:
    """The text as `ilike` takes it: nothing in it is a wildcard."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
