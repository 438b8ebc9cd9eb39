"""Who is asking: the guard in front of everything under `/api`.

Invariant: it runs before a body is read or a parameter is looked at, so that whoever has no good
token learns nothing from any answer.
"""

from typing import Any, cast

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from interface.addresses import network_of
from interface.http.problems.table import refuse
from interface.http.services import Caller, of


async def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let only a good bearer token pass. Raises HttpProblem, Unavailable."""
    services, address = of(connection.app.state), address_of(connection)
    given = connection.headers.getall("authorization", [])
    scheme, __, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        services.security.note("token_refused", "no_token", address=address)
        raise refuse("unauthenticated")
    caller = await services.bearers.whose(token, address)
    if caller is None:
        raise refuse("unauthenticated", "The access token is not good. Refresh it, or sign in.")
    connection.scope["user"] = caller


def caller_of(request: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    """Whoever the guard let pass."""
    return cast("Caller", request.scope["user"])


def address_of(request: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Where whoever asks is counted: their address, behind trusted proxies as these say."""
    return network_of(request.client.host if request.client else None)


def actor_of(caller: Caller) -> str:
    """How the log names a person."""
    return f"user:{caller.user_id}"
