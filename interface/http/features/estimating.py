"""What a decision would roughly cost, for whoever is about to take it.

Invariant: it only reads; what would be refused is refused here too, in the same words.
"""

from enum import StrEnum
from uuid import UUID

from litestar import get
from litestar.params import FromQuery

from application.audit.estimate import Estimate
from domain import commands as c
from domain.comments import Comment
from domain.errors import NotFound, NotNow
from domain.lifecycle import GATE_STATUS
from domain.status import Status
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.signed_in import caller_of
from interface.http.problems.table import Fault, refuse
from interface.http.requests.body import JsonRequest
from interface.http.requests.parameters import FeatureId, Length, Target
from interface.http.services import Services, of


class PaidAction(StrEnum):
    """What a person may decide that sets agents to work; named as in `actions`."""

    CONFIRM = "confirm"
    APPROVE = "approve"
    REVISE = "revise"
    REWRITE = "rewrite"
    RETRY = "retry"
    REPLAY = "replay"
    RESUME = "resume"


@get("/features/{feature_id:str}/estimate", summary="What a decision would roughly cost")
async def estimate_cost(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    action: FromQuery[PaidAction],
    length: Length = 0,
    version: Target = None,
) -> Estimate:
    """An estimate of the work until a person decides again, or until the end.

    `basis` says what it rests on: recorded runs of the same agents and models, scaled by the length
    of what goes in; without any, list prices and typical lengths; the demo model costs nothing.
    Going back or trying again may cost nothing: what is recorded for the same inputs is taken
    again.
    """
    command = await _meant(services, tenant_id, feature_id, action, version)
    return await services.estimates.of(tenant_id, feature_id, command, length)


@get("/estimate", summary="What a first brief would roughly cost")
async def estimate_brief(request: JsonRequest, length: Length = 0) -> Estimate:
    """An estimate of confirming a brief of so many characters, for a feature not begun yet."""
    tenant_id = caller_of(request).tenant_id
    return await of(request.app.state).estimates.of_new(tenant_id, length)


async def _meant(
    services: Services, tenant_id: UUID, feature_id: UUID, action: PaidAction, version: int | None
) -> c.FeatureCommand:
    match action:
        case PaidAction.CONFIRM:
            return c.ConfirmBrief("x")
        case PaidAction.REVISE:
            return c.ReviseBrief("x")
        case PaidAction.RETRY:
            return c.RetryFeature()
        case PaidAction.RESUME:
            return c.ResumeWork()
        case PaidAction.REPLAY:
            if version is None:
                raise refuse("invalid_request", errors=(Fault("version", "Say which one"),))
            return c.ReplayFeature(version)
        case PaidAction.APPROVE:
            return await _approval(services, tenant_id, feature_id)
        case PaidAction.REWRITE:
            seen = await _approval(services, tenant_id, feature_id)
            return c.RequestRewrite(seen.gate, seen.content_sha256, (Comment("x"),))


async def _approval(services: Services, tenant_id: UUID, feature_id: UUID) -> c.Approve:
    """The yes that is asked for now, to what stands there now."""
    feature = await services.features.load(tenant_id, feature_id)
    if feature.status is None or feature.status is Status.DELETED:
        raise NotFound
    here = GATE_STATUS.get(feature.status)
    for gate in feature.content.awaiting(here) if here else ():
        shown = feature.content.deliverable(gate)
        if shown is not None:
            aside = feature.content.proposal  # What it costs is told before that is decided.
            return c.Approve(gate, shown.content_sha256, proposal_put_aside=aside)
    raise NotNow(status=feature.status)


HANDLERS = (estimate_cost, estimate_brief)
