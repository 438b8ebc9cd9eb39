"""Migrations: numbered SQL files, only ever forward, each applied whole or not at all.

Invariants: of any number of processes that start at once, one migrates and the others wait for it.
They go over the program's own kind of connection, so that an address means one thing for both. No
statement of a migration makes the running service wait for longer than `LOCK_SECONDS`: what it
cannot lock by then, it lets go of, and tries again.

The rules for what may stand in a file are in docs/architecture.md; tests/architecture/
test_migration_rules.py refuses what breaks them.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infrastructure.postgres.standing import (
    DatabaseStanding,
    ServerTooOld,
    look,
    refuse_old,
    writable,
)

log = structlog.get_logger(__name__)

FOLDER: Final = Path(__file__).parents[1] / "sql"
LOCK: Final = 0x6270_6D69_6772
"""Our advisory lock, held while files are applied."""

WAIT_SECONDS: Final = 120.0
"""How long one migrator waits for another."""
LOCK_SECONDS: Final = 1.0
"""How long a statement waits for a lock. Everybody else queues behind it meanwhile, and gives up
after two seconds (`database.LOCK_SECONDS`)."""
TRIES: Final = 60
"""Of one file, as long as it does not get its locks."""
PAUSE_SECONDS: Final = (0.2, 2.0)
"""Between two tries: the first pause, and the longest; the service works meanwhile."""
CONNECT_SECONDS: Final = 5
GONE_SECONDS: Final = 10
"""After so long without a sign of life on the wire the server counts as gone."""
RUN_SECONDS: Final = 600
"""For one statement that has its locks."""

UP, DOWN = "-- migrate:up", "-- migrate:down"
OUTSIDE: Final = "transaction:false"
"""After `-- migrate:up`: one statement that PostgreSQL runs in no transaction, such as CREATE INDEX
CONCURRENTLY. It must bear being tried again."""

TABLE: Final = "CREATE TABLE IF NOT EXISTS public.schema_migrations (version varchar PRIMARY KEY)"
NOTE: Final = "INSERT INTO public.schema_migrations (version) VALUES (%s)"
HOLDERS: Final = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), 'a session without a name'),
       extract(epoch FROM clock_timestamp() - a.xact_start)::int
FROM pg_stat_activity a
WHERE a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid() AND a.datname = current_database()
ORDER BY a.xact_start LIMIT 1
"""


class MigrationFailed(Exception):
    """The database could not be brought to this version's schema. The failed file left nothing."""


class SchemaTooNew(MigrationFailed):
    """The database was migrated by a later version of this program. Start that one."""


def migrate(dsn: str, *, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Apply what is missing; the names applied by this call, in order.

    Args:
        dsn: A conninfo string or URL, with one host or several, of a user who may create roles and
            schemas. Of several hosts, the one that takes writes.
        sleep: Waits for so many seconds.

    Raises:
        MigrationFailed: with the statement's error; files before the failed one stay applied.
    """
    try:
        with _connected(dsn) as connection:
            _take_turn(connection, sleep)
            missing = _missing(connection)
            for name in missing:
                _apply(connection, name, sleep)
    except psycopg.Error as error:
        raise MigrationFailed(_why(dsn, error, "migrated")) from None
    return missing


def pending(dsn: str) -> list[str]:
    """Name the migrations that are not applied yet, in order. Raises MigrationFailed."""
    try:
        with _connected(dsn) as connection:
            return _missing(connection)
    except psycopg.Error as error:
        raise MigrationFailed(_why(dsn, error, "read")) from None


def _connected(dsn: str) -> psycopg.Connection:
    asked = make_conninfo(
        writable(dsn),
        application_name="bp_migrate",
        tcp_user_timeout=GONE_SECONDS * 1000,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
    )
    connection = psycopg.connect(asked, autocommit=True, connect_timeout=CONNECT_SECONDS)
    try:
        refuse_old(connection.info.server_version)
    except ServerTooOld as old:
        connection.close()
        raise MigrationFailed(str(old)) from None
    return connection


def _why(dsn: str, error: psycopg.Error, what: str) -> str:
    """One line that says what is wrong, and with whom."""
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        seen = look(dsn)
        if seen.standing is not DatabaseStanding.READY:
            return f"the database cannot be {what}: {seen.sentence()}"
    return f"the database cannot be {what}: {' '.join(str(error).split())}"


def _take_turn(connection: psycopg.Connection, sleep: Callable[[float], None]) -> None:
    """Wait for our lock by asking again: whoever waits inside a statement holds a snapshot.

    CREATE INDEX CONCURRENTLY waits for every older snapshot, and would wait for ever.
    """
    ends = time.monotonic() + WAIT_SECONDS
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
        if row is not None and row[0]:
            return
        if time.monotonic() > ends:
            raise MigrationFailed(
                f"another process has been migrating this database for {WAIT_SECONDS:.0f} s"
            )
        sleep(PAUSE_SECONDS[0])


def _missing(connection: psycopg.Connection) -> list[str]:
    ours = {path.name.split("_", 1)[0]: path.name for path in sorted(FOLDER.glob("*.sql"))}
    found = connection.execute("SELECT to_regclass('public.schema_migrations')").fetchone()
    if found is None or found[0] is None:
        return list(ours.values())
    rows = connection.execute("SELECT version FROM public.schema_migrations").fetchall()
    applied = {str(row[0]) for row in rows}
    unknown = sorted(applied - ours.keys())
    if unknown:
        raise SchemaTooNew(
            f"the database has migration {unknown[-1]}, which this version does not know (it ends "
            f"at {max(ours, default='none')}): start the version that applied it, or a later one"
        )
    return [name for version, name in ours.items() if version not in applied]


def _apply(connection: psycopg.Connection, name: str, sleep: Callable[[float], None]) -> None:
    """Apply one file, as often as it takes to get its locks."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    head, _, rest = text.partition(UP)[2].partition("\n")
    statements = rest.partition(DOWN)[0]
    pause = PAUSE_SECONDS[0]
    for attempt in range(1, TRIES + 1):
        try:
            if head.strip() == OUTSIDE:
                _run_outside(connection, name, statements)
            else:
                _run(connection, name, statements)
        except psycopg.errors.LockNotAvailable:
            holder = _holder(connection)
            if attempt == TRIES:
                raise MigrationFailed(
                    f"migration {name} did not get its locks in {TRIES} tries, because of "
                    f"{holder}: end that, or wait for a quieter hour, and migrate again"
                ) from None
            log.info("migration_waits", migration=name, attempt=attempt, behind=holder)
            sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS[1])
        except psycopg.Error as error:
            raise MigrationFailed(
                f"migration failed at {name}: {' '.join(str(error).split())}"
            ) from None
        else:
            return


def _run(connection: psycopg.Connection, name: str, statements: str) -> None:
    with connection.transaction():
        _bound(connection, local=True)
        connection.execute(cast("Any", statements))
        connection.execute("RESET ROLE")
        _note(connection, name)


def _run_outside(connection: psycopg.Connection, name: str, statement: str) -> None:
    _bound(connection, local=False)
    connection.execute(cast("Any", statement))
    _note(connection, name)


def _bound(connection: psycopg.Connection, *, local: bool) -> None:
    for setting, seconds in (("lock_timeout", LOCK_SECONDS), ("statement_timeout", RUN_SECONDS)):
        connection.execute(
            sql.SQL("SET {} {} = {}").format(
                sql.SQL("LOCAL" if local else "SESSION"),
                sql.Identifier(setting),
                sql.Literal(f"{seconds * 1000:.0f}ms"),
            )
        )


def _note(connection: psycopg.Connection, name: str) -> None:
    connection.execute(TABLE)
    connection.execute(NOTE, (name.split("_", 1)[0],))


def _holder(connection: psycopg.Connection) -> str:
    row = connection.execute(HOLDERS).fetchone()
    if row is None:
        return "a session that has just ended"
    return f"{row[1]} (process {row[0]}, in a transaction for {row[2]} s)"
