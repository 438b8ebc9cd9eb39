"""Migrations: once, forward, by whoever comes first; and one clear error when they cannot."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infrastructure import migrations
from infrastructure.database import ROLES
from infrastructure.embedded import Stack
from infrastructure.migrations import (
    FOLDER,
    MigrationFailed,
    SchemaTooNew,
    migrate,
    pending,
)

NAMES = sorted(path.name for path in FOLDER.glob("*.sql"))


@pytest.fixture
def empty(stack: Stack) -> str:
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return make_conninfo(stack.dsn, dbname=name)


def test_an_empty_database_gets_everything_once(empty: str) -> None:
    assert pending(empty) == NAMES
    assert migrate(empty) == NAMES
    assert pending(empty) == []
    assert migrate(empty) == []


def test_of_many_that_start_at_once_one_migrates(empty: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(migrate, [empty] * 4))
    assert sorted(answers) == [[], [], [], NAMES]


def test_a_url_does_as_well_as_a_conninfo(empty: str) -> None:
    parts = conninfo_to_dict(empty)
    url = f"postgresql://postgres@/{parts['dbname']}?host={parts['host']}&port=5432"
    assert migrate(url) == NAMES


def test_a_user_who_may_create_roles_need_not_be_superuser(own_stack: Stack) -> None:
    with psycopg.connect(own_stack.dsn, autocommit=True) as connection:
        connection.execute("CREATE ROLE plain LOGIN CREATEROLE")
        for name in ("first", "second"):
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER plain").format(sql.Identifier(name))
            )
    for name in ("first", "second"):
        dsn = make_conninfo(own_stack.dsn, dbname=name, user="plain")
        assert migrate(dsn) == NAMES
        for role in ROLES:
            with psycopg.connect(make_conninfo(dsn, options=f"-c role={role}")) as connection:
                assert connection.execute("SELECT current_user").fetchone() == (role,)


def test_a_failing_migration_leaves_nothing_and_says_why(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FOLDER, tmp_path / "sql")
    broken = tmp_path / "sql" / "0999_broken.sql"
    broken.write_text(
        "-- migrate:up\ncreate table app.half (a int);\nselect no_such_function();\n"
        "-- migrate:down\n"
    )
    monkeypatch.setattr(migrations, "FOLDER", tmp_path / "sql")
    with pytest.raises(MigrationFailed, match=r"0999_broken.sql.*no_such_function") as refused:
        migrate(empty)
    assert "\n" not in str(refused.value)
    assert pending(empty) == ["0999_broken.sql"]
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT to_regclass('app.half')").fetchone() == (None,)


def test_a_database_of_a_later_version_is_refused(empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty) as connection:
        connection.execute("INSERT INTO schema_migrations (version) VALUES ('9999')")
    for ask in (migrate, pending):
        with pytest.raises(SchemaTooNew, match="9999"):
            ask(empty)


def test_a_database_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MigrationFailed, match="cannot be migrated"):
        migrate(make_conninfo(host=str(tmp_path), user="nobody", dbname="none"))


def test_no_migration_has_a_way_back_and_each_has_its_own_number() -> None:
    numbers = [name.split("_", 1)[0] for name in NAMES]
    assert all(len(number) == 4 and number.isdecimal() for number in numbers)
    assert len(set(numbers)) == len(numbers)
    for name in NAMES:
        down = (FOLDER / name).read_text().split("-- migrate:down", 1)[1]
        assert all(not line or line.startswith("--") for line in down.splitlines())
