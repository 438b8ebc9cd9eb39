"""Refresh tokens: opaque, used once, in families that end when an old one comes back.

A token that was used before ends its family, because whoever sends it and whoever has the new one
cannot both be the owner (RFC 9700, section 4.14.2). But an answer may get lost, and two requests
may be sent at once with one cookie, whose answers are kept in either order: for a few seconds a
used token is exchanged again, as long as nothing that it was exchanged for was used.

Invariant: of the tokens that one token was exchanged for, the first that is used is the only one
that is good, and any other ends the family. Only SHA-256 of a token is stored; 256 random bits need
no slow hash.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from application.identity.account_ports import EVER, Session, SessionEnded, SessionReused

PREFIX: Final = "bprt_"
"""Every refresh token starts with this, so that the log redactor can recognise one."""

TOKEN_LIFE: Final = timedelta(days=30)
LOST_ANSWER: Final = timedelta(seconds=10)
"""How long after its first use a token may come back: an answer was lost, or two were asked for."""
FAMILY_LIFE: Final = timedelta(days=90)
_LONGEST_TOKEN: Final = 128


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
    is_prefixed: bool = True
    """Whether it was given in the cookie that only this host can set."""


class RefreshStore(Protocol):
    """Where families and tokens are kept. Each call is one transaction."""

    async def start(self, first: RefreshRecord, valid_from: datetime = EVER) -> bool:
        """Store a new family with its first token.

        False, and nothing stored, when the account's password was set anew since `valid_from`:
        a sign-in with the old one must not outlive that.
        """

    async def find(self, token_sha256: bytes) -> RefreshRecord | None:
        """Find a token, used or not, in any tenant: the token is all that the request has."""

    async def replace(self, used: RefreshRecord, successor: RefreshRecord) -> bool:
        """Exchange `used` for a successor that is stored, or do nothing and say False.

        The first use of a token marks it, and those beside it: what was given in exchange for the
        same token, and was not used, never will be good. A further use is granted when the token
        was exchanged for something, and nothing of that was used. In a family that has ended,
        nothing is. Lock the family's row first: one that ends at the same moment must not keep
        the successor.
        """

    async def end_family(self, family_id: UUID, at: datetime) -> None:
        """End a family for good; a repeat changes nothing."""

    async def end_user(self, user_id: UUID, at: datetime) -> None:
        """End all families of a user: after a new password, or on "sign out everywhere"."""


async def _nobody_asks() -> None:
    """Nobody checks access tokens here."""


class RefreshTokens:
    """Starts, rotates and ends families."""

    def __init__(
        self,
        store: RefreshStore,
        clock: Callable[[], datetime],
        tell: Callable[[], Awaitable[None]] = _nobody_asks,
    ) -> None:
        """Take the store, a clock of aware times, and whom to tell that sessions have ended."""
        self._store = store
        self._clock = clock
        self.tell = tell

    async def start(
        self, user_id: UUID, tenant_id: UUID, valid_from: datetime = EVER
    ) -> Session | None:
        """Begin a family after a sign-in. None if the password was set anew since `valid_from`."""
        now = self._clock()
        token, record = _mint(uuid7(), user_id, tenant_id, now, now + FAMILY_LIFE)
        started = await self._store.start(record, valid_from)
        return _answer(token, record) if started else None

    async def rotate(self, token: str, *, is_prefixed: bool = True) -> Session:
        """Exchange a token for the next one. Raises SessionEnded, or its kind SessionReused."""
        record = await self._store.find(_sha256(token))
        now = self._clock()
        if record is None:
            raise SessionEnded("unknown")
        if record.family_ended_at is not None:
            raise SessionEnded("ended")
        if record.is_prefixed and not is_prefixed:
            raise SessionEnded("other_cookie")
        if record.used_at is not None and now - record.used_at > LOST_ANSWER:
            raise await self._stolen(record, now)
        if record.expires_at <= now:
            raise SessionEnded("expired")
        following, successor = _mint(
            record.family_id, record.user_id, record.tenant_id, now, record.family_expires_at
        )
        if not await self._store.replace(record, successor):
            raise await self._stolen(record, now)
        return _answer(following, successor)

    async def end(self, token: str) -> tuple[UUID, UUID] | None:
        """Sign out: end the family of a token. Whose it was, and its id; None if it is unknown."""
        record = await self._store.find(_sha256(token))
        if record is None:
            return None
        await self._store.end_family(record.family_id, self._clock())
        return record.user_id, record.family_id

    async def end_user(self, user_id: UUID) -> None:
        """End all families of a user."""
        await self._store.end_user(user_id, self._clock())

    async def _stolen(self, record: RefreshRecord, now: datetime) -> SessionReused:
        await self._store.end_family(record.family_id, now)
        return SessionReused(record.user_id, record.family_id)


def _mint(
    family_id: UUID, user_id: UUID, tenant_id: UUID, now: datetime, family_expires_at: datetime
) -> tuple[str, RefreshRecord]:
    token = PREFIX + secrets.token_urlsafe(32)
    expires_at = min(now + TOKEN_LIFE, family_expires_at)
    return token, RefreshRecord(
        _sha256(token), family_id, user_id, tenant_id, now, expires_at, family_expires_at
    )


def _answer(token: str, record: RefreshRecord) -> Session:
    return Session(token, record.expires_at, record.user_id, record.tenant_id, record.family_id)


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token[:_LONGEST_TOKEN].encode(errors="replace")).digest()
