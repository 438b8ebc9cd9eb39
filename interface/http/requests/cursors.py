"""Where a list goes on: one codec for every list, opaque to clients and sealed by a key of ours.

Invariant: a cursor opens only in the list, with the filters and for the tenant that it was made
for; whatever else comes as a cursor is a plain 400. So what it names needs no further check.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Final

import msgspec

from interface.http.problems.table import Fault, refuse

SEAL_BYTES: Final = 16
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Cursors:
    """The codec, with keys that all processes of the API share."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take the keys: the first seals, any of them opens."""
        self._keys = tuple(keys)

    def of(self, *what: object) -> "Listing":
        """One list: whose, its name, and all of its filters."""
        return Listing(self._keys, sha256(_encode(what)).digest())


class Listing:
    """One list of one tenant, with its filters."""

    def __init__(self, keys: tuple[bytes, ...], which: bytes) -> None:
        """Take the keys, and what names the list."""
        self._keys = keys
        self._which = which

    def cursor(self, after: object) -> str:
        """The cursor that goes on behind the item with this key."""
        place = str(after).encode()
        return urlsafe_b64encode(self._seal(self._keys[0], place) + place).decode().rstrip("=")

    def after(self, cursor: str | None) -> str | None:
        """The key to go on behind; None without a cursor.

        Raises:
            HttpProblem: it was not made for this list.
        """
        if cursor is None:
            return None
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError:
            raw = b""
        seal, place = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
        if not any(compare_digest(seal, self._seal(key, place)) for key in self._keys):
            fault = Fault("cursor", "Expected the `next_cursor` of a page of this very list")
            raise refuse("invalid_request", errors=(fault,))
        return place.decode()

    def _seal(self, key: bytes, place: bytes) -> bytes:
        return digest(key, self._which + place, "sha256")[:SEAL_BYTES]
