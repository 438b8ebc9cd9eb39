"""Live streams: what happens to a feature, and to all features of a tenant, as it is recorded.

Invariant: durable events come from the log by version or position, in order, each once; a stream
never tells of what a read would not show yet (the tenant's), and never outlives its process.
"""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from litestar import Response, get

from application.ports import Diverged, Unread, Unreadable
from domain.commands import LARGEST_VERSION
from domain.errors import NotFound
from domain.recorded import Recorded
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted
from interface.http.requests.body import JsonRequest
from interface.http.requests.parameters import (
    AfterPosition,
    AfterVersion,
    FeatureId,
    LastEventId,
    Words,
    read,
)
from interface.http.responses.views import event_view, unread_view
from interface.http.services import Services
from interface.http.streaming.session_end import while_signed_in
from interface.http.streaming.streaming import Put
from interface.http.streaming.streams import (
    BYE,
    RETRY_MS,
    frame,
    open_pipe,
    set_back,
    streamed,
    until_unavailable,
)
from interface.http.streaming.subscription import FeatureSubscription, LiveMessage
from interface.incoming import SeenPosition, SeenVersion, number_of
from interface.limits import Rate, Room

PAGE: Final = 100

WORDS: Final = frozenset({"delta", "file", "progress"})
"""What agents say while they work: passed on without an id, and lost without harm."""

UNREAD: Final = "unread"
"""An event that cannot be read by this version: the stream goes on behind it."""

HIDDEN: Final = frozenset({"kind", "feature_id"})


@get(
    "/features/{feature_id:str}/live",
    media_type="text/event-stream",
    summary="A feature, as it happens",
    guards=[Counted(Rate.STREAM)],
)
async def feature_live(
    request: JsonRequest,
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    after: AfterVersion = None,
    last_event_id: LastEventId = None,
) -> Response[bytes]:
    """Its events, each with its version as `id`; without an id, what an agent is writing now.

    Without `Last-Event-ID` or `after`, begins after the present version. After `set_back`, what
    was told before may be gone: read everything anew; the stream goes on behind its `id`.
    """
    seen = last_seen(last_event_id, after, SeenVersion)
    set_backs = services.continuity.set_backs
    version = await services.chain.living(tenant_id, feature_id)
    if version is None:
        raise NotFound
    begin = version if seen is None else min(seen, version)

    async def produce(put: Put) -> None:
        if seen is not None and seen > version:
            await put(set_back(begin))

        async def on_message(message: LiveMessage) -> None:
            kind = str(message.get("kind"))
            if kind in WORDS:
                await put(frame(kind, {k: v for k, v in message.items() if k not in HIDDEN}))

        async with FeatureSubscription(
            services.live, tenant_id, feature_id, on_message
        ) as subscription:
            whose = (tenant_id, feature_id)
            await _follow_feature(services, whose, begin, set_backs, subscription, put)

    lasting = while_signed_in(request, until_unavailable(produce), BYE)
    return streamed(services, open_pipe(request, Room.LIVE, lasting))


@get(
    "/live",
    media_type="text/event-stream",
    summary="All features, as it happens",
    guards=[Counted(Rate.STREAM)],
)
async def tenant_live(
    request: JsonRequest,
    services: OfServices,
    tenant_id: OfTenant,
    after: AfterPosition = None,
    words: Words = False,  # noqa: FBT002 - a query parameter has a name.
    last_event_id: LastEventId = None,
) -> Response[bytes]:
    """That something changed, with its position in the log as `id`; read the feature for what.

    A change is told once the read models show it. Without `Last-Event-ID` or `after`, begins with
    `hello`, whose `id` is the present position. After `set_back`, what was told before may be
    gone: read everything anew; the stream goes on behind its `id`.
    """
    seen = last_seen(last_event_id, after, SeenPosition)
    set_backs = services.continuity.set_backs
    present = await services.reads.position()
    lost = seen is not None and (
        services.continuity.is_gap(seen) or await _is_ahead(services, seen, present)
    )
    begin = present if seen is None or lost else seen

    async def produce(put: Put) -> None:
        greeted = asyncio.Event()

        async def on_message(message: LiveMessage) -> None:
            kind = str(message.get("kind"))
            if kind in WORDS:
                await greeted.wait()
                await put(frame(kind, {k: v for k, v in message.items() if k != "kind"}))

        # Whoever was greeted receives every message from then on.
        async with FeatureSubscription(
            services.live, tenant_id, None, on_message if words else None
        ) as subscription:
            if lost:
                await put(set_back(begin))
            await put(frame("hello", {}, id=begin, retry=RETRY_MS))
            greeted.set()
            await _follow_tenant(services, tenant_id, begin, set_backs, subscription, put)

    lasting = while_signed_in(request, until_unavailable(produce), BYE)
    return streamed(services, open_pipe(request, Room.LIVE, lasting))


async def _follow_feature(
    services: Services,
    whose: tuple[UUID, UUID],
    after: int,
    set_backs: int,
    subscription: FeatureSubscription,
    put: Put,
) -> None:
    head: bytes | None = None
    while True:
        goes_on = set_backs == services.continuity.set_backs
        recorded: Sequence[Recorded | Unread] = ()
        try:
            async with services.looking:
                recorded = await _next(services, whose, after, head)
        except Diverged:
            goes_on = False
        if not goes_on:
            set_backs = services.continuity.set_backs
            async with services.looking:
                after, head = await services.chain.living(*whose) or 0, None
            await put(set_back(after))
            if after == 0:
                raise NotFound
            continue
        for one in recorded:
            if isinstance(one, Recorded):
                await put(frame(one.type, event_view(one), id=one.version))
            else:
                await put(frame(UNREAD, unread_view(one), id=one.version))
            after, head = one.version, one.hash
            if one.type == "feature_deleted":
                await put(BYE)
                return
        if not recorded:
            await subscription.wait(services.look_seconds)


async def _next(
    services: Services, whose: tuple[UUID, UUID], after: int, head: bytes | None
) -> Sequence[Recorded | Unread]:
    upto = min(after + PAGE, LARGEST_VERSION)
    try:
        return await services.log.read(*whose, after=after, upto=upto, head=head)
    except Unreadable:
        return await services.log.entries(*whose, after=after, upto=upto)


async def _is_ahead(services: Services, position: int, shown: int) -> bool:
    """Whether a position that was told is ahead of the log, which was set back since."""
    # A read model that is filled for the first time is behind what was told; the log never is.
    return position > shown and position > await services.reads.lag() + shown


async def _follow_tenant(
    services: Services,
    tenant_id: UUID,
    after: int,
    set_backs: int,
    subscription: FeatureSubscription,
    put: Put,
) -> None:
    while True:
        async with services.looking:
            upto = await services.reads.position()
            set_back_at = None
            if set_backs != services.continuity.set_backs or await _is_ahead(services, after, upto):
                set_backs, after, set_back_at = services.continuity.set_backs, upto, upto
            new = upto > after
            changes = await services.changes.since(tenant_id, after, upto, PAGE) if new else ()
        if set_back_at is not None:
            await put(set_back(set_back_at))
        for change in changes:
            await put(frame("change", change, id=change.position))
        if len(changes) == PAGE:
            after = changes[-1].position
        else:
            after = max(after, upto)
            await subscription.wait(services.look_seconds)


def last_seen(given: str | None, after: int | None, kind: object) -> int | None:
    """Where the client left off: the header `Last-Event-ID`, else the query `after`."""
    seen = read("Last-Event-ID", given or None, lambda text: number_of(text, kind))
    return after if seen is None else seen


HANDLERS = (feature_live, tenant_live)
