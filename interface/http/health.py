"""Whether the process lives, whether it can work, and the operator's figures.

Invariant: liveness asks nobody; readiness is false only for what every request needs.
"""

from litestar import Response, get
from msgspec import Struct

from interface.http.body import JsonRequest
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
    """Since the oldest event without a signed checkpoint was recorded; 0 if all have one."""


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
        status = "ready" if found.nats and found.artifacts else "degraded"
    body = Ready(
        status,
        found.postgres,
        found.nats,
        found.artifacts,
        found.relay_lag_events,
        found.projection_lag_events,
        found.checkpoint_lag_seconds,
    )
    working = status in ("ready", "degraded")
    return Response(
        body,
        status_code=200 if working else 503,
        headers={} if working else {"Retry-After": "2"},
    )


@get("/metrics", media_type="text/plain", summary="Figures for Prometheus")
async def metrics(request: JsonRequest) -> Response[bytes]:
    """Counts, times, lags, and which dependency answers."""
    services = of(request.app.state)
    found = await services.health.report()
    services.metrics.lag("relay", found.relay_lag_events)
    services.metrics.lag("projection", found.projection_lag_events)
    services.metrics.checkpoint(found.checkpoint_lag_seconds)
    for name in ("postgres", "nats", "artifacts"):
        services.metrics.up(name, answers=getattr(found, name))
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4")
