"""What commands and lists have in common: preconditions, idempotency keys, pages.

Invariant: the same idempotency key with the same method, path and body is the same request; what
the server adds by itself (ids, times) is no part of it.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, PathParameter, QueryParameter
from msgspec import Struct

from application.ports import Accepted
from domain.commands import FeatureCommand
from interface.http.body import JsonRequest
from interface.http.edge import correlation_id
from interface.http.problems import Fault, HttpProblem, refuse
from interface.http.services import Services, of
from interface.http.signed_in import actor_of, caller_of

LARGEST_VERSION: Final = 2**31 - 1
LARGEST_POSITION: Final = 2**53 - 1

_ETAG: Final = re.compile(r'(?:W/)?"(\d{1,10})"')
_PLACE: Final = re.compile(rb"v1:(\d{1,18})")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")

FeatureId = Annotated[UUID, PathParameter(description="The feature's id.")]
MinVersion = Annotated[
    int | None,
    QueryParameter(
        ge=1,
        le=LARGEST_VERSION,
        description="Wait up to 2 s until the read model has this version.",
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="How many items at most.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=512, description="`next_cursor` of the page before.")
]
After = Annotated[
    int | None,
    QueryParameter(
        ge=0, le=LARGEST_POSITION, description="Begin after this id; `Last-Event-ID` comes first."
    ),
]
Words = Annotated[
    bool,
    QueryParameter(
        description="Also what agents are doing right now, each with its `feature_id`, without an "
        "id of its own."
    ),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", description="The last `id` that was seen."),
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description='Only if the feature is at this version: `"23"`.'),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="1 to 255 visible ASCII characters. The same request again within 24 hours "
        "gets the first answer, and nothing is done twice.",
    ),
]


class Terms(Struct, frozen=True):
    """On what terms a command is given."""

    if_match: int | None = None
    """The version that the client saw, if it says so."""
    idempotency_key: str | None = None


OnTerms = NamedDependency[Terms]
"""What the two headers say."""


async def terms(if_match: IfMatch = None, idempotency_key: IdempotencyKey = None) -> Terms:
    """Read the two headers. Raises HttpProblem."""
    version = None
    if if_match is not None and if_match.strip() != "*":
        match = _ETAG.fullmatch(if_match.strip())
        if match is None:
            raise _header("If-Match", 'Expected one version in quotes, such as "23"')
        version = int(match[1])
    if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
        raise _header("Idempotency-Key", "Expected 1 to 255 visible ASCII characters")
    return Terms(version, idempotency_key)


async def carry_out(
    request: JsonRequest,
    terms: Terms,
    feature_id: UUID,
    command: FeatureCommand,
    *,
    meant: Struct | None = None,
) -> Accepted:
    """Give a command to the one write path, under the request's headers.

    Args:
        request: Who asks.
        terms: On what terms.
        feature_id: Whose life it changes.
        command: What is asked for.
        meant: The body as it was sent, where the command holds more than that.
    """
    services, caller = of(request.app.state), caller_of(request)
    return await services.features.do(
        feature_id,
        command,
        tenant_id=caller.tenant_id,
        actor=actor_of(caller),
        correlation_id=correlation_id(request.state, services.new_id),
        if_match=terms.if_match,
        idempotency=idempotency_of(request, terms, meant or command),
    )


def accepted(answer: Accepted) -> Response[Accepted]:
    """The answer to a command: 202, with the version it led to."""
    return Response(answer, status_code=202, headers={"ETag": etag(answer.version)})


def etag(version: int) -> str:
    """A version as an entity tag."""
    return f'"{version}"'


def idempotency_of(request: JsonRequest, terms: Terms, body: Struct) -> tuple[str, bytes] | None:
    """The idempotency key, and the bytes of the request it stands for."""
    if terms.idempotency_key is None:
        return None
    meant = [request.method, request.scope["path"], msgspec.to_builtins(body)]
    return terms.idempotency_key, msgspec.json.encode(meant, order="deterministic")


async def require_key(services: Services, tenant_id: UUID) -> None:
    """Refuse what would start a model's work, as long as the tenant has no key for it."""
    if await services.keys.missing(tenant_id):
        raise refuse("api_key_missing")


def cursor_at(place: int) -> str:
    """An opaque cursor that goes on after this place."""
    return urlsafe_b64encode(b"v1:%d" % place).decode().rstrip("=")


def place_of(cursor: str | None) -> int:
    """The place that a cursor goes on after. Raises HttpProblem for what is no cursor of ours."""
    if cursor is None:
        return 0
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:
        raise _bad_cursor() from None
    match = _PLACE.fullmatch(raw)
    if match is None:
        raise _bad_cursor()
    return int(match[1])


def _bad_cursor() -> HttpProblem:
    """What to say to a cursor that no page gave."""
    fault = Fault("cursor", "Expected the `next_cursor` of an earlier page")
    return refuse("invalid_request", errors=(fault,))


def _header(name: str, detail: str) -> HttpProblem:
    return refuse("invalid_request", errors=(Fault(name, detail),))
