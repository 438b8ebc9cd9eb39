"""The log of one feature, as it stands, and the check that it is what was written.

Invariant: events come in the order of their versions, from the log and from nothing else.
"""

from typing import Any, Final
from uuid import UUID

from litestar import Response, get

from application.audit import ChainReport
from application.export import MEDIA_TYPE, lines_of
from domain.errors import NotFound
from domain.status import Status
from interface.http.asking import Cursor, FeatureId, Limit, cursor_at, etag, place_of
from interface.http.body import JsonRequest
from interface.http.flow import Ending, Flow, Put
from interface.http.services import Services, of
from interface.http.shapes import EventPage
from interface.http.signed_in import caller_of
from interface.http.streams import open_pipe
from interface.http.views import event_view

EXPORT_SECONDS: Final = 15 * 60.0


@get("/features/{feature_id:uuid}/events", summary="The feature's log")
async def list_events(
    request: JsonRequest, feature_id: FeatureId, limit: Limit = 50, cursor: Cursor = None
) -> Response[EventPage]:
    """Every event, oldest first.

    With `Accept: application/x-ndjson`: the whole log at once, as CloudEvents 1.0 lines that
    `log verify` checks without the service.
    """
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    known = await services.features.load(tenant_id, feature_id)
    if known.version == 0 or known.status is Status.DELETED:
        raise NotFound
    if MEDIA_TYPE in request.headers.get("accept", ""):
        return _export(services, tenant_id, feature_id, known.version)
    after = place_of(cursor)
    found = await services.log.read(tenant_id, feature_id, after=after, upto=after + limit)
    items = tuple(event_view(recorded) for recorded in found)
    last = items[-1].version if items else after
    more = bool(items) and last < known.version
    headers = {"ETag": etag(known.version), "Vary": "Accept"}
    return Response(EventPage(items, cursor_at(last) if more else None), headers=headers)


@get("/features/{feature_id:uuid}/events/verify", summary="Check the feature's log")
async def verify_events(request: JsonRequest, feature_id: FeatureId) -> ChainReport:
    """Computes the hash chain anew. A deleted feature's chain still verifies."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    report = await services.chain.verify(tenant_id, feature_id)
    if report is None:
        raise NotFound
    return report


def _export(
    services: Services, tenant_id: UUID, feature_id: UUID, upto: int
) -> Response[EventPage]:
    async def produce(put: Put) -> None:
        async for chunk in lines_of(services.stored, tenant_id, feature_id, upto):
            await put(chunk)

    headers = {
        "ETag": etag(upto),
        "Vary": "Accept",
        "Content-Disposition": f'attachment; filename="events-{feature_id}.ndjson"',
    }
    pipe = open_pipe(services, tenant_id, produce)
    flow: Response[Any] = Flow(
        pipe, Ending(seconds=EXPORT_SECONDS), media_type=MEDIA_TYPE, headers=headers
    )
    return flow


HANDLERS = (list_events, verify_events)
