"""The read models, folded from a log in memory whenever they are asked."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from application.ports import Unavailable
from domain.recorded import Recorded
from domain.status import Status
from projections.dashboard import DASHBOARD, DashboardRow
from projections.feature import FEATURE, FeatureRow
from projections.message import MESSAGE
from projections.projection import Projection, apply
from projections.run import RUN
from projections.store import LIMIT, MOST, Page, Standing
from tests.fakes.log import MemoryLog


class ReadableLog(MemoryLog):
    """The log in memory, with a switch for an outage and a signal for who waits."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.down = False
        self.grown = asyncio.Condition()

    def _stream(self, tenant_id: UUID, feature_id: UUID) -> list[Recorded]:
        if self.down:
            raise Unavailable("database")
        return super()._stream(tenant_id, feature_id)

    async def append(self, *args: Any, **more: Any) -> Sequence[Recorded]:
        recorded = await super().append(*args, **more)
        async with self.grown:
            self.grown.notify_all()
        return recorded


class FoldedReads:
    """The port `ReadStore`: every question folded from the log when it is asked.

    `hidden` is how many of the newest events the read models do not hold yet.
    """

    def __init__(self, log: ReadableLog) -> None:
        self._log = log
        self.hidden = 0

    def _known(self) -> list[Recorded]:
        if self._log.down:
            raise Unavailable("database")
        return self._log.events[: len(self._log.events) - self.hidden]

    def _rows(self, projection: Projection[Any], tenant_id: UUID) -> dict[UUID, dict[str, Any]]:
        rows: dict[UUID, dict[str, Any]] = {}
        for event in self._known():
            if event.tenant_id == tenant_id:
                apply(projection, rows.setdefault(event.feature_id, {}), event)
        return rows

    def _newest(self, tenant_id: UUID, after: UUID | None) -> list[DashboardRow]:
        by_feature = self._rows(DASHBOARD, tenant_id)
        found = [row for rows in by_feature.values() for row in rows.values()]
        shown = [row for row in found if after is None or row.id < after]
        return sorted(shown, key=lambda row: row.id, reverse=True)

    def _of(self, projection: Projection[Any], tenant_id: UUID, feature_id: UUID) -> list[Any]:
        rows = self._rows(projection, tenant_id).get(feature_id, {})
        return [rows[item] for item in sorted(rows)]

    async def features(
        self,
        tenant_id: UUID,
        *,
        status: Status | None = None,
        q: str = "",
        limit: int = LIMIT,
        after: UUID | None = None,
    ) -> Page[Any]:
        title = q.strip().lower()
        rows = self._newest(tenant_id, after)
        wanted = [r for r in rows if status is None or r.status is status]
        return _page([r for r in wanted if title in r.title.lower()], limit)

    async def feature(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        min_version: int | None = None,
        timeout: float = 2.0,  # noqa: ASYNC109 - the port's word.
    ) -> FeatureRow | None:
        async with self._log.grown:
            row = next(iter(self._of(FEATURE, tenant_id, feature_id)), None)
            while min_version and (row is None or row.version < min_version):
                try:
                    async with asyncio.timeout(timeout / 10):
                        await self._log.grown.wait()
                except TimeoutError:
                    return row
                row = next(iter(self._of(FEATURE, tenant_id, feature_id)), None)
        return row

    async def standing(self, tenant_id: UUID, feature_id: UUID) -> Standing:
        stream = [
            r for r in self._log.events if (r.tenant_id, r.feature_id) == (tenant_id, feature_id)
        ]
        row = next(iter(self._of(FEATURE, tenant_id, feature_id)), None)
        parked = any(feature == feature_id for feature, _ in self._log.unread)
        return Standing(None if parked else row, stream[-1].version if stream else 0)

    async def forks(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = LIMIT, after: UUID | None = None
    ) -> Page[Any]:
        rows = self._newest(tenant_id, after)
        return _page([r for r in rows if r.forked_from and r.forked_from.id == feature_id], limit)

    async def messages(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = LIMIT, after: int = 0
    ) -> Page[Any]:
        row = await self.feature(tenant_id, feature_id)
        said = self._of(MESSAGE, tenant_id, feature_id)
        shown = [m for m in said if row and row.shows(m.version) and m.version > after]
        return _page(shown, limit)

    async def runs(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = LIMIT, after: int = 0
    ) -> Page[Any]:
        runs = sorted(self._of(RUN, tenant_id, feature_id), key=lambda r: r.version)
        return _page([r for r in runs if r.version > after], limit)

    async def position(self) -> int:
        known = self._known()
        return known[-1].position if known else 0

    async def lag(self) -> int:
        return self.hidden


def _page(rows: Sequence[Any], limit: int) -> Page[Any]:
    wanted = max(1, min(limit, MOST))
    return Page(tuple(rows[:wanted]), len(rows) > wanted)
