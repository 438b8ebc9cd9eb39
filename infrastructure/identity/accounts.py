"""Accounts, sessions and resets on PostgreSQL, as the API.

Invariant: the API has no right to read these tables at large; each call is one SQL function that
answers one question (`sql/0010_identity.sql`, `sql/0016_sessions.sql`), in one transaction.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from application.identity.account_ports import EVER, Account
from infrastructure.identity.refresh import RefreshRecord
from infrastructure.postgres.database import Database

FIND_REFRESH: Final = (
    "SELECT token_sha256, session_id, user_id, tenant_id, issued_at, expires_at,"
    " session_expires_at, used_at, ended_at, prefixed FROM app.session_find(%s)"
)


class PostgresAccounts:
    """The port `AccountStore`. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database as the API."""
        self._database = database

    async def add(self, account: Account) -> bool:
        """Store a new account. False, and nothing stored, when the address is taken."""
        values = (account.user_id, account.tenant_id, account.email, account.password_hash)
        row = await _one(self._database, "SELECT app.open_account(%s, %s, %s, %s)", values)
        return bool(row and row[0])

    async def find(self, email: str, networks: Sequence[bytes] = ()) -> Account | None:
        """Find an account by its address, in lower case, and whether it knows one of these."""
        if "\x00" in email:
            return None
        query = (
            "SELECT user_id, tenant_id, email, password_hash, sessions_valid_from, knows_network"
            " FROM app.find_account(%s, %s::bytea[])"
        )
        row = await _one(self._database, query, (email, list(networks)))
        return Account(*row) if row else None

    async def know(self, user_id: UUID, network: bytes, at: datetime) -> None:
        """Remember a network of a good sign-in; of each account the newest 20."""
        await _one(self._database, "SELECT app.know_network(%s, %s, %s)", (user_id, network, at))

    async def rehash(self, user_id: UUID, old_hash: str, new_hash: str) -> None:
        """Replace the hash of an unchanged password, if it is still the old one."""
        values = (user_id, old_hash, new_hash)
        await _one(self._database, "SELECT app.rehash_password(%s, %s, %s)", values)

    async def add_reset(self, account: Account, token_sha256: bytes, expires_at: datetime) -> None:
        """Store a token that may set a new password."""
        values = (token_sha256, account.user_id, expires_at)
        await _one(self._database, "SELECT app.open_reset(%s, %s, %s)", values)

    async def reset_of(self, token_sha256: bytes, at: datetime) -> str | None:
        """Whose address a token is good for; it stays good."""
        row = await _one(self._database, "SELECT app.reset_of(%s, %s)", (token_sha256, at))
        return row[0] if row else None

    async def reset(self, token_sha256: bytes, password_hash: str, at: datetime) -> UUID | None:
        """Use a token up, set the password, end all sessions, forget known networks.

        Who it was, or None if the token is not good.
        """
        values = (token_sha256, password_hash, at)
        row = await _one(self._database, "SELECT app.reset_password(%s, %s, %s)", values)
        return row[0] if row else None


class PostgresSessions:
    """The port `identity.refresh.RefreshStore`. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database as the API."""
        self._database = database

    async def start(self, first: RefreshRecord, valid_from: datetime = EVER) -> bool:
        """Store a new family with its first token.

        False, and nothing stored, when the account's password was set anew since `valid_from`.
        """
        values = (
            first.token_sha256,
            first.family_id,
            first.user_id,
            first.tenant_id,
            first.issued_at,
            first.expires_at,
            first.family_expires_at,
            valid_from,
        )
        query = "SELECT app.session_start(%s, %s, %s, %s, %s, %s, %s, %s)"
        row = await _one(self._database, query, values)
        return bool(row and row[0])

    async def find(self, token_sha256: bytes) -> RefreshRecord | None:
        """Find a token, used or not, in any tenant."""
        row = await _one(self._database, FIND_REFRESH, (token_sha256,))
        return RefreshRecord(bytes(row[0]), *row[1:]) if row else None

    async def replace(self, used: RefreshRecord, successor: RefreshRecord) -> bool:
        """Exchange `used` for a successor that is stored, or do nothing and say False."""
        values = (
            used.token_sha256,
            successor.token_sha256,
            successor.issued_at,
            successor.expires_at,
        )
        query = "SELECT app.session_exchange(%s, %s, %s, %s)"
        row = await _one(self._database, query, values)
        return bool(row and row[0])

    async def ended_since(self, since: datetime) -> Sequence[tuple[UUID, datetime]]:
        """Sessions that ended at or after a time, and when."""
        query: LiteralString = "SELECT session_id, ended_at FROM app.sessions_ended_since(%s)"
        return [(row[0], row[1]) for row in await self._database.call(query, (since,))]

    async def end_family(self, family_id: UUID, at: datetime) -> None:
        """End a family for good; a repeat changes nothing."""
        await _one(self._database, "SELECT app.refresh_end_family(%s, %s)", (family_id, at))

    async def end_user(self, user_id: UUID, at: datetime) -> None:
        """End all families of a user."""
        await _one(self._database, "SELECT app.refresh_end_user(%s, %s)", (user_id, at))


class ExpiredSessions:
    """Sessions and resets past their end, for the sweeper."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """Take a database as the sweeper, and a clock of aware times."""
        self._database = database
        self._clock = clock

    async def forget_old(self) -> int:
        """Remove them; how many sessions there were. Raises Unavailable."""
        row = await _one(self._database, "SELECT app.forget_expired(%s)", (self._clock(),))
        return int(row[0]) if row else 0


async def _one(database: Database, query: str, values: Sequence[object]) -> tuple[Any, ...] | None:
    """The only row of a query, in a transaction of no tenant."""
    async with database.system() as connection:
        row: tuple[Any, ...] | None = await (await connection.execute(query, values)).fetchone()
    return row
