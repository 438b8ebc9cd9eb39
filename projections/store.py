"""Reading what was projected: the questions that screens ask, always of one tenant.

Rows never tell more than the log; texts are read from the log by the versions that rows name.
"""

from typing import Generic, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from domain.status import Status
from projections.dashboard import DashboardRow
from projections.feature import FeatureRow
from projections.message import MessageRow
from projections.run import RunRow

T = TypeVar("T")

LIMIT = 50
"""Rows of a page, unless asked for more."""

MOST = 200
"""Rows of a page at most."""


class Page(Struct, Generic[T], frozen=True):
    """A part of a list."""

    items: tuple[T, ...]
    more: bool = False
    """Whether the list goes on behind them."""
    unread: tuple[UUID, ...] = ()
    """In a list of features: those whose row a newer version wrote, and which is not shown here."""


class Standing(Struct, frozen=True):
    """A feature's row, and how far the log is."""

    row: FeatureRow | None
    """None if the read models do not hold it, or not any more."""
    latest: int
    """The version that the log has; 0 if there is no such feature, or it is another tenant's."""

    @property
    def shown(self) -> int:
        """The version that the row shows, 0 without one."""
        return self.row.version if self.row else 0


class ReadStore(Protocol):
    """The rows of every read model. All methods raise `ports.Unavailable` without a database.

    What a newer version wrote raises `ports.Unreadable` where one feature is asked for, and stands
    in `unread` of a list of features: the others are shown.

    `limit` counts rows, from 1 to 200. `after` is the key of the last row of the page before, asked
    for with the same filters: a feature's id, or the row's version.
    """

    async def features(
        self,
        tenant_id: UUID,
        *,
        status: Status | None = None,
        q: str = "",
        limit: int = LIMIT,
        after: UUID | None = None,
    ) -> Page[DashboardRow]:
        """The tenant's features, newest first.

        Args:
            tenant_id: Whose.
            status: Only those that stand there.
            q: Only those whose title contains it, in whatever case.
            limit: How many at most.
            after: The last feature of the page before.
        """

    async def feature(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        min_version: int | None = None,
        timeout: float = 2.0,  # noqa: ASYNC109 - how long to wait is the caller's to say.
    ) -> FeatureRow | None:
        """One feature; None if there is none, or it is another tenant's.

        Args:
            tenant_id: Whose.
            feature_id: Which.
            min_version: Wait until the row has reached it.
            timeout: Seconds to wait at most; then what there is, is the answer.
        """

    async def standing(self, tenant_id: UUID, feature_id: UUID) -> Standing:
        """One feature's row beside the version that the log has, as of one moment."""

    async def forks(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = LIMIT, after: UUID | None = None
    ) -> Page[DashboardRow]:
        """The features that were forked from this one, newest first."""

    async def messages(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = LIMIT, after: int = 0
    ) -> Page[MessageRow]:
        """The visible conversation, oldest first."""

    async def runs(
        self, tenant_id: UUID, feature_id: UUID, *, limit: int = LIMIT, after: int = 0
    ) -> Page[RunRow]:
        """Every agent run, oldest first."""

    async def position(self) -> int:
        """The place in the log up to which every read model is applied."""

    async def lag(self) -> int:
        """Places in the log that are not applied yet; holes are counted."""
