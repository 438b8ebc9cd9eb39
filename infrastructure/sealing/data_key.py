"""The data key of one tenant's scope: seals records, each bound to a purpose and a record id.

Invariant: `open` gives back exactly what `seal` got, for the same tenant, scope, key, purpose and
record; anything else, and any changed bit, raises Unsealable.

    record = format (1) | flags (1) | nonce (12) | ciphertext | tag (16)

Random nonces bound one sub-key to 2^32 records, which no purpose of a feature or tenant comes
near. Ciphertexts show the length of the (compressed) plaintext; a secret and text that an outsider
chooses must not share one record.
"""

import os
import zlib
from typing import Final, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infrastructure.sealing.binding import (
    KEY_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    Part,
    as_bytes,
    bind,
    derive,
)
from infrastructure.sealing.master_key import MasterKey
from infrastructure.sealing.refusals import Unsealable

TENANT_SCOPE: Final = "tenant"
"""The scope of what belongs to a tenant and to no single feature."""

COMPRESS_ABOVE_BYTES: Final = 512

_PLAIN: Final = b"\x01\x00"
_DEFLATED: Final = b"\x01\x01"
_HEAD_BYTES: Final = 2

# A window of 8 KB allocates 24 KB instead of 256 KB per record, which is what small records cost.
_WINDOW_BITS: Final = -13
_MEMORY_LEVEL: Final = 6


def _deflate(plaintext: bytes) -> bytes:
    squeeze = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
    return squeeze.compress(plaintext) + squeeze.flush()


class DataKey:
    """One 256-bit key of (tenant, scope); the scope is a feature id or `TENANT_SCOPE`."""

    __slots__ = ("_key", "_purposes", "key_id", "scope", "tenant_id")

    def __init__(self, key_id: UUID, tenant_id: UUID, scope: UUID | str, key: bytes) -> None:
        """Take a key as it came out of `unwrap`; make new ones with `generate`."""
        if len(key) != KEY_BYTES:
            raise Unsealable(f"a data key has {KEY_BYTES} bytes")
        self.key_id = key_id
        self.tenant_id = tenant_id
        self.scope = str(scope)
        self._key = key
        self._purposes: dict[str, tuple[AESGCM, bytes]] = {}

    @classmethod
    def generate(cls, key_id: UUID, tenant_id: UUID, scope: UUID | str) -> Self:
        """Make a new random key."""
        return cls(key_id, tenant_id, scope, os.urandom(KEY_BYTES))

    @classmethod
    def unwrap(
        cls, master: MasterKey, wrapped: bytes, key_id: UUID, tenant_id: UUID, scope: UUID | str
    ) -> Self:
        """Open a stored key. Raises WrongMasterKey or Unsealable."""
        context = _context(key_id, tenant_id, str(scope))
        return cls(key_id, tenant_id, scope, master.unwrap(wrapped, context))

    def wrap(self, master: MasterKey) -> bytes:
        """Wrap under the current master key, for storing; a rotation does no more than this."""
        return master.wrap(self._key, _context(self.key_id, self.tenant_id, self.scope))

    def seal(self, purpose: str, record: Part, plaintext: bytes) -> bytes:
        """Seal `plaintext`, which opens only for the same purpose and record id.

        A record that needs several parts to be named takes `bind(part, part)`.
        """
        cipher, bound = self._purposes.get(purpose) or self._derive(purpose)
        head = _PLAIN
        if len(plaintext) > COMPRESS_ABOVE_BYTES:
            smaller = _deflate(plaintext)
            if len(smaller) < len(plaintext):
                head, plaintext = _DEFLATED, smaller
        nonce = os.urandom(NONCE_BYTES)
        return head + nonce + cipher.encrypt(nonce, plaintext, head + bound + as_bytes(record))

    def open(self, purpose: str, record: Part, sealed: bytes) -> bytes:
        """Open what `seal` made for the same purpose and record. Raises Unsealable."""
        head = sealed[:_HEAD_BYTES]
        if head not in (_PLAIN, _DEFLATED) or len(sealed) < _HEAD_BYTES + NONCE_BYTES + TAG_BYTES:
            raise Unsealable(f"this is not a sealed {purpose}, or of a later format")
        cipher, bound = self._purposes.get(purpose) or self._derive(purpose)
        body = _HEAD_BYTES + NONCE_BYTES
        try:
            plaintext = cipher.decrypt(
                sealed[_HEAD_BYTES:body], sealed[body:], head + bound + as_bytes(record)
            )
        except InvalidTag:
            raise Unsealable(
                f"the sealed {purpose} does not open: damaged, or sealed for another tenant, "
                f"record or key than {self.key_id}"
            ) from None
        return zlib.decompress(plaintext, -15) if head == _DEFLATED else plaintext

    def _derive(self, purpose: str) -> tuple[AESGCM, bytes]:
        # The record id comes last in the associated data, after all that is length-prefixed, so
        # that it needs no prefix of its own and this part is made once for each purpose.
        bound = bind(purpose, self.tenant_id, self.scope, self.key_id)
        made = (AESGCM(derive(self._key, "seal", purpose)), bound)
        self._purposes[purpose] = made
        return made


def _context(key_id: UUID, tenant_id: UUID, scope: str) -> bytes:
    return bind("data key", key_id, tenant_id, scope)
