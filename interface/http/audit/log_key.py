"""The public key of the log, for auditors: fetched once, kept elsewhere, compared for ever after.

Invariant: only the public half is ever here.
"""

from litestar import Response, get
from msgspec import Struct

from interface.http.requests.body import JsonRequest
from interface.http.services import of


class LogKey(Struct, frozen=True):
    """What signed tree heads of the log are checked with."""

    verifier_key: str | None
    """`origin+id+key` of a C2SP signed note (Ed25519); null before the first tree head."""


@get("/.well-known/log-key", summary="Public key of the log's tree heads")
async def log_key(request: JsonRequest) -> Response[LogKey]:
    """Keep it somewhere else: whoever could change it here could also sign a changed log."""
    key = await of(request.app.state).log_key.published()
    return Response(LogKey(key), headers={"Cache-Control": "public, max-age=300"})
