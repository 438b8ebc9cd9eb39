"""A migration of the next version, applied while the processes of this one work."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.faults.invariants import assert_invariants
from tests.faults.service import Service

TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('es', 'app') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""


@pytest.fixture
def expanding(broken_stack) -> Iterator[list[tuple[str, str]]]:
    """Every table, each with its name's two parts; what was added is taken away afterwards."""
    with psycopg.connect(broken_stack.dsn, autocommit=True) as connection:
        tables = connection.execute(TABLES).fetchall()
        yield tables
        for schema, table in tables:
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP COLUMN IF EXISTS added_later").format(
                    sql.Identifier(schema, table)
                )
            )


@pytest.mark.campaign
async def test_running_processes_survive_a_column_added_to_every_table(
    service: Service, expanding: list[tuple[str, str]]
) -> None:
    assert len(expanding) >= 20
    await service.start("worker")
    user = await service.user()
    feature = await user.create()
    other = await user.create()
    # By now every process has prepared its statements and kept its plans.
    await user.drive(feature, {"plan_ready"})
    await user.drive(other, {"spec_ready"})
    with psycopg.connect(service.stack.dsn, autocommit=True) as connection:
        for schema, table in expanding:
            connection.execute(
                sql.SQL("ALTER TABLE {} ADD COLUMN added_later text DEFAULT 'x'").format(
                    sql.Identifier(schema, table)
                )
            )
    await user.drive(feature)
    await user.drive(other, {"tests_ready"})
    await user.read("/api/features")
    await service.user()  # Signs up, and stores a key.
    again = await user.create()
    await user.drive(again, {"spec_ready"})
    for name in ("api", "relay", "projector", "sweeper", "worker"):
        [part] = service.running(name)
        assert "Traceback" not in part.said(), part.said()[-2000:]
        assert '"level": "error"' not in part.said()
    await assert_invariants(service)
