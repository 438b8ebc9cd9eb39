"""The kit runs each SQL file of a project once, on a real PostgreSQL, and says what it cannot."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from application.delivery.words import WORDS
from infrastructure.embedded.binaries import postgres_bin
from tests.application.delivery.test_kit import KIT

VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
FIRST = "CREATE TABLE tool (id integer);\nINSERT INTO tool VALUES (1);\n"
OWN = "BEGIN;\nCREATE TABLE loan (tool integer);\nCOMMIT;\n"
BROKEN = "CREATE TABLE fine (id integer);\nCREATE TABLE (;\n"


class Project:
    """A folder of SQL files and an empty database."""

    def __init__(self, folder: Path, conninfo: str) -> None:
        self.folder = folder
        self.conninfo = conninfo
        (folder / "tables.sh").write_bytes(KIT.files["kit/tables.sh"])

    def run(self, **files: str) -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            (self.folder / f"{name}.sql").write_text(text)
        parts = conninfo_to_dict(self.conninfo)
        given = {
            variable: str(parts[part]) for part, variable in VARIABLES.items() if part in parts
        }
        return subprocess.run(  # noqa: S603  # Ours.
            ["/bin/sh", str(self.folder / "tables.sh"), *(f"{name}.sql" for name in files)],
            env={
                **given,
                "PGDATABASE": str(parts["dbname"]),
                "PATH": f"{postgres_bin()}:{os.environ['PATH']}",
                "SQL_FOLDER": str(self.folder),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def tables(self) -> set[str]:
        with psycopg.connect(self.conninfo) as connection:
            rows = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
        return {row[0] for row in rows}


@pytest.fixture
def project(database: str, tmp_path: Path) -> Project:
    return Project(tmp_path, database)


def test_each_file_is_run_once_and_in_order(project):
    before = project.tables()
    ran = project.run(a=FIRST, b=OWN)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "db/a.sql\ndb/b.sql\n")
    assert project.tables() - before == {"tool", "loan"}
    again = project.run(a=FIRST, b=OWN, c="ALTER TABLE loan ADD person text;\n")
    assert (again.returncode, again.stderr, again.stdout) == (0, "", "db/c.sql\n")


def test_a_file_that_fails_leaves_nothing_and_is_tried_again(project):
    before = project.tables()
    ran = project.run(a=BROKEN)
    assert ran.returncode != 0
    assert "syntax error" in ran.stderr
    assert project.tables() == before
    assert project.run(a=FIRST).returncode == 0


def test_a_file_that_was_changed_since_is_named_and_not_run(project):
    assert project.run(a=FIRST).returncode == 0
    ran = project.run(a=FIRST + "DROP TABLE tool;\n")
    assert ran.returncode == 1
    assert ran.stderr == f"{WORDS['en'].script.changed}\ndb/a.sql\n"
    assert "tool" in project.tables()
