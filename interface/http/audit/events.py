"""What an auditor asks: the log with filters, what led to what, what it cost, and whether it holds.

Invariant: events come in the order of their positions, from the log and from nothing else.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from litestar import Response, get
from msgspec.structs import replace

from application.audit.events import AuditEntry, Causation, ChainReport, EventFilter, Found
from application.transparency.export import MEDIA_TYPE, lines_of
from domain.errors import NotFound
from domain.recorded import Recorded
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted, count
from interface.http.audit.audit_filter import Direction, OfLog, Order
from interface.http.preconditions import etag
from interface.http.requests.body import JsonRequest
from interface.http.requests.cursors import Listing
from interface.http.requests.parameters import (
    Cursor,
    EventId,
    FeatureId,
    Limit,
    OfFeature,
    OfVersion,
)
from interface.http.responses.structs import AuditPage, EventPage
from interface.http.responses.views import event_view, unread_view
from interface.http.services import Services
from interface.http.streaming.session_end import while_session_lasts
from interface.http.streaming.streaming import Ending, Put, StreamedResponse
from interface.http.streaming.streams import open_pipe
from interface.limits import Rate, Room
from projections.certificate import Certificate

EXPORT_SECONDS: Final = 15 * 60.0


@get("/features/{feature_id:str}/events", summary="The feature's log")
async def list_events(
    request: JsonRequest,
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    wanted: OfLog,
    at: OfVersion = None,
    order: Order = Direction.ASC,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[EventPage]:
    """Events with their content, oldest first unless asked otherwise.

    With `Accept: application/x-ndjson`: the whole log at once, as CloudEvents 1.0 lines that
    `log verify` checks without the service.
    """
    version = await _living(services, tenant_id, feature_id)
    if MEDIA_TYPE in request.headers.get("accept", ""):
        count(request, Rate.DOWNLOAD)
        return await _export(request, services, tenant_id, feature_id, version)
    listing = services.cursors.of(tenant_id, "events of", feature_id, wanted, order)
    if at is not None:
        found = await services.log.entries(tenant_id, feature_id, versions=[at])
        last, more = at, False
    elif wanted == EventFilter() and order is Direction.ASC:
        after = int(listing.after(cursor) or 0)
        found = await services.log.entries(tenant_id, feature_id, after=after, upto=after + limit)
        last = found[-1].version if found else after
        more = bool(found) and last < version
    else:
        count(request, Rate.SEARCH)
        chosen = replace(wanted, feature_id=feature_id)
        asked = (services, tenant_id, chosen, order, limit)
        entries, last, more, _ = await _chosen(*asked, listing, cursor)
        versions = [one.version for one in entries]
        texts = {
            one.version: one
            for one in await services.log.entries(tenant_id, feature_id, versions=versions)
        }
        found = [texts[version] for version in versions if version in texts]
    items = tuple(event_view(one) for one in found if isinstance(one, Recorded))
    unread = tuple(unread_view(one) for one in found if not isinstance(one, Recorded))
    headers = {"ETag": etag(version), "Vary": "Accept"}
    page = EventPage(items, listing.cursor(last) if more else None, unread)
    return Response(page, headers=headers)


@get(
    "/events",
    summary="The log of the tenant",
    guards=[Counted(Rate.SEARCH)],
)
async def list_all_events(
    services: OfServices,
    tenant_id: OfTenant,
    wanted: OfLog,
    feature_id: OfFeature = None,
    order: Order = Direction.DESC,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditPage:
    """What happened to any feature, without content; newest first unless asked otherwise.

    Features that were deleted are in it, too. Oldest first, it ends where something may still
    appear in between: a few milliseconds ago.
    """
    chosen = replace(wanted, feature_id=feature_id)
    listing = services.cursors.of(tenant_id, "events", chosen, order)
    asked = (services, tenant_id, chosen, order, limit)
    entries, last, more, found = await _chosen(*asked, listing, cursor)
    searched_to = found.looked_to.recorded_at if found.looked_to else None
    return AuditPage(
        tuple(entries), listing.cursor(last) if more else None, dict(found.titles), searched_to
    )


@get(
    "/features/{feature_id:str}/events/{event_id:str}/causation",
    summary="What led to what",
    guards=[Counted(Rate.SEARCH)],
)
async def trace_event(
    services: OfServices, tenant_id: OfTenant, feature_id: FeatureId, event_id: EventId
) -> Causation:
    """All that followed from the command an event belongs to: events, and requests to models."""
    await _living(services, tenant_id, feature_id)
    found = await services.audit.causation(tenant_id, feature_id, event_id)
    if found is None:
        raise NotFound
    return found


@get(
    "/features/{feature_id:str}/certificate",
    summary="Is what is shown what happened?",
    guards=[Counted(Rate.SEARCH)],
)
async def certify_feature(
    services: OfServices, tenant_id: OfTenant, feature_id: FeatureId
) -> Certificate:
    """Folds the log from its first event, without any model, and compares every read model."""
    certify = services.certifier.certify
    certificate = await certify(tenant_id, feature_id)
    if certificate is None or not certificate.events:
        # Nothing of it is applied yet: what can be compared is worth a moment's patience.
        known = await services.features.load(tenant_id, feature_id)
        if known.version == 0:
            raise NotFound
        await services.reads.feature(tenant_id, feature_id, min_version=known.version)
        certificate = await certify(tenant_id, feature_id)
    if certificate is None:
        raise NotFound
    return certificate


@get(
    "/features/{feature_id:str}/events/verify",
    summary="Check the feature's log",
    guards=[Counted(Rate.SEARCH)],
)
async def verify_events(
    services: OfServices, tenant_id: OfTenant, feature_id: FeatureId
) -> ChainReport:
    """Computes the hash chain anew. A deleted feature's chain still verifies."""
    report = await services.chain.verify(tenant_id, feature_id)
    if report is None:
        raise NotFound
    return report


async def _living(services: Services, tenant_id: UUID, feature_id: UUID) -> int:
    """The feature's version, also of one whose events cannot be read here. Raises NotFound."""
    version = await services.chain.living(tenant_id, feature_id)
    if version is None:
        raise NotFound
    return version


async def _chosen(
    services: Services,
    tenant_id: UUID,
    wanted: EventFilter,
    order: Direction,
    limit: int,
    listing: Listing,
    cursor: str | None,
) -> tuple[Sequence[AuditEntry], int, bool, Found]:
    """A page of headers, the position where it ends, whether to go on there, and all of it."""
    beyond = listing.after(cursor)
    found = await services.audit.entries(
        tenant_id,
        wanted,
        beyond=None if beyond is None else int(beyond),
        limit=limit + 1,
        ascending=order is Direction.ASC,
    )
    shown = found.entries[:limit]
    if found.looked_to is not None:
        return shown, found.looked_to.position, True, found
    return shown, shown[-1].position if shown else 0, len(found.entries) > limit, found


async def _export(
    request: JsonRequest, services: Services, tenant_id: UUID, feature_id: UUID, upto: int
) -> Response[EventPage]:

    async def produce(put: Put) -> None:
        async for chunk in lines_of(services.stored, tenant_id, feature_id, upto):
            await put(chunk)

    headers = {
        "ETag": etag(upto),
        "Vary": "Accept",
        "Content-Disposition": f'attachment; filename="events-{feature_id}.ndjson"',
    }
    pipe = open_pipe(request, Room.FILE, while_session_lasts(request, produce))
    await pipe.begun()
    flow: Response[Any] = StreamedResponse(
        pipe, Ending(seconds=EXPORT_SECONDS), media_type=MEDIA_TYPE, headers=headers
    )
    return flow


HANDLERS = (
    list_events,
    verify_events,
    list_all_events,
    trace_event,
    certify_feature,
)
