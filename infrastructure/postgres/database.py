"""Connections to PostgreSQL, as one process's role, bounded in time everywhere.

Invariants: the tenant of a transaction is set in `Database.tenant` (or inside the log's own SQL
functions), for that transaction only; a connection goes back to the pool without one. A process
that was given a `Trust` works on no database that it does not trust.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
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
from infrastructure.postgres.standing import writable

R = TypeVar("R")

Trust = Callable[[str], bool]
"""Whether a process works on this incarnation of the database (`application.continuity.watch`)."""

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

GOING: Final = ("08", "57P")
"""How the SQLSTATE begins of a server that goes away; when it is gone, there is none at all."""

VICTIMS: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
"""A transaction that was rolled back so that another could go on."""

OUTDATED_PLAN: Final = "RevalidateCachedQuery"
"""The server's function that says "cached plan must not change result type", in any language."""

LOST: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
)
"""The database, or the way to it, is not there. Includes time-outs of statements and locks."""


def is_session_at_fault(error: BaseException | None) -> bool:
    """Whether a statement was refused, before it did anything, for what its session is.

    The server takes no writes any more (it was demoted, or made read-only), or a plan that the
    session kept fits the schema no more (it was migrated). Another connection is asked instead.
    """
    if isinstance(error, psycopg.errors.FeatureNotSupported):
        return error.diag.source_function == OUTDATED_PLAN
    return isinstance(error, psycopg.errors.ReadOnlySqlTransaction)


def is_connection_dead(error: BaseException | None) -> bool:
    """Whether nobody was there to refuse anything: then the pool's other connections are, too."""
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    if isinstance(error, PoolTimeout | PoolClosed | TooManyRequests):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(GOING)


def bears_another_try(error: BaseException, seconds: float) -> bool:
    """Whether to ask again, on another connection, what may be asked twice.

    Args:
        error: What came of asking.
        seconds: How long it took: a connection lost at once was dead before. Later, whatever was
            asked may have been done, and whoever asked has waited long enough.
    """
    if is_session_at_fault(error) or isinstance(error, VICTIMS):
        return True
    return is_connection_dead(error) and seconds <= PROMPT_SECONDS


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


def conninfo_of(url: str, role: str, *, writes: bool = True) -> str:
    """The conninfo of a process: the one URL, the process's role, and all time-outs.

    Args:
        url: Conninfo or URL of the database, with one host or several.
        role: One of `ROLES`.
        writes: Pass over hosts that take no writes; whoever only reads may ask a standby.
    """
    if role not in ROLES:
        raise ValueError(f"no such role: {role}")
    given = conninfo_to_dict(url).get("options") or ""
    options = (
        f"{given} -c role={role} -c statement_timeout={STATEMENT_SECONDS}s"
        f" -c lock_timeout={LOCK_SECONDS}s"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s"
        " -c default_transaction_isolation=read\\ committed -c timezone=UTC"
        # The server lets go of us, too, when our machine is gone.
        " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
    )
    return make_conninfo(
        writable(url) if writes else url,
        options=options.strip(),
        application_name=role,
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=STATEMENT_SECONDS * 1000,
        keepalives=1,
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
    except psycopg.errors.FeatureNotSupported as error:
        if not is_session_at_fault(error):
            raise
        raise Unavailable("database", "its schema has just changed") from error
    except psycopg.DatabaseError as error:
        if error.sqlstate is not None or type(error) is not psycopg.DatabaseError:
            raise
        # libpq's own word, not the server's: an answer that was cut off, or is none.
        raise Unavailable("database", "Its answer could not be read.") from error


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

    async def call(
        self,
        query: LiteralString,
        given: Params = (),
        *,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> list[tuple[Any, ...]]:
        """One statement that is a transaction of its own, in one round trip; its rows.

        For what bears repeating: when the connection turns out to be dead, it is asked again on
        another one. The statement is of no tenant, unless it is a function that enters one.

        Args:
            query: The statement.
            given: Its values.
            answer_seconds: How long the server is waited for; then the connection is dead.

        Raises:
            Unavailable: the database does not answer.
        """
        with unavailable():
            began = time.monotonic()
            try:
                return await self._called(query, given, answer_seconds)
            except psycopg.Error as error:
                await self._replace_after(error)
                if not bears_another_try(error, time.monotonic() - began):
                    raise
            return await self._called(query, given, answer_seconds)

    async def _called(
        self, query: LiteralString, given: Params, answer_seconds: float
    ) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            admit(connection, self._trust)
            connection.answer_seconds = answer_seconds
            cursor = connection.cursor(binary=True)
            await cursor.execute(query, given)
            return await cursor.fetchall()

    async def ready(self) -> bool:
        """Whether the database answers, and takes writes."""
        try:
            async with self.system() as connection:
                row = await (await connection.execute("SHOW transaction_read_only")).fetchone()
        except Unavailable:
            return False
        if row is not None and row[0] == "off":
            return True
        await self._pool.drain()
        return False

    def figures(self) -> Mapping[str, int]:
        """The pool's figures, as psycopg_pool counts them."""
        return self._pool.get_stats()

    async def _replace_after(self, error: BaseException | None) -> None:
        """Make new connections in place of all idle ones, if the error says that they are no good.

        Otherwise each of them would cost its next user a time-out of its own.
        """
        if is_session_at_fault(error) or is_connection_dead(error):
            await self._pool.drain()

    @asynccontextmanager
    async def _transaction(self, tenant: str) -> AsyncIterator[AsyncBoundedConnection]:
        with unavailable():
            connection = await self._begun(tenant)
        try:
            admit(connection, self._trust)
            with unavailable():
                yield connection
                await connection.execute("COMMIT")
        except BaseException as error:
            await self._roll_back(connection)
            # Drained first: a connection that is given back after that is replaced as well.
            await self._replace_after(error.__cause__ if isinstance(error, Unavailable) else error)
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
                await self._replace_after(error)
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
