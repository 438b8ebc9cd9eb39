"""Associated data and sub-keys: what a sealed record is bound to.

Invariant: two different sequences of parts never give the same bytes, because each part is
preceded by its length.
"""

from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Part = bytes | str | UUID

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


def as_bytes(part: Part) -> bytes:
    """Give a part as bytes: UTF-8 for text, the 16 bytes of a UUID, bytes as they are."""
    if isinstance(part, bytes):
        return part
    return part.bytes if isinstance(part, UUID) else part.encode()


def bind(*parts: Part) -> bytes:
    """Length-prefixed concatenation (32-bit big-endian lengths) of the parts."""
    return b"".join(len(raw).to_bytes(4, "big") + raw for raw in map(as_bytes, parts))


def derive(key: bytes, *label: Part) -> bytes:
    """Derive a 32-byte sub-key of `key` for one use, by HKDF-SHA256 with the label as info."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=bind("bp/1", *label)).derive(
        key
    )
