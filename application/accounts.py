"""Signing up, in, out and again: the use cases of the built-in identity provider.

Invariant: except by signing up, nobody learns from an answer, or from the time it takes, whether an
address has an account.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

import structlog
from msgspec import Struct

from application.throttle import Allowance, Throttle

log = structlog.get_logger(__name__)

RESET_LIFE: Final = timedelta(hours=1)
MAILS_AT_ONCE: Final = 64

BY_PAIR: Final = Allowance(10, 15 * 60)
"""Tries of one address at one account."""
BY_ACCOUNT: Final = Allowance(60, 15 * 60)
"""Tries at one account, from anywhere. Wide, so that a stranger cannot lock its owner out."""
BY_ADDRESS: Final = Allowance(120, 15 * 60)
"""Tries from one address, at any account."""
MAILS: Final = Allowance(3, 60 * 60)
"""Letters to one account."""

_EMAIL: Final = re.compile(r"[^\s@\x00-\x1f\x7f<>(),;:\"\\\[\]]{1,64}@[^\s@\x00-\x1f\x7f]{1,189}")


class AccountRefused(Exception):
    """The request cannot be honoured."""

    code: ClassVar[str] = "refused"

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class WrongCredentials(AccountRefused):
    """The e-mail address or the password is not right."""

    code = "wrong_credentials"


class EmailTaken(AccountRefused):
    """There is an account with this e-mail address. Sign in, or ask for a new password."""

    code = "email_taken"


class EmailInvalid(AccountRefused):
    """That is no e-mail address."""

    code = "email_invalid"


class PasswordRefused(AccountRefused):
    """A password has at least 12 characters, and at most 1,024 bytes of valid text."""

    code = "password_refused"


class SessionEnded(AccountRefused):
    """The session has ended. Sign in again."""

    code = "session_ended"


class ResetRefused(AccountRefused):
    """The link is not good any more. Ask for a new one."""

    code = "reset_refused"


class TooManyTries(AccountRefused):
    """Too many tries. Wait, then try again."""

    code = "too_many_requests"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class Account(Struct, frozen=True):
    """A person who can sign in, and the tenant that is theirs."""

    user_id: UUID
    tenant_id: UUID
    email: str
    """In lower case."""
    password_hash: str


class AccountStore(Protocol):
    """Where accounts are kept. Each call is one transaction."""

    async def add(self, account: Account) -> bool:
        """Store a new account. False, and nothing stored, when the address is taken."""

    async def find(self, email: str) -> Account | None:
        """Find an account by its address, in lower case."""

    async def rehash(self, user_id: UUID, password_hash: str) -> None:
        """Replace the hash of an unchanged password."""

    async def add_reset(self, account: Account, token_sha256: bytes, expires_at: datetime) -> None:
        """Store a token that may set a new password, once."""

    async def reset(self, token_sha256: bytes, password_hash: str, at: datetime) -> UUID | None:
        """Use a token up, set the password, end all sessions.

        Who it was, or None if the token is not good.
        """


class Passwords(Protocol):
    """Password hashing that keeps the event loop free."""

    async def hash(self, password: str) -> str:
        """Hash a new password. Raises PasswordRefused, and TooManyTries when too many wait."""

    async def verify(self, stored: str | None, password: str) -> bool:
        """Compare, at the same cost also for None. Raises TooManyTries when too many wait."""

    def needs_rehash(self, stored: str) -> bool:
        """Whether a hash was made with weaker parameters than today's."""


class Session(Struct, frozen=True):
    """A refresh token and whom it stands for."""

    token: str
    expires_at: datetime
    user_id: UUID
    tenant_id: UUID


class Sessions(Protocol):
    """Refresh tokens: used once, in families that end when an old one comes back."""

    async def start(self, user_id: UUID, tenant_id: UUID) -> Session:
        """Begin a family."""

    async def rotate(self, token: str) -> Session:
        """Exchange a token for the next. Raises SessionEnded."""

    async def end(self, token: str) -> None:
        """End the family of a token; an unknown one is no error."""


class SignedToken(Protocol):
    """An access token."""

    @property
    def token(self) -> str:
        """The JWT."""

    @property
    def expires_in(self) -> int:
        """Seconds it is good for."""


class AccessTokens(Protocol):
    """The issuer of access tokens."""

    def issue(self, user_id: UUID, tenant_id: UUID) -> SignedToken:
        """Sign a token."""

    async def jwks(self) -> Mapping[str, Any]:
        """The public keys that check them. Raises Unavailable."""


class Mail(Protocol):
    """Letters to people."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """Send, or leave where the operator finds it."""


class SignedIn(Struct, frozen=True):
    """What a client gets: an access token, and a refresh token for its cookie."""

    access: SignedToken
    session: Session


class Accounts:
    """The built-in identity provider."""

    def __init__(
        self,
        *,
        store: AccountStore,
        passwords: Passwords,
        sessions: Sessions,
        tokens: AccessTokens,
        mail: Mail,
        throttle: Throttle,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        new_secret: Callable[[], str],
        public_url: str,
    ) -> None:
        """Take the ports, a clock of aware times, and sources of ids (uuid7) and secrets."""
        self._store = store
        self._passwords = passwords
        self._sessions = sessions
        self._tokens = tokens
        self._mail = mail
        self._throttle = throttle
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret
        self._public_url = public_url.rstrip("/")
        self._letters: set[asyncio.Task[None]] = set()

    async def jwks(self) -> Mapping[str, Any]:
        """The public keys, for `/.well-known/jwks.json`. Raises Unavailable."""
        return await self._tokens.jwks()

    async def sign_up(self, email: str, password: str, address: str) -> SignedIn:
        """Make an account with a tenant of its own.

        Raises EmailInvalid, PasswordRefused, EmailTaken, TooManyTries.
        """
        email = _normal(email)
        self._count((("address", address), BY_ADDRESS))
        password_hash = await self._passwords.hash(password)
        account = Account(self._new_id(), self._new_id(), email, password_hash)
        if not await self._store.add(account):
            raise EmailTaken
        return await self._signed_in(account)

    async def log_in(self, email: str, password: str, address: str) -> SignedIn:
        """Sign in. Raises WrongCredentials, TooManyTries."""
        email = email.strip().lower()
        pair = ("pair", address, email)
        self._count(
            (pair, BY_PAIR), (("account", email), BY_ACCOUNT), (("address", address), BY_ADDRESS)
        )
        account = await self._store.find(email)
        stored = account.password_hash if account else None
        good = await self._passwords.verify(stored, password)
        if account is None or not good:
            raise WrongCredentials
        self._throttle.forget(pair)
        if self._passwords.needs_rehash(account.password_hash):
            await self._store.rehash(account.user_id, await self._passwords.hash(password))
        return await self._signed_in(account)

    async def refresh(self, token: str) -> SignedIn:
        """Exchange a refresh token. Raises SessionEnded; an old one ends its whole family."""
        session = await self._sessions.rotate(token)
        return SignedIn(self._tokens.issue(session.user_id, session.tenant_id), session)

    async def log_out(self, token: str) -> None:
        """End the session of a refresh token; an unknown one is no error."""
        await self._sessions.end(token)

    async def forgot(self, email: str, address: str) -> None:
        """Send a link for a new password, if there is such an account. Raises TooManyTries.

        Looked up and sent after the answer, so that the answer takes the same time for everybody.
        """
        email = email.strip().lower()
        self._count((("address", address), BY_ADDRESS))
        letter = ("letter", email)
        if self._throttle.wait(letter, MAILS) or len(self._letters) >= MAILS_AT_ONCE:
            return
        self._throttle.count(letter, MAILS)
        self._later(self._send_link(email))

    async def reset(self, token: str, password: str, address: str) -> None:
        """Set a new password with a link's token, once; ends all sessions.

        Raises ResetRefused, PasswordRefused, TooManyTries.
        """
        self._count((("address", address), BY_ADDRESS))
        password_hash = await self._passwords.hash(password)
        if await self._store.reset(_sha256(token), password_hash, self._clock()) is None:
            raise ResetRefused

    async def drain(self) -> None:
        """Wait until all letters are sent, at the end of the process or of a test."""
        while self._letters:
            await asyncio.wait(self._letters)

    async def _signed_in(self, account: Account) -> SignedIn:
        session = await self._sessions.start(account.user_id, account.tenant_id)
        return SignedIn(self._tokens.issue(account.user_id, account.tenant_id), session)

    async def _send_link(self, email: str) -> None:
        account = await self._store.find(email)
        if account is None:
            return
        token = self._new_secret()
        await self._store.add_reset(account, _sha256(token), self._clock() + RESET_LIFE)
        await self._mail.send(account.email, "A new password", self._letter(token))

    def _letter(self, token: str) -> str:
        return (
            "Somebody, probably you, asked for a new password.\n\n"
            f"Choose one here within an hour: {self._public_url}/reset#token={token}\n\n"
            "Without a browser: send this token and the new password to "
            f"POST {self._public_url}/auth/password/reset\n{token}\n\n"
            "If it was not you, do nothing: your password stays as it is.\n"
        )

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._letters.add(task)
        task.add_done_callback(self._is_through)

    def _is_through(self, task: asyncio.Task[None]) -> None:
        self._letters.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a letter was not sent", exc_info=error)

    def _count(self, *names: tuple[tuple[str, ...], Allowance]) -> None:
        longest = max(self._throttle.wait(name, allowance) for name, allowance in names)
        if longest > 0:
            raise TooManyTries(longest)
        for name, allowance in names:
            self._throttle.count(name, allowance)


def _normal(email: str) -> str:
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise EmailInvalid
    return email


def _sha256(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
