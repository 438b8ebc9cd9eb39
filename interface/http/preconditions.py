"""What commands have in common: preconditions and idempotency keys.

Invariant: the same idempotency key with the same method, path and body is the same request; what
the server adds by itself (ids, times) is no part of it.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from msgspec import Struct

from application.ports import Accepted
from domain.commands import FeatureCommand
from interface.http.account.signed_in import actor_of, caller_of
from interface.http.middleware import correlation_id
from interface.http.problems.table import refuse
from interface.http.requests.body import JsonRequest
from interface.http.requests.parameters import IdempotencyKey, IfMatch, read
from interface.http.services import of
from interface.incoming import key_of, version_of_tag


class Preconditions(Struct, frozen=True):
    """On what terms a command is given."""

    if_match: int | None = None
    """The version that the client saw, if it says so."""
    idempotency_key: str | None = None


PreconditionsDependency = NamedDependency[Preconditions]
"""What the two headers say."""


async def terms(if_match: IfMatch = None, idempotency_key: IdempotencyKey = None) -> Preconditions:
    """Read the two headers. Raises HttpProblem."""
    return Preconditions(
        read("If-Match", if_match, version_of_tag),
        read("Idempotency-Key", idempotency_key, key_of),
    )


async def carry_out(
    request: JsonRequest,
    terms: Preconditions,
    feature_id: UUID,
    command: FeatureCommand | Callable[[], Awaitable[FeatureCommand]],
    *,
    meant: Struct | None = None,
    sets_agents_to_work: bool = False,
) -> Accepted:
    """Give a command to the one write path, under the request's headers.

    Args:
        request: Who asks.
        terms: On what terms.
        feature_id: Whose life it changes.
        command: What is asked for; or what finds it, with what was sent as `meant`.
        meant: The body as it was sent, where the command holds more than that.
        sets_agents_to_work: Whether it needs the tenant's key for the model.
    """
    services, caller = of(request.app.state), caller_of(request)
    body = command if meant is None and isinstance(command, Struct) else meant

    async def permitted() -> None:
        if sets_agents_to_work and await services.keys.missing(caller.tenant_id):
            raise refuse("api_key_missing")

    return await services.features.do(
        feature_id,
        command,
        tenant_id=caller.tenant_id,
        actor=actor_of(caller),
        correlation_id=correlation_id(request.state, services.new_id),
        if_match=terms.if_match,
        idempotency=None if body is None else idempotency_of(request, terms, body),
        permitted=permitted,
    )


def accepted(answer: Accepted) -> Response[Accepted]:
    """The answer to a command: 202, with the version it led to."""
    return Response(answer, status_code=202, headers={"ETag": etag(answer.version)})


def etag(version: int) -> str:
    """A version as an entity tag."""
    return f'"{version}"'


def idempotency_of(
    request: JsonRequest, terms: Preconditions, body: Struct
) -> tuple[str, bytes] | None:
    """The idempotency key, and the bytes of the request it stands for."""
    if terms.idempotency_key is None:
        return None
    meant = [request.method, request.scope["path"], msgspec.to_builtins(body)]
    return terms.idempotency_key, msgspec.json.encode(meant, order="deterministic")
