"""A database that takes no writes, is too old, or hangs on a dead wire: named, waited for, left."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from application.ports import Metadata, Unavailable
from domain import events as e
from infrastructure.event_log import recorder
from infrastructure.postgres import database as bounds
from infrastructure.postgres.database import Database
from infrastructure.postgres.migrations import MigrationFailed, migrate, pending
from infrastructure.postgres.standing import (
    DatabaseStanding,
    DatabaseWatch,
    Look,
    look,
    refuse_old,
    writable,
)
from infrastructure.sealing import MasterKey
from interface.cli.app import app
from tests.integration.cutting_proxy import CuttingProxy
from tests.integration.logs import new, opened
from tests.integration.servers import Tcp, free_port, old_server, primary, standby, url
from tests.prepared import run

pytestmark = pytest.mark.servers

SHORT_SECONDS = 1.5
"""Instead of the seconds that a dead connection is waited for: the test has four of them."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tcp, Tcp]]:
    root = tmp_path_factory.mktemp("pair")
    with primary(root / "primary") as first, standby(first, root / "standby") as second:
        yield first, second


# Read-only.


def test_a_standby_first_in_the_address_is_passed_over(pair: tuple[Tcp, Tcp]) -> None:
    first, second = pair
    both = url(second, first)
    assert look(both) == Look(DatabaseStanding.READY)
    first.sql("CREATE DATABASE passed")
    asked = url(second, first, name="passed")
    applied = migrate(asked)
    assert applied
    assert pending(asked) == []


async def test_processes_write_to_the_primary_wherever_it_stands(pair: tuple[Tcp, Tcp]) -> None:
    first, second = pair
    migrate(first.dsn)
    for both in (url(second, first), url(second, first, options="?target_session_attrs=any")):
        async with Database(both, "bp_worker", max_size=2) as database:
            assert await database.ready()
            [(port,)] = await database.call("SELECT inet_server_port()")
            assert port == first.port
    assert "target_session_attrs=primary" in writable(
        url(first, options="?target_session_attrs=primary")
    )


def test_a_standby_alone_is_named_and_migrates_nothing(
    pair: tuple[Tcp, Tcp], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, second = pair
    monkeypatch.setenv("BP_DATABASE_URL", url(second))
    monkeypatch.setenv("BP_NATS_URL", "nats://127.0.0.1:1")
    for command in (["migrate"], ["features"], ["dead-letters", "list"]):
        assert app(command) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert "takes writes" in line
    assert look(url(second)).standing is DatabaseStanding.READ_ONLY
    with pytest.raises(MigrationFailed, match="No host in BP_DATABASE_URL takes writes"):
        migrate(url(second))


async def test_a_server_made_read_only_is_left_and_found_again(
    pair: tuple[Tcp, Tcp],
) -> None:
    first, _ = pair
    migrate(first.dsn)
    watch, stop = DatabaseWatch(first.dsn), asyncio.Event()
    async with opened(first.dsn) as log, Database(first.dsn, "bp_worker", max_size=2) as database:
        assert await database.ready()
        origin = Metadata(uuid7(), "user:x", uuid7())
        await log.log.append(uuid7(), new(e.FeatureCreated("A")), expected=0, origin=origin)
        with capture_logs() as said:
            following = asyncio.create_task(watch.follow(database.ready, stop))
            try:
                first.sql(
                    "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"
                )
                while await database.ready():
                    await asyncio.sleep(0.01)
                with pytest.raises(Unavailable):
                    await log.log.append(
                        uuid7(), new(e.FeatureCreated("B")), expected=0, origin=origin
                    )
                while watch.standing is not DatabaseStanding.READ_ONLY:
                    await asyncio.sleep(0.01)
            finally:
                _writable_again(first)
            while watch.standing is not DatabaseStanding.READY:
                await asyncio.sleep(0.01)
            stop.set()
            await following

        async def append() -> None:
            await log.log.append(uuid7(), new(e.FeatureCreated("C")), expected=0, origin=origin)

        await insistently(append, 5)
    assert [line["event"] for line in said] == ["database_read_only", "database_ready_again"]


def _writable_again(server: Tcp) -> None:
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        connection.execute("SELECT pg_reload_conf()")


async def test_what_is_away_is_waited_for_and_said_once() -> None:
    answers = [
        Look(DatabaseStanding.UNREACHABLE, "x"),
        Look(DatabaseStanding.UNREACHABLE, "y"),
        Look(DatabaseStanding.READ_ONLY),
        Look(DatabaseStanding.READ_ONLY),
        Look(DatabaseStanding.READY),
    ]
    watch = DatabaseWatch("", look=lambda _: answers.pop(0))
    with capture_logs() as said:
        for _ in range(4):
            await watch.look()
        assert (await watch.wait(asyncio.Event())).standing is DatabaseStanding.READY
    assert [line["event"] for line in said] == [
        "database_unreachable",
        "database_read_only",
        "database_ready_again",
    ]


async def test_what_waiting_does_not_mend_is_not_waited_for(pair: tuple[Tcp, Tcp]) -> None:
    first, _ = pair
    nobody = free_port()
    for address, standing in (
        (url(first, name="not_there"), DatabaseStanding.REFUSED),
        (url(first, user="nobody_of_that_name"), DatabaseStanding.REFUSED),
        (url(first, options="?sslmode=require"), DatabaseStanding.REFUSED),
        (f"postgresql://postgres@127.0.0.1:{nobody}/postgres", DatabaseStanding.UNREACHABLE),
        # One host refuses, and the other may come.
        (
            f"postgresql://postgres@127.0.0.1:{first.port},127.0.0.1:{nobody}/not_there",
            DatabaseStanding.UNREACHABLE,
        ),
    ):
        seen = look(address)
        assert seen.standing is standing, seen
        assert seen.standing.mends_itself == (standing is DatabaseStanding.UNREACHABLE)
        assert "\n" not in seen.sentence()


# One meaning of an address.


def test_the_same_address_means_the_same_for_the_program_and_for_migrate(
    pair: tuple[Tcp, Tcp], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server without encryption: taken without `sslmode` or with `prefer`, not with `require`."""
    first, second = pair
    first.sql("CREATE DATABASE meaning")
    for options in ("", "?sslmode=prefer", "?sslmode=disable", "?sslmode=allow"):
        address = url(second, first, name="meaning", options=options)
        assert look(address).standing is DatabaseStanding.READY
        monkeypatch.setenv("BP_DATABASE_URL", address)
        assert app(["migrate"]) == 0
    monkeypatch.setenv("BP_DATABASE_URL", url(first, name="meaning", options="?sslmode=require"))
    assert app(["migrate"]) == 1
    assert "SSL" in capsys.readouterr().err


# Too old.


def _refused(command: str, given: dict[str, str]) -> list[str]:
    """What a command complains of that ends with code 1."""
    done = run([command], env={**os.environ, **given})
    assert done.returncode == 1
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize(
    "version",
    [
        "15.18",
        *(
            pytest.param(one, marks=pytest.mark.campaign)
            for one in ("15.18 (Debian 15.18-0+deb12u1)", "9.6.24", "14.0")
        ),
    ],
)
def test_a_server_before_16_is_refused_in_one_line(version: str, tmp_path: Path) -> None:
    with old_server(version) as address:
        seen = look(address)
        assert seen.standing is DatabaseStanding.TOO_OLD
        assert not seen.standing.mends_itself
        key = tmp_path / "master.key"
        MasterKey.generate_file(key)
        given = {
            "BP_DATABASE_URL": address,
            "BP_MASTER_KEY_FILE": str(key),
            "BP_NATS_URL": "nats://127.0.0.1:1",
        }
        [line] = _refused("migrate", given)
        assert _refused("worker", given) == [line]
    number = ".".join(version.split(maxsplit=1)[0].split(".")[:2])
    assert line.endswith(
        f"PostgreSQL {number} is too old: BP_DATABASE_URL must name version 16 or later."
    )


def test_a_real_server_is_known_by_the_same_word(pair: tuple[Tcp, Tcp]) -> None:
    with psycopg.connect(pair[0].dsn) as connection:
        told = connection.info.parameter_status("server_version")
        assert told is not None
        assert told.split(".")[0] == str(connection.info.server_version // 10_000) == "18"
        refuse_old(connection.info.server_version)
    with old_server("16.0") as address:
        assert look(address).standing is DatabaseStanding.READY


# A schema that changes under prepared statements.


async def test_a_plan_that_fits_the_schema_no_more_is_made_anew(database: str) -> None:
    """No statement of ours takes columns it does not name; should one, it is asked again."""
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("CREATE TABLE public.shape (a int)")
        owner.execute("GRANT ALL ON public.shape TO bp_worker")
        async with Database(database, "bp_worker", max_size=2) as pool:
            for _ in range(3):  # Prepared from the second on.
                assert await pool.call("SELECT * FROM public.shape") == []
            owner.execute("ALTER TABLE public.shape ADD COLUMN b text")
            assert await pool.call("SELECT * FROM public.shape") == []
            with pytest.raises(psycopg.errors.FeatureNotSupported):  # A defect stays one.
                await pool.call("SELECT count(*) OVER () FROM public.shape FOR UPDATE")


# Behind a dead wire.


async def test_a_half_open_database_costs_each_kind_of_call_one_time_out_at_most(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many connections were dead: one that was found so takes the others along."""
    for module, name in (
        (bounds, "ANSWER"),
        (bounds, "BEGIN"),
        (recorder, "ANSWER"),
        (recorder, "READ"),
    ):
        monkeypatch.setattr(module, f"{name}_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(bounds.AsyncBoundedConnection, "answer_seconds", SHORT_SECONDS)
    folder = tmp_path / "proxy"
    folder.mkdir()
    async with (
        CuttingProxy(database, folder) as proxy,
        opened(proxy.url) as log,
        Database(proxy.url, "bp_worker", max_size=6) as pool,
    ):
        origin, feature = Metadata(uuid7(), "user:x", uuid7()), uuid7()
        tenant = origin.tenant_id
        await log.log.append(feature, new(e.FeatureCreated("A")), expected=0, origin=origin)

        async def in_a_transaction() -> None:
            async with pool.system() as connection:
                await connection.execute("SELECT pg_sleep(0.05)")

        async def call() -> None:
            await pool.call("SELECT 1")

        async def read() -> None:
            await log.log.read(tenant, feature)

        async def append() -> None:
            await log.log.append(uuid7(), new(e.FeatureCreated("B")), expected=0, origin=origin)

        async def fill() -> None:
            """So that there is more than one dead connection to run into."""
            await asyncio.gather(*(in_a_transaction() for _ in range(6)))
            await asyncio.gather(*(read() for _ in range(4)), append())

        for kind in (in_a_transaction, call, read, append):
            await insistently(fill, 9)
            assert proxy.deafen() >= 6
            await insistently(kind, 1)


async def insistently(work: Callable[[], Awaitable[None]], failures: int) -> None:
    """Do it again while the database is away, at most so often."""
    for _ in range(failures):
        try:
            await work()
        except Unavailable:
            continue
        return
    await work()


def test_one_time_out_and_a_new_connection_fit_into_ten_seconds() -> None:
    """With the test above: a half-open database is healed within ten seconds."""
    longest = max(bounds.ANSWER_SECONDS, bounds.BEGIN_SECONDS, bounds.READ_SECONDS)
    assert longest + bounds.ACQUIRE_SECONDS + bounds.CONNECT_SECONDS < 10
