"""Signing up, in, out and again: the use cases of the built-in identity provider.

Invariants: except by signing up, nobody learns from an answer, or from the time it takes, whether
an address has an account. Each refusal is one line in the security log, and nothing typed is.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from application.identity.account_ports import (
    AccessTokens,
    Account,
    AccountRefused,
    AccountStore,
    AddressUnsafe,
    Client,
    EmailTaken,
    Mail,
    PasswordRefused,
    Passwords,
    ResetRefused,
    SessionEnded,
    SessionReused,
    Sessions,
    SignedIn,
    WrongCredentials,
)
from application.identity.devices import Device, Devices, Stamp
from application.identity.mailbox import mailbox
from application.identity.rate_limit import RateLimiter
from application.identity.security_log import SecurityLog
from application.identity.sign_in_tries import SignInTries

log = structlog.get_logger(__name__)

RESET_LIFE: Final = timedelta(hours=1)
MAILS_AT_ONCE: Final = 64


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
        throttle: RateLimiter,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        new_secret: Callable[[], str],
        public_url: str,
        stamp: Stamp,
        security: SecurityLog,
    ) -> None:
        """Take the ports, a clock of aware times, and sources of ids (uuid7) and secrets."""
        self._store = store
        self._passwords = passwords
        self._sessions = sessions
        self._tokens = tokens
        self._mail = mail
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret
        self._public_url = public_url.rstrip("/")
        self._host = urlsplit(public_url).hostname or ""
        self._stamp = stamp
        self._devices = Devices(stamp, clock)
        self._security = security
        self._tries = SignInTries(throttle, security)
        self._letters: set[asyncio.Task[None]] = set()

    async def jwks(self) -> Mapping[str, Any]:
        """The public keys, for `/.well-known/jwks.json`. Raises Unavailable."""
        return await self._tokens.jwks()

    async def sign_up(self, email: str, password: str, client: Client) -> SignedIn:
        """Make an account with a tenant of its own.

        Raises EmailInvalid, PasswordRefused, EmailTaken, TooManyTries.
        """
        with self._noting("sign_up_refused", client):
            email = mailbox(email)
            self._tries.address(client.address)
            if await self._store.find(email) is not None:
                raise EmailTaken
            await self._passwords.refuse_common(password, (email, self._host))
            password_hash = await self._passwords.hash(password)
            account = Account(self._new_id(), self._new_id(), email, password_hash)
            if not await self._store.add(account):
                raise EmailTaken
        self._security.note("signed_up", account=account.user_id, address=client.address)
        return await self._enter(account, client, None)

    async def log_in(self, email: str, password: str, client: Client) -> SignedIn:
        """Sign in. Raises WrongCredentials, TooManyTries."""
        email = email.strip().lower()
        device = self._devices.known(client.device, email)
        has_own = self._tries.has_own(device)
        with self._noting("sign_in_refused", client, only="too_many_requests"):
            if not has_own:
                self._tries.pair(client.address, email)
            account = await self._store.find(email, self._marks(client, email))
            if device and account and device.noted_at < account.sessions_valid_from:
                # The password was set anew since: this may be whom that was meant to keep out.
                device = None
                if has_own:
                    has_own = False
                    self._tries.pair(client.address, email)
            knows = account is not None and account.is_network_known
            if not (has_own or knows):
                whose = account.user_id if account else None
                self._tries.account(email, account=whose, address=client.address)
            stored = account.password_hash if account else None
            good = await self._passwords.verify(stored, password, is_known=has_own)
        if account is None or not good:
            raise self._wrong("wrong_password" if account else "unknown_account", account, client)
        self._tries.forgive(client.address, email)
        if self._passwords.needs_rehash(account.password_hash):
            await self._rehash(account, password)
        signed_in = await self._enter(account, client, device)
        known = "device" if device else "network" if knows else "no"
        self._security.note(
            "signed_in", account=account.user_id, address=client.address, known=known
        )
        return signed_in

    async def refresh(self, token: str, *, is_prefixed: bool, address: str) -> SignedIn:
        """Exchange a refresh token. Raises SessionEnded; an old one ends its whole session.

        Args:
            token: As the cookie had it; empty when there was none.
            is_prefixed: Whether it came in the cookie that only this host can set.
            address: Whose request it is.
        """
        try:
            if not token:
                raise SessionEnded("no_cookie")  # noqa: TRY301 - noted below like the others.
            session = await self._sessions.rotate(token, is_prefixed=is_prefixed)
        except SessionReused as stolen:
            whose = {"account": stolen.user_id, "session": stolen.session_id}
            self._security.note("session_stolen", "used_before", **whose, address=address)
            await self._sessions.tell()
            raise
        except SessionEnded as ended:
            self._security.note("refresh_refused", ended.reason, address=address)
            raise
        access = self._tokens.issue(session.user_id, session.tenant_id, session.session_id)
        return SignedIn(access, session, "")

    async def log_out(self, token: str) -> None:
        """End the session of a refresh token; an unknown one is no error.

        Its access tokens and streams end with it: in this process before this returns, in others
        within a second.
        """
        ended = await self._sessions.end(token)
        if ended is not None:
            user_id, session_id = ended
            self._security.note("session_ended", "signed_out", account=user_id, session=session_id)
            await self._sessions.tell()

    async def forgot(self, email: str, client: Client) -> None:
        """Send a link for a new password, if there is such an account. Raises TooManyTries.

        Looked up and sent after the answer, so that the answer takes the same time for everybody.
        """
        email = email.strip().lower()
        device = self._devices.known(client.device, email)
        if device is None:
            self._tries.address(client.address)
        if len(self._letters) >= MAILS_AT_ONCE or not self._tries.letter(email, device):
            self._security.note("reset_asked", address=client.address, sent=False)
            return
        self._later(self._send_link(email, client.address))

    async def reset(self, token: str, password: str, client: Client) -> str:
        """Set a new password with a link's token, once; ends all sessions.

        Whoever has the link has the mailbox: the device is known from then on by the cookie that
        this returns, however many strangers have locked the account.

        Raises ResetRefused, PasswordRefused, TooManyTries.
        """
        used = _sha256(token)
        email = await self._store.reset_of(used, self._clock())
        if email is None:
            raise self._no_reset(client)
        try:
            await self._passwords.refuse_common(password, (email, self._host))
            password_hash = await self._passwords.hash(password)
        except PasswordRefused:
            self._security.note("reset_refused", "password_refused", address=client.address)
            raise
        now = self._clock()
        user_id = await self._store.reset(used, password_hash, now)
        if user_id is None:
            raise self._no_reset(client)
        self._security.note("password_reset", account=user_id, address=client.address)
        self._security.note("session_ended", "password_reset", account=user_id)
        await self._sessions.tell()
        await self._store.know(user_id, self._marks(client, email)[0], now)
        return self._devices.noted(client.device, email, None)

    async def drain(self) -> None:
        """Wait until all letters are sent, at the end of the process or of a test."""
        while self._letters:
            await asyncio.wait(self._letters)

    async def _enter(self, account: Account, client: Client, device: Device | None) -> SignedIn:
        valid_from = account.sessions_valid_from
        session = await self._sessions.start(account.user_id, account.tenant_id, valid_from)
        if session is None:
            raise self._wrong("password_changed", account, client)
        mark = self._marks(client, account.email)[0]
        await self._store.know(account.user_id, mark, self._clock())
        access = self._tokens.issue(session.user_id, session.tenant_id, session.session_id)
        return SignedIn(access, session, self._devices.noted(client.device, account.email, device))

    async def _rehash(self, account: Account, password: str) -> None:
        try:
            anew = await self._passwords.hash(password)
        except AccountRefused:
            return  # As good as it was when it was chosen; the old hash goes on.
        await self._store.rehash(account.user_id, account.password_hash, anew)

    async def _send_link(self, email: str, address: str) -> None:
        account = await self._store.find(email)
        whose = account.user_id if account else None
        self._security.note("reset_asked", account=whose, address=address, sent=account is not None)
        if account is None:
            return
        token = self._new_secret()
        await self._store.add_reset(account, _sha256(token), self._clock() + RESET_LIFE)
        try:
            await self._mail.send(account.email, "A new password", self._letter(token))
        except AddressUnsafe:
            self._security.note("letter_not_sent", "address", account=whose)

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
            log.error("letter_not_sent", exc_info=error)

    def _marks(self, client: Client, email: str) -> tuple[bytes, ...]:
        """How this network is kept for this account: nobody else can tell which it is."""
        return self._stamp.stamps("network", email, client.address)

    def _wrong(self, reason: str, account: Account | None, client: Client) -> WrongCredentials:
        whose = account.user_id if account else None
        self._security.note("sign_in_refused", reason, account=whose, address=client.address)
        return WrongCredentials()

    def _no_reset(self, client: Client) -> ResetRefused:
        """Raises TooManyTries when this address has guessed too often."""
        self._security.note("reset_refused", "unknown_or_used", address=client.address)
        self._tries.address(client.address)
        return ResetRefused()

    @contextmanager
    def _noting(self, event: str, client: Client, only: str = "") -> Iterator[None]:
        try:
            yield
        except AccountRefused as refused:
            if not only or refused.code == only:
                self._security.note(event, refused.code, address=client.address)
            raise


def _sha256(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
