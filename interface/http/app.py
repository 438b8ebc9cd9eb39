"""The HTTP application: routes, guards, limits and errors, put together.

Invariant: everything under `/api` is behind the guard, and every exception ends in `refusals`.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from interface.http import health, openapi, static_files
from interface.http.account import auth, given, key_settings
from interface.http.account.signed_in import signed_in
from interface.http.audit import audit_filter, events, log_key, usage
from interface.http.features import (
    change_preview,
    commands,
    delivery,
    editing,
    estimating,
    fork,
    reading,
    rounds,
    understanding,
    why,
)
from interface.http.middleware import OutermostMiddleware
from interface.http.preconditions import terms
from interface.http.problems import refusals
from interface.http.requests.body import JsonRequest
from interface.http.requests.parameters import ids
from interface.http.responses.as_of import read_as_of
from interface.http.services import Services
from interface.http.streaming import conversation, live
from interface.limits import BODY_BYTES

HANDLED: Final[Mapping[Any, Any]] = {
    HTTPException: refusals.answer,
    msgspec.MsgspecError: refusals.answer,
    Exception: refusals.answer,
}


def described() -> list[ControllerRouterHandler]:
    """The routes that the API document describes."""
    features = Router(
        "/",
        route_handlers=[
            *commands.HANDLERS,
            *editing.HANDLERS,
            *fork.HANDLERS,
            *reading.HANDLERS,
            *estimating.HANDLERS,
            *rounds.HANDLERS,
            *why.HANDLERS,
            *understanding.HANDLERS,
            *change_preview.HANDLERS,
            *delivery.HANDLERS,
            *conversation.HANDLERS,
            live.feature_live,
            live.tenant_live,
        ],
        tags=["Features"],
    )
    log = Router("/", route_handlers=[*events.HANDLERS, *usage.HANDLERS], tags=["Audit"])
    settings = Router("/", route_handlers=[*key_settings.HANDLERS], tags=["Settings"])
    api = Router(
        "/api",
        route_handlers=[features, log, settings],
        guards=[signed_in, ids],
        dependencies={
            "services": Provide(given.services),
            "tenant_id": Provide(given.tenant_id),
            "wanted": Provide(audit_filter.wanted),
            "terms": Provide(terms),
            "moment": Provide(read_as_of),
        },
        security=[{"bearer": []}],
    )
    return [api, auth.AUTH, auth.jwks, log_key.log_key, health.health, health.ready]


def build_app(services: Services) -> Litestar:
    """The public application over these services."""
    app = Litestar(
        [*described(), openapi.served, static_files.problem_page, static_files.page],
        exception_handlers=dict(HANDLED),
        request_class=JsonRequest,
        request_max_body_size=BODY_BYTES,
        openapi_config=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
        state=State(
            {
                "services": services,
                "assets": static_files.load(services.settings),
                "document": openapi.FILE.read_bytes(),
            }
        ),
    )
    return _edged(app, services)


def _edged(app: Litestar, services: Services) -> Litestar:
    app.asgi_handler = OutermostMiddleware(
        app.asgi_handler,
        services.metrics,
        services.new_id,
        services.settings.public_url,
        {route.path: route.methods for route in app.routes if isinstance(route, HTTPRoute)},
    )
    return app
