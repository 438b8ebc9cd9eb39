"""Whether the process lives, and whether it can work.

Invariant: liveness asks nobody; readiness is false only for what every request needs.
"""

from litestar import Response, get
from msgspec import Struct

from interface.http.requests.body import JsonRequest
from interface.http.services import of


class Alive(Struct, frozen=True):
    """The process lives."""

    status: str
    version: str


class Ready(Struct, frozen=True):
    """What answers. Without NATS or the object store, most goes on: see `status`."""

    status: str
    """`ready`, `degraded`, `stopping` or `unavailable`."""
    postgres: bool
    nats: bool
    artifacts: bool
    relay_lag_events: int | None
    projection_lag_events: int | None
    checkpoint_lag_seconds: float | None
    """Since the oldest event without a signed tree head was recorded; 0 if all have one."""
    database: str
    """`ready`, `read_only` (no host takes writes), `unreachable`, `refused` or `too_old`."""
    jetstream: bool
    """Whether NATS keeps the stream of announcements."""
    conditional_writes: bool | None
    """Whether the object store keeps what must not be overwritten, so that tree heads of the log
    can be signed; null as long as it is not known."""


@get("/health", summary="Is the process alive?", tags=["Health"])
async def health(request: JsonRequest) -> Alive:
    """Says so as long as it is."""
    return Alive("ok", of(request.app.state).settings.version)


@get("/health/ready", summary="Can it work?", tags=["Health"])
async def ready(request: JsonRequest) -> Response[Ready]:
    """503 without the database and while stopping; NATS and objects can be missed for a while."""
    services = of(request.app.state)
    found = await services.health.report()
    if services.stopping.is_set():
        status = "stopping"
    elif not found.postgres:
        status = "unavailable"
    else:
        whole = found.nats and found.jetstream and found.artifacts
        status = "ready" if whole and found.conditional_writes is not False else "degraded"
    body = Ready(
        status,
        found.postgres,
        found.nats,
        found.artifacts,
        found.relay_lag_events,
        found.projection_lag_events,
        found.checkpoint_lag_seconds,
        found.database,
        found.jetstream,
        found.conditional_writes,
    )
    working = status in ("ready", "degraded")
    return Response(
        body,
        status_code=200 if working else 503,
        headers={} if working else {"Retry-After": "2"},
    )
