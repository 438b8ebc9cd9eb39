"""Where a list goes on: opaque to clients, and good only for the list it came from."""

import base64
import binascii
from hashlib import sha256
from typing import Final

import msgspec

from projections.store import BadCursor

_LONGEST: Final = 400
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[str, str]).decode


def cursor_of(after: str, *filters: object) -> str:
    """A cursor behind the row with this key, in the list with these filters."""
    return base64.urlsafe_b64encode(_encode((_mark(filters), after))).decode().rstrip("=")


def after_of(cursor: str | None, *filters: object) -> str | None:
    """The key to go on behind; None without a cursor.

    Raises:
        BadCursor: it was not made by `cursor_of` for these filters.
    """
    if cursor is None:
        return None
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise BadCursor(BadCursor.__doc__)
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        mark, after = _decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        raise BadCursor(BadCursor.__doc__) from None
    if mark != _mark(filters):
        raise BadCursor(BadCursor.__doc__)
    return after


def _mark(filters: tuple[object, ...]) -> str:
    return sha256(_encode([str(part) for part in filters])).hexdigest()[:16]
