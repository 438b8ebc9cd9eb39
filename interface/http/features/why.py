"""Why a line is there, and what stands on a sentence.

Invariant: both are read from one attribution, which follows from the log and the files alone; an
answer about the past is about the files as they were then.
"""

from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath

from application.delivery.attribution import Attribution
from application.delivery.why import (
    LineReason,
    StandsOn,
    points_of_message,
    points_of_sentence,
    reason_for,
    standing_on,
)
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted
from interface.http.problems.table import Fault, refuse
from interface.http.requests.parameters import (
    FeatureId,
    LineNumber,
    OfMessage,
    OfPoint,
    OfRequirement,
    OfSentence,
)
from interface.http.responses.as_of import AsOfDependency, FeatureSnapshot, load_snapshot
from interface.http.services import Services
from interface.limits import Rate


@get(
    "/features/{feature_id:str}/why/{path:path}",
    summary="Why a line is there",
    guards=[Counted(Rate.SEARCH)],
)
async def read_reason(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    path: FromPath[str],
    line: LineNumber,
    moment: AsOfDependency,
) -> Response[LineReason]:
    """Who wrote it for which task, the tests that use it, and the words it comes from."""
    seen = await load_snapshot(services, tenant_id, feature_id, moment)
    whole = await _attribution(services, tenant_id, seen)
    return seen.answer(reason_for(whole, path.removeprefix("/"), line))


@get(
    "/features/{feature_id:str}/why",
    summary="What stands on a sentence",
    guards=[Counted(Rate.SEARCH)],
)
async def read_standing(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    moment: AsOfDependency,
    point: OfPoint = None,
    requirement: OfRequirement = None,
    message: OfMessage = None,
    sentence: OfSentence = None,
) -> Response[StandsOn]:
    """Requirements, tests, tasks and lines that come from a point, a message or a sentence."""
    asked = {
        "point": point,
        "requirement": requirement,
        "message": message,
        "sentence": sentence,
    }
    if sum(value is not None for value in asked.values()) != 1:
        faults = tuple(Fault(name, "Give exactly one of these") for name in asked)
        raise refuse("invalid_request", errors=faults)
    seen = await load_snapshot(services, tenant_id, feature_id, moment)
    whole = await _attribution(services, tenant_id, seen)
    if requirement is not None:
        return seen.answer(standing_on(whole, requirements=(requirement,)))
    if point is not None:
        return seen.answer(standing_on(whole, points=(point,)))
    if message is not None:
        return seen.answer(standing_on(whole, points=points_of_message(whole, str(message))))
    return seen.answer(standing_on(whole, points=points_of_sentence(whole, sentence or "")))


async def _attribution(services: Services, tenant_id: UUID, seen: FeatureSnapshot) -> Attribution:
    return await services.attributions.of(tenant_id, seen.row.id, seen.row.state.content)


HANDLERS = (read_reason, read_standing)
