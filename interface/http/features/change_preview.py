"""What a changed brief would touch, for whoever is about to confirm it.

Invariant: it is the very computation that holds the agents to it; nothing is stored or paid.
"""

from decimal import Decimal

from litestar import post
from litestar.params import JSONBody
from msgspec import Struct

from application.audit.estimate import Estimate, scaled
from application.execution.standing import ChangePreview, KindPreview
from domain import commands as c
from domain.errors import EmptyBrief
from domain.impact import ImpactKind
from domain.status import Step
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted
from interface.http.requests.parameters import FeatureId
from interface.limits import Rate

_OF_STEP = {Step.SPEC: ImpactKind.REQUIREMENTS}
"""What of a kind must be written anew in a step that begins at once."""


class PricedPreview(Struct, frozen=True):
    """What a changed brief would touch, and what the work until the next gate roughly costs."""

    preview: ChangePreview
    estimate: Estimate


@post(
    "/features/{feature_id:str}/impact",
    status_code=200,
    summary="What a changed brief would touch",
    guards=[Counted(Rate.DECIDE)],
)
async def preview_change(
    services: OfServices, tenant_id: OfTenant, feature_id: FeatureId, data: JSONBody[c.ReviseBrief]
) -> PricedPreview:
    """What would change, what surely stays, and the estimate scaled by what is stale.

    Without an application that stands (in the first round, and in a fork) `kinds` is empty.
    """
    estimate = await services.estimates.of(
        tenant_id, feature_id, c.ReviseBrief("x"), len(data.brief)
    )
    reading = await services.readings.of(tenant_id, data.brief, data.wanted)
    if not reading.points:
        raise EmptyBrief
    feature = await services.features.load(tenant_id, feature_id)
    preview = await services.standings.preview(tenant_id, feature, feature_id, reading.points)
    kinds = {one.kind: one for one in preview.kinds}
    shares = {step: _share(kinds[kind]) for step, kind in _OF_STEP.items() if kind in kinds}
    return PricedPreview(preview, scaled(estimate, shares))


def _share(kind: KindPreview) -> Decimal:
    """The part that is stale. A new point is written, too: it is never nothing."""
    every = len(kind.changes) + len(kind.stays)
    return Decimal(max(1, len(kind.changes))) / max(1, every)


HANDLERS = (preview_change,)
