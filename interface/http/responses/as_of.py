"""Time travel: which version a read is about, and the rows as they were then.

Invariant: a past version is folded from the log by the read models' own folds, and its answer says
which version it is and whether that is the present.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from litestar import Response
from litestar.di import NamedDependency
from msgspec import Struct

from application.running.stretches import AT_ONCE, stretches
from domain.errors import NotFound
from domain.status import Status
from interface.http.preconditions import etag
from interface.http.problems.table import Fault, refuse
from interface.http.requests.parameters import AsOfTime, AsOfVersion, read_time
from interface.http.services import FeatureUseCases, Services
from projections.feature import FEATURE, FeatureRow
from projections.past import Looking, Past
from projections.projection import ONLY, Rows, apply
from projections.store import Page, Standing

T = TypeVar("T")

PRESENT: Final = "X-Present"
"""The header that says whether an answer is about the feature as it is now."""


class AsOf(Struct, frozen=True):
    """A place in a feature's life; the present, if nothing is said."""

    version: int | None = None
    at: datetime | None = None

    @property
    def is_present(self) -> bool:
        """Whether nothing was said."""
        return self.version is None and self.at is None


NOW: Final = AsOf()

AsOfDependency = NamedDependency[AsOf]
"""What `version` and `at` say."""


async def read_as_of(version: AsOfVersion = None, at: AsOfTime = None) -> AsOf:
    """Read the two parameters. Raises HttpProblem."""
    if version is not None and at is not None:
        faults = tuple(Fault(name, "Give a version or a time, not both") for name in AS_OF)
        raise refuse("invalid_request", errors=faults)
    return AsOf(version, read_time("at", at, zoned=True))


AS_OF: Final = ("version", "at")


class FeatureSnapshot(Struct, frozen=True):
    """A feature as it is, or as it was."""

    row: FeatureRow
    latest: int
    """The version that the log has now."""
    past: Past | None = None
    """The rows folded from the log; None in the present, as soon as the read models answer."""

    @property
    def is_present(self) -> bool:
        """Whether this is the feature as it is now."""
        return self.past is None or self.row.version == self.latest

    @property
    def headers(self) -> dict[str, str]:
        """What every answer about it carries."""
        return {"ETag": etag(self.row.version), PRESENT: str(self.is_present).lower()}

    @property
    def actions(self) -> tuple[str, ...]:
        """What a person may do: of the past, only go back to it, fork it, or compare with it."""
        if self.is_present:
            return (*self.row.actions, *(("stop",) if self.row.can_stop else ()))
        marked = any(mark.version == self.row.version for mark in self.row.checkpoints)
        return ("replay", "fork", "compare") if marked else ("compare",)

    def answer(self, body: Any) -> Response[Any]:  # noqa: ANN401 - any view.
        """The response about it."""
        return Response(body, headers=self.headers)


async def load_snapshot(
    services: Services,
    tenant_id: UUID,
    feature_id: UUID,
    when: AsOf = NOW,
    min_version: int | None = None,
    *,
    row_only: bool = False,
) -> FeatureSnapshot:
    """A feature as it is, or as it was at a moment.

    Args:
        services: What to ask.
        tenant_id: Whose.
        feature_id: Which.
        when: At which moment.
        min_version: Wait, for a moment, until the read models show it.
        row_only: No other read model is asked beside. Then nothing is waited for: what the row
            does not show yet is folded over it from the log.

    Raises:
        NotFound: there is no such feature.
        HttpProblem: `no_such_version`.
    """
    if when.is_present:
        standing = await services.reads.standing(tenant_id, feature_id)
        if standing.row is not None and standing.row.version == standing.latest:
            return FeatureSnapshot(standing.row, standing.latest)
        if row_only:
            row = await caught_up(services.features, tenant_id, feature_id, standing)
            if row is not None:
                return FeatureSnapshot(row, row.version)
    # It is behind, or cannot be read, or there is none: the log knows.
    known = await services.features.load(tenant_id, feature_id)
    if known.version == 0 or known.status is Status.DELETED:
        services.pasts.forget(feature_id)
        raise NotFound
    if not when.is_present:
        past = await read_past(services, tenant_id, feature_id, when)
        return FeatureSnapshot(past.feature, known.version, past)
    # What the log has not got is not worth waiting for.
    wanted = None if min_version is None else min(min_version, known.version)
    row = await services.reads.feature(tenant_id, feature_id, min_version=wanted)
    if row is not None:
        return FeatureSnapshot(row, known.version)
    # The read models do not hold it yet: whoever created it is told what the log says.
    past = await read_past(services, tenant_id, feature_id, AsOf(known.version))
    return FeatureSnapshot(past.feature, known.version, past)


async def caught_up(
    features: FeatureUseCases, tenant_id: UUID, feature_id: UUID, standing: Standing
) -> FeatureRow | None:
    """A row with what the log holds behind it, folded as the read models fold it.

    None where there is no such row, such as of a deleted feature, where it would take long, and
    where the fold fails: then the projector parks the feature, and says so.
    """
    behind = standing.latest - standing.shown
    if not 0 < behind <= AT_ONCE:
        return None
    rows: Rows = {} if standing.row is None else {ONLY: standing.row}
    newer = await features.since(tenant_id, feature_id, standing.shown)
    try:
        for recorded in newer:
            apply(FEATURE, rows, recorded)
    except Exception:  # noqa: BLE001 - whatever it is, the row that there is will do.
        return None
    row: FeatureRow | None = rows.get(ONLY)
    return row


async def read_past(services: Services, tenant_id: UUID, feature_id: UUID, when: AsOf) -> Past:
    """The rows as they were, of a feature that is there. Raises as `load_snapshot` does."""
    if when.version is not None:
        remembered = services.pasts.find(tenant_id, feature_id, when.version)
        if remembered is not None:
            return remembered
    looking, events = Looking(), 0
    async with services.turns.long(tenant_id):
        async for stretch in stretches(services.log, tenant_id, feature_id, upto=when.version):
            seen = [r for r in stretch if when.at is None or r.recorded_at <= when.at]
            await services.turns.through(seen, looking.add)
            events += len(seen)
            if len(seen) < len(stretch):
                break
    past = looking.past()
    if past is None or (when.version is not None and events < when.version):
        raise refuse("no_such_version")
    services.pasts.keep(tenant_id, past)
    return past


def page_of(items: Sequence[T], limit: int) -> Page[T]:
    """The first of these, and whether there are more."""
    return Page(tuple(items[:limit]), len(items) > limit)
