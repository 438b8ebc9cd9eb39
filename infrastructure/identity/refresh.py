"""Refresh tokens: opaque, used once, in families that end when an old one comes back.

Invariant: of a family at most one token is good at any time, and a token that was used before ends
its family, because whoever sends it and whoever has the new one cannot both be the owner
(RFC 9700, section 4.14.2). But an answer may get lost, as when a page is reloaded at the wrong
moment: for a few seconds a used token is exchanged again, as long as what it was exchanged for was
not used, which then never will be. Only SHA-256 of a token is stored; 256 random bits need no slow
hash.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from application.accounts import Session, SessionEnded

PREFIX: Final = "bprt_"
"""Every refresh token starts with this, so that the log redactor can recognise one."""

TOKEN_LIFE: Final = timedelta(days=30)
LOST_ANSWER: Final = timedelta(seconds=10)
"""How long after its use a token may come back from somebody whom the answer did not reach."""
FAMILY_LIFE: Final = timedelta(days=90)
_LONGEST_TOKEN: Final = 128


class SessionReused(SessionEnded):
    """The session has ended, because an old token of it came back. Sign in again."""


class RefreshRecord(Struct, frozen=True):
    """What is stored of one token, with the end of its family, which is one row of its own."""

    token_sha256: bytes
    family_id: UUID
    user_id: UUID
    tenant_id: UUID
    issued_at: datetime
    expires_at: datetime
    family_expires_at: datetime
    used_at: datetime | None = None
    family_ended_at: datetime | None = None


class RefreshStore(Protocol):
    """Where families and tokens are kept. Each call is one transaction."""

    async def start(self, first: RefreshRecord) -> None:
        """Store a new family with its first token."""

    async def find(self, token_sha256: bytes) -> RefreshRecord | None:
        """Find a token, used or not, in any tenant: the token is all that the request has."""

    async def replace(self, used: RefreshRecord, successor: RefreshRecord) -> bool:
        """Mark `used` as used and store its successor, both or neither.

        If it was used already, the token that it was exchanged for is marked as used instead.
        False, and nothing stored, when that one was used too or the family has ended. Lock the
        family's row first: a family that ends at the same moment must not keep the successor.
        """

    async def end_family(self, family_id: UUID, at: datetime) -> None:
        """End a family for good; a repeat changes nothing."""

    async def end_user(self, user_id: UUID, at: datetime) -> None:
        """End all families of a user: after a new password, or on "sign out everywhere"."""


class RefreshTokens:
    """Starts, rotates and ends families."""

    def __init__(self, store: RefreshStore, clock: Callable[[], datetime]) -> None:
        """Take the store, and a clock of aware times."""
        self._store = store
        self._clock = clock

    async def start(self, user_id: UUID, tenant_id: UUID) -> Session:
        """Begin a family after a sign-in."""
        now = self._clock()
        token, record = _mint(uuid7(), user_id, tenant_id, now, now + FAMILY_LIFE)
        await self._store.start(record)
        return _answer(token, record)

    async def rotate(self, token: str) -> Session:
        """Exchange a token for the next one. Raises SessionEnded, or its kind SessionReused."""
        record = await self._store.find(_sha256(token))
        now = self._clock()
        if record is None or record.family_ended_at is not None:
            raise SessionEnded
        if record.used_at is not None and now - record.used_at > LOST_ANSWER:
            await self._store.end_family(record.family_id, now)
            raise SessionReused
        if record.expires_at <= now:
            raise SessionEnded
        following, successor = _mint(
            record.family_id, record.user_id, record.tenant_id, now, record.family_expires_at
        )
        if not await self._store.replace(record, successor):
            await self._store.end_family(record.family_id, now)
            raise SessionReused
        return _answer(following, successor)

    async def end(self, token: str) -> None:
        """Sign out: end the family of a token; an unknown one is no error."""
        record = await self._store.find(_sha256(token))
        if record is not None:
            await self._store.end_family(record.family_id, self._clock())

    async def end_user(self, user_id: UUID) -> None:
        """End all families of a user."""
        await self._store.end_user(user_id, self._clock())


def _mint(
    family_id: UUID, user_id: UUID, tenant_id: UUID, now: datetime, family_expires_at: datetime
) -> tuple[str, RefreshRecord]:
    token = PREFIX + secrets.token_urlsafe(32)
    expires_at = min(now + TOKEN_LIFE, family_expires_at)
    return token, RefreshRecord(
        _sha256(token), family_id, user_id, tenant_id, now, expires_at, family_expires_at
    )


def _answer(token: str, record: RefreshRecord) -> Session:
    return Session(token, record.expires_at, record.user_id, record.tenant_id)


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token[:_LONGEST_TOKEN].encode(errors="replace")).digest()
