"""The tenant's own key for the model: stored, described, deleted, and never shown.

Invariant: no answer, error or log line of these routes holds the key or a part of it beyond its
last four characters.
"""

from typing import Annotated, Any

from litestar import Request, Response, delete, get, put
from msgspec import Meta, Struct

from interface.http.problems import refuse
from interface.http.services import KeyDescription, of
from interface.http.signed_in import caller_of

Asking = Request[Any, Any, Any]

ApiKey = Annotated[
    str,
    Meta(
        pattern=r"^[\x21-\x7e]{16,512}$",
        description="An Anthropic API key: 16 to 512 visible ASCII characters",
    ),
]


class KeyGiven(Struct, frozen=True, forbid_unknown_fields=True):
    """The key to store."""

    api_key: ApiKey

    def __repr__(self) -> str:
        """Say nothing of the key, wherever this may be printed."""
        return "KeyGiven(…)"


@get("/settings/api-key", summary="Is there an API key?")
async def describe_api_key(request: Asking) -> KeyDescription:
    """Whether one is stored, its last four characters, whether the provider accepted it."""
    return await of(request.app.state).keys.describe(caller_of(request).tenant_id)


@put("/settings/api-key", summary="Store an API key")
async def store_api_key(request: Asking, data: KeyGiven) -> KeyDescription:
    """Asks the provider, when it can be reached, and stores the key sealed."""
    keys, tenant_id = of(request.app.state).keys, caller_of(request).tenant_id
    accepted = await keys.check(data.api_key)
    if accepted is False:
        raise refuse("api_key_rejected")
    await keys.store(tenant_id, data.api_key, verified=bool(accepted))
    return await keys.describe(tenant_id)


@delete("/settings/api-key", status_code=204, summary="Forget the API key")
async def forget_api_key(request: Asking) -> Response[None]:
    """Gone at once; without a key, nothing happens."""
    await of(request.app.state).keys.delete(caller_of(request).tenant_id)
    return Response(None, status_code=204)


HANDLERS = (describe_api_key, store_api_key, forget_api_key)
