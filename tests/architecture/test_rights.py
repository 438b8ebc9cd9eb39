"""The rights that the documentation shows are those of a migrated database."""

import psycopg
import pytest

from infrastructure.postgres.migrations import FOLDER
from interface.cli.generate.rights import ROLES, rights, tables

PRIVILEGES = ("select", "insert", "update", "delete")

OURS = """
    SELECT c.oid::regclass::text, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('es', 'app') AND c.relkind IN ('r', 'p')
"""
WHOLE = "SELECT has_table_privilege(%s, %s, %s)"
SOME = "SELECT has_any_column_privilege(%s, %s, %s)"
POWERS = """
    SELECT rolname, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb
    FROM pg_roles WHERE rolname LIKE 'bp\\_%'
"""


@pytest.fixture
def connection(database: str) -> psycopg.Connection:
    with psycopg.connect(database) as opened:
        yield opened


def test_every_table_is_shown(connection: psycopg.Connection) -> None:
    found = {row[0] for row in connection.execute(OURS)}
    shown = set(tables(FOLDER))
    assert shown <= found
    assert all(name.startswith("app.views_") for name in found - shown)


def test_every_table_enables_and_forces_row_level_security(connection: psycopg.Connection) -> None:
    assert [row[0] for row in connection.execute(OURS) if not (row[1] and row[2])] == []


def test_the_rights_that_are_shown_are_those_of_the_database(
    connection: psycopg.Connection,
) -> None:
    shown = {(r.table, r.role, r.privilege): r.some_columns for r in rights(FOLDER)}
    for name in (row[0] for row in connection.execute(OURS).fetchall()):
        for role in ROLES:
            for privilege in PRIVILEGES:
                asked = (role, name, privilege)
                [whole] = connection.execute(WHOLE, asked).fetchone() or (None,)
                [some] = (
                    (whole,)
                    if privilege == "delete"
                    else connection.execute(SOME, asked).fetchone() or (None,)
                )
                expected = shown.get((name, role, privilege))
                assert (some, whole) == (expected is not None, expected is False), asked


def test_no_role_of_a_process_has_powers_beyond_its_rights(connection: psycopg.Connection) -> None:
    found = {row[0]: row[1:] for row in connection.execute(POWERS)}
    assert set(ROLES) < set(found)
    assert [name for name, powers in found.items() if any(powers)] == []
