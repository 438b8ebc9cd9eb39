"""The backup that docs/operations.md describes, made and restored with PostgreSQL's own tools."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infrastructure.embedded import Stack
from infrastructure.embedded.binaries import postgres_bin

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"

TENANT, FEATURE = uuid4(), uuid4()


@pytest.fixture
def empty(stack: Stack) -> Iterator[str]:
    name = f"restored_{uuid4().hex}"
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_conninfo(stack.dsn, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _run(tool: str, *arguments: str) -> None:
    command = [str(postgres_bin() / tool), *arguments]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own binary.


def _dump_commands() -> list[list[str]]:
    """The words after `pg_dump` of each command on the page."""
    found = re.findall(r"`pg_dump ([^`]+)`", PAGE.read_text(encoding="utf-8"))
    return [command.split() for command in found]


def _fill(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO es.streams (tenant_id, stream_id, version, head_hash, head_at)"
            " VALUES (%s, %s, 1, '', now())",
            (TENANT, FEATURE),
        )
        connection.execute(
            "INSERT INTO app.data_keys (key_id, tenant_id, scope, wrapped) VALUES (%s, %s, %s, %s)",
            (uuid4(), TENANT, str(FEATURE), b"wrapped"),
        )


def _found(database: str) -> tuple[list[UUID], list[UUID]]:
    with psycopg.connect(database) as connection:
        streams = connection.execute("SELECT stream_id FROM es.streams").fetchall()
        keys = connection.execute("SELECT tenant_id FROM app.data_keys").fetchall()
    return [row[0] for row in streams], [row[0] for row in keys]


def test_a_backup_without_keys_and_the_keys_together_restore_everything(
    database: str, empty: str, tmp_path: Path
) -> None:
    _fill(database)
    without_keys, keys = _dump_commands()
    files = [str(tmp_path / name) for name in ("database", "keys")]
    for command, file in zip((without_keys, keys), files, strict=True):
        _run("pg_dump", *command, f"--dbname={database}", f"--file={file}")

    _run("pg_restore", "--exit-on-error", f"--dbname={empty}", files[0])
    assert _found(empty) == ([FEATURE], [])

    _run("pg_restore", "--exit-on-error", f"--dbname={empty}", files[1])
    assert _found(empty) == ([FEATURE], [TENANT])
    with psycopg.connect(empty) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM es.streams")
