"""The real servers for every test that asks for them, and the rule for those that do not.

Each pytest-xdist worker runs one embedded PostgreSQL and NATS of its own; nothing is started for
tests that ask for none of these fixtures. Invariant: a test sees no row and no message of another.
"""

import logging
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import nats
import psycopg
import pytest
import structlog
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infrastructure.embedded import Stack

pytest_plugins = ["tests.servers"]

TEMPLATE = "migrated"

# A machine that others load answers late; how long something may take is measured in benchmarks.
settings.register_profile("suite", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=400, deadline=None)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What a command that runs in this process does to logging is undone for the next test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture(scope="session")
def stack(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """PostgreSQL and NATS shared by all tests of a worker, without fsync; leave them running.

    A test that kills or restarts a server asks for `own_stack`.
    """
    with Stack(tmp_path_factory.mktemp("stack"), durable=False) as running:
        yield running


@pytest.fixture
def own_stack(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers of this test alone, to be killed, restarted and wiped; takes about 0.6 s."""
    with Stack(tmp_path_factory.mktemp("own"), durable=False) as running:
        yield running


@pytest.fixture(scope="session")
def template(stack: Stack) -> str:
    """Name the migrated, empty database from which each test's own is cloned."""
    from infrastructure.postgres.migrations import migrate  # noqa: PLC0415 - only where it is needed.

    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    migrate(make_conninfo(stack.dsn, dbname=TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database(stack: Stack, template: str) -> Iterator[str]:
    """Give the conninfo of a fresh, migrated database, as the superuser; dropped after the test."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        yield make_conninfo(stack.dsn, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def nats_url(stack: Stack) -> AsyncIterator[str]:
    """Give the address of NATS, token included; streams made by the test are deleted after it."""
    yield stack.nats_url
    client = await nats.connect(stack.nats_url)
    try:
        streams = client.jetstream()
        for stream in await streams.streams_info():
            await streams.delete_stream(stream.config.name)
    finally:
        await client.close()
