"""Devices that an account was signed in on: a signed note in a cookie (OWASP, "Device cookies").

Invariant: a note is worth something for the account that it was signed for, and for nobody else;
all that it is worth is a bucket of tries of its own, so that strangers who use up the account's
tries lock out strangers only. It signs nobody in.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from msgspec import Struct

from application.identity.account_ports import EVER

DEVICE_LIFE: Final = timedelta(days=180)
"""How long a device is known after the last good sign-in."""
ACCOUNTS_KEPT: Final = 4
"""So many accounts may share a browser; the one that was quiet longest is forgotten first."""
LONGEST_COOKIE: Final = 1024
MICROSECOND: Final = timedelta(microseconds=1)
_NONCE_BYTES: Final = 12
_PURPOSE: Final = "device"


class Stamp(Protocol):
    """A keyed digest that nobody outside can make (`infrastructure.sealing.MasterKey`)."""

    def stamp(self, purpose: str, *parts: str) -> bytes:
        """The digest of these parts under the current key; 32 bytes."""

    def stamps(self, purpose: str, *parts: str) -> tuple[bytes, ...]:
        """The digests under all keys that are still in use, the current one first."""


class Device(Struct, frozen=True):
    """A device that an account was signed in on."""

    nonce: str
    """Names the device, and nothing else does."""
    noted_at: datetime
    """Its last good sign-in."""


class Devices:
    """Reads and writes the cookie."""

    def __init__(self, stamp: Stamp, clock: Callable[[], datetime]) -> None:
        """Take the keyed digest and a clock of aware times."""
        self._stamp = stamp
        self._clock = clock

    def known(self, cookie: str, email: str) -> Device | None:
        """The device that a cookie says this is, for this account; None if it says nothing good.

        `email` is the account's address in lower case. The cookie may be anything.
        """
        for note in _notes(cookie):
            device = self._read(note, email)
            if device is not None and self._clock() - device.noted_at < DEVICE_LIFE:
                return device
        return None

    def noted(self, cookie: str, email: str, known: Device | None) -> str:
        """The cookie after a good sign-in: this account's note anew, and those of others."""
        nonce = known.nonce if known else _text(secrets.token_bytes(_NONCE_BYTES))
        issued = str((self._clock() - EVER) // MICROSECOND)
        tag = _text(self._stamp.stamp(_PURPOSE, email, nonce, issued))
        others = [note for note in _notes(cookie) if self._read(note, email) is None]
        return "~".join([f"{nonce}.{issued}.{tag}", *others][:ACCOUNTS_KEPT])

    def _read(self, note: str, email: str) -> Device | None:
        nonce, issued, given = note.split(".")
        tag = _bytes(given)
        tags = self._stamp.stamps(_PURPOSE, email, nonce, issued)
        if not any(secrets.compare_digest(tag, good) for good in tags):
            return None
        return Device(nonce, EVER + int(issued) * MICROSECOND)


def _notes(cookie: str) -> list[str]:
    """What has the form of a note."""
    if len(cookie) > LONGEST_COOKIE or not cookie.isascii():
        return []
    return [note for note in cookie.split("~")[:ACCOUNTS_KEPT] if note.count(".") == 2]  # noqa: PLR2004 - three parts.


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
