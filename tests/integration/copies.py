"""A database set back: to a copy of itself, or in its log alone, under whoever is connected."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from uuid_utils.compat import uuid4

CUT = """
DO $$
BEGIN
  ALTER TABLE es.events DISABLE TRIGGER ALL;
  ALTER TABLE es.streams DISABLE TRIGGER ALL;
  DELETE FROM es.events WHERE position > {upto};
  DELETE FROM es.streams s WHERE NOT EXISTS (
    SELECT FROM es.events e WHERE e.stream_id = s.stream_id);
  UPDATE es.streams s SET version = e.version, head_hash = e.hash, head_at = e.recorded_at
  FROM (SELECT DISTINCT ON (stream_id) * FROM es.events ORDER BY stream_id, version DESC) e
  WHERE e.stream_id = s.stream_id;
  ALTER TABLE es.events ENABLE ALWAYS TRIGGER append_only;
  ALTER TABLE es.streams ENABLE ALWAYS TRIGGER append_only;
END $$
"""


def cut(url: str, upto: int) -> None:
    """Take every event behind a position from the log, and leave all other tables as they are."""
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL(CUT).format(upto=sql.Literal(upto)))


class Copy:
    """A database as it was at one moment."""

    def __init__(self, url: str) -> None:
        """Copy it; whoever is connected is sent away, and may come back."""
        self._admin = make_conninfo(url, dbname="postgres")
        self._name = str(conninfo_to_dict(url)["dbname"])
        self._copy = f"copy_{uuid4().hex}"
        self._run(self._name, "CREATE DATABASE {copy} TEMPLATE {name}")

    def put_back(self) -> None:
        """Put it in the place of what the database became since."""
        self._run(self._name, "DROP DATABASE {name}", "CREATE DATABASE {name} TEMPLATE {copy}")

    def drop(self) -> None:
        self._run(self._copy, "DROP DATABASE {copy}")

    def _run(self, closed: str, *statements: str) -> None:
        names = {"name": sql.Identifier(self._name), "copy": sql.Identifier(self._copy)}
        with psycopg.connect(self._admin, autocommit=True) as connection:
            allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
            connection.execute(allow.format(sql.Identifier(closed), sql.SQL("false")))
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                (closed,),
            )
            for statement in statements:
                connection.execute(sql.SQL(statement).format(**names))
            if closed == self._name:
                connection.execute(allow.format(sql.Identifier(closed), sql.SQL("true")))


@contextmanager
def kept(url: str) -> Iterator[Copy]:
    """A copy, for as long as it is of use."""
    copy = Copy(url)
    try:
        yield copy
    finally:
        copy.drop()
