"""Accounts, sessions and resets on PostgreSQL, as the API.

Invariant: the API has no right to read these tables at large; each call is one SQL function that
answers one question (`sql/0010_identity.sql`), in one transaction.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from application.accounts import Account
from infrastructure.database import Database
from infrastructure.identity.refresh import RefreshRecord

FIND_REFRESH: Final = (
    "SELECT token_sha256, family_id, user_id, tenant_id, issued_at, expires_at, family_expires_at,"
    " used_at, family_ended_at FROM app.refresh_find(%s)"
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

    async def find(self, email: str) -> Account | None:
        """Find an account by its address, in lower case."""
        if "\x00" in email:
            return None
        query = "SELECT user_id, tenant_id, email, password_hash FROM app.account_by_email(%s)"
        row = await _one(self._database, query, (email,))
        return Account(*row) if row else None

    async def rehash(self, user_id: UUID, password_hash: str) -> None:
        """Replace the hash of an unchanged password."""
        await _one(self._database, "SELECT app.set_password(%s, %s)", (user_id, password_hash))

    async def add_reset(self, account: Account, token_sha256: bytes, expires_at: datetime) -> None:
        """Store a token that may set a new password."""
        values = (token_sha256, account.user_id, expires_at)
        await _one(self._database, "SELECT app.open_reset(%s, %s, %s)", values)

    async def reset(self, token_sha256: bytes, password_hash: str, at: datetime) -> UUID | None:
        """Use a token up, set the password, end all sessions. None if the token is not good."""
        async with self._database.system() as connection:
            used = await connection.execute("SELECT app.use_reset(%s, %s)", (token_sha256, at))
            row = await used.fetchone()
            user_id: UUID | None = row[0] if row else None
            if user_id is not None:
                await connection.execute(
                    "SELECT app.set_password(%s, %s)", (user_id, password_hash)
                )
                await connection.execute("SELECT app.refresh_end_user(%s, %s)", (user_id, at))
        return user_id


class PostgresSessions:
    """The port `identity.refresh.RefreshStore`. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database as the API."""
        self._database = database

    async def start(self, first: RefreshRecord) -> None:
        """Store a new family with its first token."""
        values = (
            first.token_sha256,
            first.family_id,
            first.user_id,
            first.tenant_id,
            first.issued_at,
            first.expires_at,
            first.family_expires_at,
        )
        query = "SELECT app.refresh_start(%s, %s, %s, %s, %s, %s, %s)"
        await _one(self._database, query, values)

    async def find(self, token_sha256: bytes) -> RefreshRecord | None:
        """Find a token, used or not, in any tenant."""
        row = await _one(self._database, FIND_REFRESH, (token_sha256,))
        return RefreshRecord(bytes(row[0]), *row[1:]) if row else None

    async def replace(self, used: RefreshRecord, successor: RefreshRecord) -> bool:
        """Mark `used`, or what it was exchanged for, as used and store a successor, or neither."""
        values = (
            used.token_sha256,
            successor.token_sha256,
            successor.issued_at,
            successor.expires_at,
        )
        query = "SELECT app.refresh_replace(%s, %s, %s, %s)"
        row = await _one(self._database, query, values)
        return bool(row and row[0])

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
