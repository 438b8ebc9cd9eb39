"""Signed notes as C2SP describes them (signed-note, tlog-checkpoint), with one Ed25519 key.

    <the tree head's lines>
    <an empty line>
    — <origin> <base64 of 4 bytes that name the key, and the signature>

Invariant: what `read` gives was signed by this key; signatures of others are passed over.
"""

import binascii
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Final, Self
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from application.transparency.ports import NoteRefused
from application.transparency.tree_head import NotATreeHead, SignedTreeHead
from infrastructure.sealing import MasterKey, bind

ED25519: Final = b"\x01"
"""The number of the algorithm in key names and verifier keys."""

LARGEST_NOTE_BYTES: Final = 10_000

_DASH: Final = "\u2014"
_ID_BYTES: Final = 4
_ORIGIN: Final = "build-practical/log"
_SEALED_AS: Final = "log key"
_KEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", re.ASCII)


class VerifierKeyInvalid(Exception):
    """The verifier key is none: expected `origin+id+key`, as `log key` prints it."""


class NoteVerifier:
    """The public half: all that an auditor needs."""

    def __init__(self, origin: str, public: bytes) -> None:
        """Take the log's name and the 32 bytes of its public key."""
        self.origin = origin
        self.public = public
        self._key = Ed25519PublicKey.from_public_bytes(public)
        self._id = sha256(origin.encode() + b"\n" + ED25519 + public).digest()[:_ID_BYTES]

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `text` gave. Raises VerifierKeyInvalid."""
        found = _KEY.fullmatch(text.strip())
        try:
            if found is None:
                raise VerifierKeyInvalid(VerifierKeyInvalid.__doc__)
            key = b64decode(found[3], validate=True)
            if key[:1] != ED25519:
                raise VerifierKeyInvalid(VerifierKeyInvalid.__doc__)
            verifier = cls(found[1], key[1:])
        except (ValueError, binascii.Error):
            raise VerifierKeyInvalid(VerifierKeyInvalid.__doc__) from None
        if verifier.text() != text.strip():
            raise VerifierKeyInvalid(VerifierKeyInvalid.__doc__)
        return verifier

    def text(self) -> str:
        """The verifier key as C2SP writes it: `origin+id+key`."""
        return f"{self.origin}+{self._id.hex()}+{b64encode(ED25519 + self.public).decode()}"

    def read(self, note: bytes) -> SignedTreeHead:
        """The tree head of a note. Raises NoteRefused."""
        try:
            tree_head = SignedTreeHead.parse(self.body(note))
        except NotATreeHead as wrong:
            raise NoteRefused(f"it holds no checkpoint: {wrong}") from None
        if tree_head.origin != self.origin:
            raise NoteRefused("it is of another log")
        return tree_head

    def body(self, note: bytes) -> str:
        """The text that a note signs. Raises NoteRefused."""
        try:
            text = note[: LARGEST_NOTE_BYTES + 1].decode()
        except UnicodeDecodeError:
            raise NoteRefused("it is no text") from None
        body, parted, lines = text.rpartition("\n\n")
        if len(note) > LARGEST_NOTE_BYTES or not parted or not lines.endswith("\n"):
            raise NoteRefused("it is no signed note")
        body += "\n"
        signatures = [found for line in lines[:-1].split("\n") if (found := self._ours(line))]
        if not signatures:
            raise NoteRefused("it is not signed by the key of this log")
        try:
            for signature in signatures:
                self._key.verify(signature, body.encode())
        except InvalidSignature:
            raise NoteRefused("its signature does not verify") from None
        return body

    def _ours(self, line: str) -> bytes | None:
        """The signature, if this line is one by this key."""
        dash, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        if dash != _DASH or not name or not value:
            raise NoteRefused("a line after its text is no signature")
        try:
            raw = b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            raise NoteRefused("a signature is no base64") from None
        if name != self.origin or raw[:_ID_BYTES] != self._id:
            return None
        return raw[_ID_BYTES:]


class NoteSigner(NoteVerifier):
    """The private half. Ed25519 is deterministic: one tree head has one note."""

    def __init__(self, log_id: UUID, private: Ed25519PrivateKey) -> None:
        """Take the log's id and its key; make new ones with `generate`."""
        super().__init__(origin_of(log_id), private.public_key().public_bytes_raw())
        self.log_id = log_id
        self._private = private

    @classmethod
    def generate(cls, log_id: UUID) -> Self:
        """Make a new key for a new log."""
        return cls(log_id, Ed25519PrivateKey.generate())

    @classmethod
    def opened(cls, master: MasterKey, sealed: bytes, log_id: UUID) -> Self:
        """Open what `sealed` gave. Raises WrongMasterKey or Unsealable."""
        raw = master.unwrap(sealed, bind(_SEALED_AS, log_id))
        return cls(log_id, Ed25519PrivateKey.from_private_bytes(raw))

    def sealed(self, master: MasterKey) -> bytes:
        """Seal the private key under the master key, bound to its log, for storing."""
        return master.wrap(self._private.private_bytes_raw(), bind(_SEALED_AS, self.log_id))

    def sign(self, tree_head: SignedTreeHead) -> bytes:
        """The note of a tree head of this log."""
        return self.note(tree_head.text())

    def note(self, body: str) -> bytes:
        """The note of a text; its first line says what it is about, and of which log."""
        signature = b64encode(self._id + self._private.sign(body.encode())).decode()
        return f"{body}\n{_DASH} {self.origin} {signature}\n".encode()


def origin_of(log_id: UUID) -> str:
    """The name of a log: no two logs share one, so that no note counts for another."""
    return f"{_ORIGIN}/{log_id}"
