"""The key-encryption key: wraps data keys, stamps short notes, and seals nothing of any size.

Invariant: the key itself leaves this module only into the file that it writes. What is derived of
it for another use tells nothing about it.
Rotation: give the new key first and the old ones after it; wrapping uses the first, unwrapping
any of them. Rewrapping every data key then frees the old one, and no sealed record is touched.
"""

import os
import re
import secrets
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from infrastructure.sealing.binding import KEY_BYTES, NONCE_BYTES, TAG_BYTES, bind, derive
from infrastructure.sealing.refusals import MasterKeyUnusable, Unsealable, WrongMasterKey

PREFIX: Final = "bpmk_"
"""Every master key in text starts with this, so that the log redactor can recognise one."""

_TEXT = re.compile(rf"{PREFIX}([A-Za-z0-9_-]{{43}})")
_FORMAT: Final = b"BPW\x01"
_ID_BYTES: Final = 4
_LARGEST_FILE: Final = 4096


def _one_key(text: str) -> bytes:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise MasterKeyUnusable(
            f"the master key is not one: expected {PREFIX} and 43 characters, as a key file has"
        )
    return urlsafe_b64decode(match[1] + "=")


def _keys_in(text: str) -> list[bytes]:
    return [_one_key(part) for part in text.replace(",", " ").split()]


def _hmac(key: bytes, message: bytes) -> bytes:
    digest = HMAC(key, SHA256())
    digest.update(message)
    return digest.finalize()


def _draft(path: Path, text: str) -> Path:
    """Write a file beside `path`, mode 0600, that is safely on the disk."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    return draft


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class MasterKey:
    """One current master key and any number of older ones that only unwrap.

    One from a file reads the file again when it meets a key that it does not know: of several
    processes that are restarted one by one, the old ones open what the new ones wrap.
    """

    __slots__ = ("_by_id", "_path", "_stamping", "cursor_keys", "ids")

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take 32-byte keys, the current one first."""
        self._path: Path | None = None
        self._take(keys)

    def _take(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise MasterKeyUnusable("no master key is given")
        if any(len(key) != KEY_BYTES for key in keys):
            raise MasterKeyUnusable(f"a master key has {KEY_BYTES} bytes")
        by_id = {
            derive(key, "master key check")[:_ID_BYTES].hex(): AESGCM(derive(key, "wrap"))
            for key in keys
        }
        # Other threads may be wrapping: the current id always has its key.
        self._by_id = by_id
        self._stamping = tuple(derive(key, "stamp") for key in keys)
        self.cursor_keys: tuple[bytes, ...] = tuple(derive(key, "cursors") for key in keys)
        """What seals the cursors of lists, the current one first."""
        self.ids: tuple[str, ...] = tuple(by_id)
        """Ids of all keys, the current one first."""

    @classmethod
    def from_text(cls, value: str) -> Self:
        """Read one key, or several separated by white space or commas, the current one first."""
        return cls(_keys_in(value))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the same text from a regular file that only its owner can read (0400 or 0600)."""
        master = cls(cls._read(path))
        master._path = path
        return master

    @staticmethod
    def _read(path: Path) -> Sequence[bytes]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MasterKeyUnusable(f"there is no master key file {path}") from None
        except OSError as error:
            raise MasterKeyUnusable(
                f"the master key file {path} cannot be read: {error.strerror}"
            ) from None
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
                raise MasterKeyUnusable(
                    f"the master key file {path} must be a regular file that only its owner can "
                    f"read: chmod 600 {path}"
                )
            raw = os.read(descriptor, _LARGEST_FILE)
        finally:
            os.close(descriptor)
        try:
            keys = _keys_in(raw.decode("ascii"))
        except (MasterKeyUnusable, UnicodeDecodeError):
            keys = []
        if not keys:
            raise MasterKeyUnusable(f"the file {path} holds no master key")
        return keys

    @staticmethod
    def generate_text() -> str:
        """Make a new random key in text. The caller keeps it out of logs and arguments."""
        return PREFIX + urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")

    @classmethod
    def generate_file(cls, path: Path) -> Self:
        """Write a new key to `path`, mode 0600, complete or not at all.

        Raises FileExistsError when there is a file already, also when another process was faster:
        a key that something may be sealed under is never overwritten.
        """
        text = cls.generate_text()
        draft = _draft(path, text + "\n")
        try:
            # A link fails when the name is taken, and never shows a half-written file.
            os.link(draft, path)
        finally:
            draft.unlink()
        _sync_folder(path)
        return cls.from_file(path)

    @classmethod
    def put_new_first(cls, path: Path) -> Self:
        """Write a new key in front of those that a file holds; the old ones still unwrap.

        The file is replaced as a whole, mode 0600. Raises MasterKeyUnusable for a file that
        `from_file` does not take.
        """
        cls.from_file(path)
        draft = _draft(path, f"{cls.generate_text()}\n{path.read_text(encoding='ascii')}")
        draft.replace(path)
        _sync_folder(path)
        return cls.from_file(path)

    @property
    def id(self) -> str:
        """Eight hex digits that name the current key and tell nothing about it."""
        return self.ids[0]

    def require(self, stored_id: str) -> None:
        """Raise WrongMasterKey unless one of these keys has the id that a data folder names."""
        if stored_id not in self._by_id and self._path is not None:
            self._take(self._read(self._path))
        if stored_id not in self._by_id:
            raise WrongMasterKey(stored_id, self.ids)

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Seal a data key under the current key, bound to `context` (see `bind`)."""
        nonce, current = os.urandom(NONCE_BYTES), self.id
        head = _FORMAT + bytes.fromhex(current)
        return head + nonce + self._by_id[current].encrypt(nonce, data_key, bind(head, context))

    def stamp(self, purpose: str, *parts: str) -> bytes:
        """HMAC-SHA256 of these parts under the current key: what only we can have written."""
        return self.stamps(purpose, *parts)[0]

    def stamps(self, purpose: str, *parts: str) -> tuple[bytes, ...]:
        """The stamps of all keys, the current one first: one of an older key is still good."""
        bound = bind(purpose, *parts)
        return tuple(_hmac(key, bound) for key in self._stamping)

    def wrapped_under(self, wrapped: bytes) -> str:
        """Read the id of the master key that wrapped this: what a rotation still has to rewrap."""
        if len(wrapped) < len(_FORMAT) + _ID_BYTES + NONCE_BYTES + TAG_BYTES or not (
            wrapped.startswith(_FORMAT)
        ):
            raise Unsealable("this is not a wrapped key, or of a later format")
        return wrapped[len(_FORMAT) : len(_FORMAT) + _ID_BYTES].hex()

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Open a wrapped data key.

        Raises WrongMasterKey when it was wrapped under a key that is not among these, Unsealable
        when it is damaged or was wrapped for another context.
        """
        key_id = self.wrapped_under(wrapped)
        self.require(key_id)
        head, rest = wrapped[: len(_FORMAT) + _ID_BYTES], wrapped[len(_FORMAT) + _ID_BYTES :]
        try:
            return self._by_id[key_id].decrypt(
                rest[:NONCE_BYTES], rest[NONCE_BYTES:], bind(head, context)
            )
        except InvalidTag:
            raise Unsealable(
                "the wrapped key does not open: damaged, or moved from another tenant or scope"
            ) from None
