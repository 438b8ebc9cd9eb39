"""Migrations: once, forward, by whoever comes first; and one clear error when they cannot."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from structlog.testing import capture_logs

from infrastructure.embedded import Stack
from infrastructure.postgres import database as bounds
from infrastructure.postgres import migrations
from infrastructure.postgres.database import ROLES
from infrastructure.postgres.migrations import (
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


# While people work.


def _with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """One migration more than there are."""
    shutil.copytree(FOLDER, tmp_path / "sql")
    (tmp_path / "sql" / name).write_text(text)
    monkeypatch.setattr(migrations, "FOLDER", tmp_path / "sql")


ADDING = "-- migrate:up\nalter table app.tasks add column extra int;\n-- migrate:down\n"


def test_a_migration_lets_others_work_while_it_waits_for_its_locks(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody reads the table in a long transaction; new readers come between any two tries."""
    migrate(empty)
    _with(tmp_path, monkeypatch, "9000_adding.sql", ADDING)
    tries = 0
    with psycopg.connect(empty, application_name="long report") as reading:
        reading.execute("SELECT count(*) FROM app.tasks")

        def pause(_: float) -> None:
            nonlocal tries
            tries += 1
            with psycopg.connect(empty) as working:
                working.execute("SET lock_timeout = '50ms'")
                working.execute("UPDATE app.tasks SET error = ''")
            if tries == 2:
                reading.rollback()

        with capture_logs() as said:
            assert migrate(empty, sleep=pause) == ["9000_adding.sql"]
    assert tries == 2
    waited = [line for line in said if line["event"] == "migration_waits"]
    assert len(waited) == 2
    assert "long report" in waited[0]["behind"]
    assert pending(empty) == []


def test_a_migration_that_never_gets_its_locks_says_who_is_in_the_way(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    _with(tmp_path, monkeypatch, "9000_adding.sql", ADDING)
    monkeypatch.setattr(migrations, "TRIES", 2)
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.05)
    with psycopg.connect(empty, application_name="long report") as reading:
        reading.execute("SELECT count(*) FROM app.tasks")
        with pytest.raises(MigrationFailed, match=r"9000_adding.sql.*long report") as refused:
            migrate(empty, sleep=lambda _: None)
    assert "\n" not in str(refused.value)
    assert pending(empty) == ["9000_adding.sql"]
    assert migrate(empty) == ["9000_adding.sql"]


def test_nobody_waits_for_a_lock_of_a_migration_for_longer_than_they_would_wait_anyway() -> None:
    assert migrations.LOCK_SECONDS < bounds.LOCK_SECONDS


def test_an_index_is_made_while_the_table_is_written_and_others_wait_for_their_turn(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two migrators: one that waited inside a statement would never let the other's index be."""
    migrate(empty)
    _with(
        tmp_path,
        monkeypatch,
        "9000_index.sql",
        "-- migrate:up transaction:false\n"
        "create index concurrently if not exists extra on app.tasks (step);\n-- migrate:down\n",
    )
    with ThreadPoolExecutor(2) as threads:
        applied = [*threads.map(migrate, [empty] * 2)]
    assert sorted(applied) == [[], ["9000_index.sql"]]


def test_a_version_that_knows_less_says_what_it_needs_in_one_line(empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty) as connection:
        connection.execute("INSERT INTO schema_migrations (version) VALUES ('9999')")
    with pytest.raises(SchemaTooNew) as refused:
        pending(empty)
    assert str(refused.value) == (
        "the database has migration 9999, which this version does not know (it ends at "
        f"{NAMES[-1][:4]}): start the version that applied it, or a later one"
    )


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
