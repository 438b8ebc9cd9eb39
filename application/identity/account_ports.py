"""What the use cases of accounts refuse, what they hand about, and the ports they stand on.

Invariant: nothing here knows a database, a hash function or HTTP.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

from msgspec import Struct

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The time since which an account's sessions are good whose password was never set anew."""


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
    """That is no e-mail address that letters go to. Write it plainly, such as ann@example.org."""

    code = "email_invalid"


class PasswordRefused(AccountRefused):
    """A password has at least 12 characters, and at most 1,024 bytes of valid text."""

    code = "password_refused"


class PasswordCommon(PasswordRefused):
    """The password is easy to guess. Take three or more words that do not belong together."""


class SessionEnded(AccountRefused):
    """The session has ended. Sign in again."""

    code = "session_ended"

    def __init__(self, reason: str = "unknown") -> None:
        """Take the reason, for the log: one of those of `refresh_refused`."""
        super().__init__()
        self.reason = reason


class SessionReused(SessionEnded):
    """The session has ended, because an old token of it came back. Sign in again."""

    def __init__(self, user_id: UUID, session_id: UUID) -> None:
        """Take whose session it was."""
        super().__init__("ended")
        self.user_id = user_id
        self.session_id = session_id


class ResetRefused(AccountRefused):
    """The link is not good any more. Ask for a new one."""

    code = "reset_refused"


class TooManyTries(AccountRefused):
    """Too many tries. Wait, then try again."""

    code = "too_many_requests"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class Client(Struct, frozen=True):
    """Where a request comes from."""

    address: str
    """Who is counted together: an IPv4 address, or the network of an IPv6 one."""
    device: str = ""
    """The cookie of known devices, as it came."""


class Account(Struct, frozen=True):
    """A person who can sign in, and the tenant that is theirs."""

    user_id: UUID
    tenant_id: UUID
    email: str
    """In lower case."""
    password_hash: str
    sessions_valid_from: datetime = EVER
    """When the password was set anew: what began before has ended."""
    is_network_known: bool = False
    """Whether a network that was asked about is one of this account's good sign-ins."""


class AccountStore(Protocol):
    """Where accounts are kept. Each call is one transaction."""

    async def add(self, account: Account) -> bool:
        """Store a new account. False, and nothing stored, when the address is taken."""

    async def find(self, email: str, networks: Sequence[bytes] = ()) -> Account | None:
        """Find an account by its address, in lower case, and whether it knows one of these."""

    async def know(self, user_id: UUID, network: bytes, at: datetime) -> None:
        """Remember a network of a good sign-in; of each account the newest few."""

    async def rehash(self, user_id: UUID, old_hash: str, new_hash: str) -> None:
        """Replace the hash of an unchanged password, if it is still the old one."""

    async def add_reset(self, account: Account, token_sha256: bytes, expires_at: datetime) -> None:
        """Store a token that may set a new password, once."""

    async def reset_of(self, token_sha256: bytes, at: datetime) -> str | None:
        """Whose address a token is good for; it stays good."""

    async def reset(self, token_sha256: bytes, password_hash: str, at: datetime) -> UUID | None:
        """Use a token up, set the password, end all sessions, forget known networks.

        Who it was, or None if the token is not good.
        """


class Passwords(Protocol):
    """Password hashing that keeps the event loop free."""

    async def refuse_common(self, password: str, own: Iterable[str] = ()) -> None:
        """Refuse what would be guessed early, also from the account's own words.

        Raises PasswordRefused, and TooManyTries when too many wait.
        """

    async def hash(self, password: str) -> str:
        """Hash a new password. Raises PasswordRefused, and TooManyTries when too many wait."""

    async def verify(self, stored: str | None, password: str, *, is_known: bool = False) -> bool:
        """Compare, at the same cost also for None. Raises TooManyTries when too many wait.

        Whoever comes on a known device does not wait with everybody else.
        """

    def needs_rehash(self, stored: str) -> bool:
        """Whether a hash was made with weaker parameters than today's."""


class Session(Struct, frozen=True):
    """A refresh token and whom it stands for."""

    token: str
    expires_at: datetime
    user_id: UUID
    tenant_id: UUID
    session_id: UUID
    """The same for all tokens of one sign-in."""


class Sessions(Protocol):
    """Refresh tokens: used once, in families that end when an old one comes back."""

    async def start(
        self, user_id: UUID, tenant_id: UUID, valid_from: datetime = EVER
    ) -> Session | None:
        """Begin a session. None if the password was set anew since `valid_from` was read."""

    async def rotate(self, token: str, *, is_prefixed: bool = True) -> Session:
        """Exchange a token for the next.

        Args:
            token: As the cookie had it.
            is_prefixed: Whether it came in the cookie that only this host can set.

        Raises:
            SessionEnded: or its kind SessionReused, which ended the session.
        """

    async def end(self, token: str) -> tuple[UUID, UUID] | None:
        """End the session of a token: whose it was, and its id. An unknown one is no error."""

    @property
    def tell(self) -> Callable[[], Awaitable[None]]:
        """Makes what checks access tokens here look at once which sessions have ended."""


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

    def issue(self, user_id: UUID, tenant_id: UUID, session_id: UUID) -> SignedToken:
        """Sign a token of a session."""

    async def jwks(self) -> Mapping[str, Any]:
        """The public keys that check them. Raises Unavailable."""


class Mail(Protocol):
    """Letters to people."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """Send, or leave where the operator finds it. Raises AddressUnsafe."""


class AddressUnsafe(Exception):
    """A letter to this address might reach somebody else; it is not sent."""


class SignedIn(Struct, frozen=True):
    """What a client gets: an access token, a refresh token and a note for its cookies."""

    access: SignedToken
    session: Session
    device: str
    """The cookie by which this device is known from now on."""
