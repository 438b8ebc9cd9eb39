"""The tenant's own key for the model: stored, described, deleted, and never shown.

Invariant: no answer, error or log line of these routes holds the key or a part of it beyond its
last four characters.
"""

from typing import Annotated

from litestar import Response, delete, get, put
from litestar.params import JSONBody
from msgspec import Meta, Struct

from application.identity.api_keys import Asker, KeyDescription
from interface.http.account.signed_in import address_of, caller_of
from interface.http.requests.body import JsonRequest
from interface.http.services import of

ApiKey = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]{16,512}(?![\s\S])",
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
async def describe_api_key(request: JsonRequest) -> KeyDescription:
    """Whether one is stored, its last four characters, whether the provider accepted it."""
    return await of(request.app.state).keys.describe(caller_of(request).tenant_id)


@put("/settings/api-key", summary="Store an API key")
async def store_api_key(request: JsonRequest, data: JSONBody[KeyGiven]) -> KeyDescription:
    """Asks the provider, when it can be reached, and stores the key sealed. A few times an hour."""
    caller = caller_of(request)
    asker = Asker(caller.user_id, address_of(request))
    return await of(request.app.state).keys.replace(caller.tenant_id, data.api_key, asker)


@delete("/settings/api-key", status_code=204, summary="Forget the API key")
async def forget_api_key(request: JsonRequest) -> Response[None]:
    """Gone at once; without a key, nothing happens."""
    await of(request.app.state).keys.delete(caller_of(request).tenant_id)
    return Response(None, status_code=204)


HANDLERS = (describe_api_key, store_api_key, forget_api_key)
