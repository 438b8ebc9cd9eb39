"""What a person does to a document at its gate: read its parts, comment on them, edit them.

Invariant: a body is the domain's own command struct; an edited document is checked before it is
given to the one write path, and refused with all of its faults.
"""

from litestar import Response, get, post
from litestar.params import FromPath, JSONBody

from application.ports import Accepted
from domain import commands as c
from domain.errors import NotFound
from domain.status import Gate
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted
from interface.http.account.signed_in import caller_of
from interface.http.preconditions import PreconditionsDependency, accepted, carry_out
from interface.http.requests.body import JsonRequest
from interface.http.requests.parameters import FeatureId
from interface.http.responses.as_of import AsOfDependency, load_snapshot
from interface.http.responses.structs import DocumentParts
from interface.http.services import of
from interface.limits import Rate


@get("/features/{feature_id:str}/documents/{gate:str}", summary="A document at a gate, in parts")
async def read_document(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    gate: FromPath[Gate],
    moment: AsOfDependency,
) -> Response[DocumentParts]:
    """Its structure: what comments are about, and what `edit` takes back."""
    seen = await load_snapshot(services, tenant_id, feature_id, moment)
    made = seen.row.state.content.deliverable(gate)
    found = await services.features.texts(tenant_id, feature_id, {made.version}) if made else {}
    document = getattr(found[made.version].event, "document", None) if made and found else None
    if made is None or document is None:
        raise NotFound
    parts = DocumentParts(gate, made.version, made.content_sha256, **{gate.value: document})
    return seen.answer(parts)


@post(
    "/features/{feature_id:str}/rewrite",
    status_code=202,
    summary="Have it written anew with comments",
    guards=[Counted(Rate.DECIDE)],
)
async def request_rewrite(
    request: JsonRequest,
    feature_id: FeatureId,
    data: JSONBody[c.RequestRewrite],
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """At a gate: that step alone is done again, with the comments; all else stays as it is."""
    done = await carry_out(request, terms, feature_id, data, sets_agents_to_work=True)
    return accepted(done)


@post(
    "/features/{feature_id:str}/edit",
    status_code=202,
    summary="Edit a document by hand",
    guards=[Counted(Rate.DECIDE)],
)
async def edit_document(
    request: JsonRequest,
    feature_id: FeatureId,
    data: JSONBody[c.EditDocument],
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """At its gate: another version whose author is the person, checked as an agent's is."""
    services, caller = of(request.app.state), caller_of(request)

    async def checked() -> c.RecordEdit:
        return await services.edits.checked(caller.tenant_id, feature_id, data)

    done = await carry_out(
        request, terms, feature_id, checked, meant=data, sets_agents_to_work=True
    )
    return accepted(done)


HANDLERS = (read_document, request_rewrite, edit_document)
