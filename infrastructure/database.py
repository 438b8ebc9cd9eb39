"""Connections to PostgreSQL, as one process's role, bounded in time everywhere.

Invariants: the tenant of a transaction is set in `Database.tenant` (or inside the log's own SQL
functions), for that transaction only; a connection goes back to the pool without one. A process
that was given a `Trust` works on no database that it does not trust.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, LiteralString, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg.abc import Params, PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import (
    AsyncConnectionPool,
    ConnectionPool,
    PoolClosed,
    PoolTimeout,
    TooManyRequests,
)
from typing_extensions import override

from application.ports import Unavailable

R = TypeVar("R")

Trust = Callable[[str], bool]
"""Whether a process works on this incarnation of the database (`application.continuity`)."""

ROLES: Final = ("bp_api", "bp_worker", "bp_relay", "bp_projector", "bp_sweeper", "bp_keeper")

CONNECT_SECONDS: Final = 2
ACQUIRE_SECONDS: Final = 2.0
STATEMENT_SECONDS: Final = 5
LOCK_SECONDS: Final = 2
IDLE_IN_TRANSACTION_SECONDS: Final = 3
BEGIN_SECONDS: Final = 2.0
"""A connection that does not begin a transaction in this time is dead, whatever the socket says."""

ANSWER_SECONDS: Final = STATEMENT_SECONDS + 0.5
"""What a server behind a half-open connection is waited for; it would have given up before."""

READ_SECONDS: Final = 2.5
"""The same for a read of one stream, so that a request is answered within 3 s."""

INCARNATION: Final = "SELECT app.incarnation()"
"""Asked once for each connection: which database, in which run of its server, it leads to."""

BEGIN: Final = b"BEGIN; SELECT set_config('bp.tenant', '%s', true)"

WAITING_AT_MOST: Final = 512
RECONNECT_SECONDS: Final = 1.0
PROMPT_SECONDS: Final = 0.5
"""A connection lost within this time was dead before: another one is tried. Later, nothing is."""

STILL_THERE: Final = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
"""Time-outs that the server itself told: its connection is alive."""

LOST: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
)
"""The database, or the way to it, is not there. Includes time-outs of statements and locks."""


class NotVouched(Unavailable):
    """The database was restarted or replaced, and nobody has compared it with what was known."""

    def __init__(self) -> None:
        super().__init__("database", "It came back, and is still being looked at.")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that waits for the server for a bounded time, then counts as broken."""

    answer_seconds = ANSWER_SECONDS
    incarnation = ""

    @override
    def wait(self, gen: PQGen[R], interval: float = 0.1, timeout: float | None = None) -> R:
        """Wait for an answer; OperationalError and a closed connection when none comes."""
        try:
            return super().wait(gen, interval, timeout or self.answer_seconds)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - psycopg gives its own time-out no other name.
            self.pgconn.finish()
            raise psycopg.OperationalError("the server did not answer in time") from None


class AsyncBoundedConnection(psycopg.AsyncConnection[Any]):
    """The same for asynchronous callers."""

    answer_seconds = ANSWER_SECONDS
    incarnation = ""

    @override
    async def wait(
        self,
        gen: PQGen[R],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> R:
        """Wait for an answer; OperationalError and a closed connection when none comes."""
        try:
            return await super().wait(gen, interval, timeout or self.answer_seconds)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - as above.
            self.pgconn.finish()
            raise psycopg.OperationalError("the server did not answer in time") from None


def conninfo_of(url: str, role: str) -> str:
    """The conninfo of a process: the one URL, the process's role, and all time-outs."""
    if role not in ROLES:
        raise ValueError(f"no such role: {role}")
    given = conninfo_to_dict(url).get("options") or ""
    options = (
        f"{given} -c role={role} -c statement_timeout={STATEMENT_SECONDS}s"
        f" -c lock_timeout={LOCK_SECONDS}s"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s"
        " -c default_transaction_isolation=read\\ committed -c timezone=UTC"
    )
    return make_conninfo(
        url,
        options=options.strip(),
        application_name=role,
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=STATEMENT_SECONDS * 1000,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
    )


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn a lost database into `ports.Unavailable`. Other errors of SQL are defects, and pass."""
    try:
        yield
    except LOST as error:
        raise Unavailable("database", type(error).__name__) from error


def admit(connection: BoundedConnection | AsyncBoundedConnection, trust: Trust | None) -> None:
    """Raise NotVouched for a connection to a database that is not trusted."""
    if trust is not None and not trust(connection.incarnation):
        raise NotVouched


def _introduce(connection: BoundedConnection) -> None:
    row = connection.execute(INCARNATION).fetchone()
    connection.incarnation = row[0] if row else ""


async def _introduce_async(connection: AsyncBoundedConnection) -> None:
    row = await (await connection.execute(INCARNATION)).fetchone()
    connection.incarnation = row[0] if row else ""


def sync_pool(
    url: str, role: str, *, max_size: int, trust: Trust | None = None
) -> ConnectionPool[BoundedConnection]:
    """A pool of autocommitting connections for threads. Opened and closed by its owner."""
    return ConnectionPool(
        conninfo_of(url, role),
        connection_class=BoundedConnection,
        kwargs={"autocommit": True, "prepare_threshold": 0},
        configure=_introduce if trust else None,
        min_size=1,
        max_size=max_size,
        timeout=ACQUIRE_SECONDS,
        max_waiting=WAITING_AT_MOST,
        reconnect_timeout=RECONNECT_SECONDS,
        open=False,
        name=role,
    )


class Database:
    """A pool of connections that all act as one role. Open it before use, close it after."""

    def __init__(self, url: str, role: str, *, max_size: int, trust: Trust | None = None) -> None:
        """Describe the connections.

        Args:
            url: Conninfo or URL.
            role: The process's.
            max_size: How many connections to hold at most.
            trust: Whether to work on what a connection leads to; without it, on anything.
        """
        self._trust = trust
        self._pool = AsyncConnectionPool(
            conninfo_of(url, role),
            connection_class=AsyncBoundedConnection,
            kwargs={"autocommit": True, "prepare_threshold": 1},
            configure=_introduce_async if trust else None,
            min_size=1,
            max_size=max_size,
            timeout=ACQUIRE_SECONDS,
            max_waiting=WAITING_AT_MOST,
            reconnect_timeout=RECONNECT_SECONDS,
            open=False,
            name=role,
        )

    async def open(self) -> None:
        """Start connecting. A database that is not there yet shows at the first use."""
        await self._pool.open()

    async def close(self) -> None:
        """Give all connections back; those in use are closed when their users end."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    @asynccontextmanager
    async def tenant(self, tenant_id: UUID) -> AsyncIterator[AsyncBoundedConnection]:
        """A transaction that sees this tenant's rows only; committed at the end, or rolled back.

        Raises:
            Unavailable: the database does not answer.
        """
        async with self._transaction(str(UUID(int=tenant_id.int))) as connection:
            yield connection

    @asynccontextmanager
    async def system(self) -> AsyncIterator[AsyncBoundedConnection]:
        """A transaction of no tenant: it sees what the role may see across all of them.

        Raises:
            Unavailable: the database does not answer.
        """
        async with self._transaction("") as connection:
            yield connection

    async def call(self, query: LiteralString, given: Params = ()) -> list[tuple[Any, ...]]:
        """One statement that is a transaction of its own, in one round trip; its rows.

        For what bears repeating: when the connection turns out to be dead, it is asked again on
        another one. The statement is of no tenant, unless it is a function that enters one.

        Raises:
            Unavailable: the database does not answer.
        """
        with unavailable():
            began = time.monotonic()
            try:
                return await self._called(query, given)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if isinstance(error, STILL_THERE) or time.monotonic() - began > PROMPT_SECONDS:
                    raise
            await self._pool.drain()
            return await self._called(query, given)

    async def _called(self, query: LiteralString, given: Params) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            admit(connection, self._trust)
            cursor = connection.cursor(binary=True)
            await cursor.execute(query, given)
            return await cursor.fetchall()

    async def ready(self) -> bool:
        """Whether the database answers."""
        try:
            async with self.system() as connection:
                await connection.execute("SELECT 1")
        except Unavailable:
            return False
        return True

    @asynccontextmanager
    async def _transaction(self, tenant: str) -> AsyncIterator[AsyncBoundedConnection]:
        with unavailable():
            connection = await self._begun(tenant)
        try:
            admit(connection, self._trust)
            with unavailable():
                yield connection
                await connection.execute("COMMIT")
        except BaseException:
            await self._roll_back(connection)
            raise
        finally:
            await self._pool.putconn(connection)

    async def _begun(self, tenant: str) -> AsyncBoundedConnection:
        """A connection that has just begun a transaction: so it is alive."""
        deadline = time.monotonic() + ACQUIRE_SECONDS
        while True:
            left = deadline - time.monotonic()
            connection = await self._pool.getconn(timeout=max(left, 0.001))
            connection.answer_seconds = BEGIN_SECONDS
            try:
                # Both in one round trip; what stands between the quotes is a UUID or nothing.
                await connection.execute(BEGIN % tenant.encode(), prepare=False)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                connection.pgconn.finish()
                await self._pool.putconn(connection)
                if time.monotonic() > deadline:
                    raise psycopg.OperationalError("no connection answers") from error
            except BaseException:
                connection.pgconn.finish()
                await self._pool.putconn(connection)
                raise
            else:
                connection.answer_seconds = ANSWER_SECONDS
                return connection

    @staticmethod
    async def _roll_back(connection: AsyncBoundedConnection) -> None:
        connection.answer_seconds = BEGIN_SECONDS
        try:
            await connection.execute("ROLLBACK")
        except (psycopg.Error, asyncio.CancelledError):
            connection.pgconn.finish()
