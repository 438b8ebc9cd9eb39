"""The log in PostgreSQL: append-only, chained, sealed, grouped, and there again after outages."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from uuid_utils.compat import uuid7

from application.ports import Conflict, Effects, Metadata, Unavailable, Unreadable
from domain import events as e
from domain.content import Content
from domain.status import Step
from infrastructure.embedded import Stack
from infrastructure.event_log import (
    ChainBroken,
    KeyDestroyed,
    PostgresEventLog,
    SealedEvent,
    event_hash,
    verify_chain,
)
from infrastructure.event_log.chain import StoredRow
from infrastructure.postgres.database import ROLES
from infrastructure.postgres.migrations import migrate
from tests.integration.cutting_proxy import CuttingProxy
from tests.integration.logs import Opened, new, new_ring, opened, posted

CANARY = "a-word-that-nobody-else-uses"


@pytest.fixture
async def log(database: str) -> AsyncIterator[Opened]:
    async with opened(database) as ready:
        yield ready


def as_superuser(url: str, statement: str, *, triggers: bool = True) -> None:
    with psycopg.connect(url) as connection:
        if not triggers:
            connection.execute("ALTER TABLE es.events DISABLE TRIGGER ALL")
        connection.execute(sql.SQL(statement))  # type: ignore[arg-type]


async def test_python_and_sql_compute_the_same_hash(log: Opened) -> None:
    origin, feature_id = await log.begin(posted("Grüße \U0001f41b"), e.FeatureRenamed("B"))
    caused = Metadata(origin.tenant_id, "agent:ba", uuid7(), causation_id=uuid7())
    await log.log.append(feature_id, new(e.FeatureDeleted()), expected=3, origin=caused)
    rows = await log.reader.of_feature_raw(origin.tenant_id, feature_id)
    assert {row.sealed is None for row in rows} == {True, False}
    assert [event_hash(row) for row in rows] == [row.hash for row in rows]
    assert verify_chain(rows, head=(4, rows[-1].hash)) == 4
    with psycopg.connect(log.url) as connection:
        again = connection.execute(
            "SELECT es.event_hash(previous_hash, position, tenant_id, stream_id, version, event_id,"
            " type, schema_version, payload, sealed, key_id, correlation_id, causation_id, actor,"
            " recorded_at) FROM es.events ORDER BY position"
        ).fetchall()
    assert [bytes(row[0]) for row in again] == [row.hash for row in rows]


def test_the_hash_of_a_known_event_never_changes() -> None:
    row = StoredRow(
        position=7,
        tenant_id=UUID(int=1),
        feature_id=UUID(int=2),
        version=3,
        event_id=UUID(int=4),
        type="message_posted",
        schema_version=1,
        payload=b"{}",
        sealed=b"sealed",
        key_id=UUID(int=5),
        correlation_id=UUID(int=6),
        causation_id=None,
        actor="user:x",
        recorded_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        previous_hash=b"\x01" * 32,
        hash=b"",
    )
    assert event_hash(row).hex() == GOLDEN


GOLDEN = "509d878377efe632783cfaaa83afdc7f2c7efe373599ae07147fb793ecfa547c"

TAMPERINGS = {
    "content": "UPDATE es.events SET payload = '{\"epoch\":9}' WHERE version = 2",
    "sealed": "UPDATE es.events SET sealed = sealed || '\\x00' WHERE version = 2",
    "unsealed": "UPDATE es.events SET sealed = NULL, key_id = NULL WHERE version = 2",
    "date": "UPDATE es.events SET recorded_at = recorded_at - interval '1 day' WHERE version = 2",
    "actor": "UPDATE es.events SET actor = 'user:other' WHERE version = 2",
    "removal": "DELETE FROM es.events WHERE version = 2",
    "tail": "DELETE FROM es.events WHERE version = 3",
    "moved": "UPDATE es.events SET position = position + 1000 WHERE version = 2",
    "swapped": (
        "UPDATE es.events SET version = 12 WHERE version = 2;"
        "UPDATE es.events SET version = 2 WHERE version = 3;"
        "UPDATE es.events SET version = 3 WHERE version = 12"
    ),
}


@pytest.mark.parametrize("how", TAMPERINGS)
async def test_a_superusers_tampering_is_found(log: Opened, how: str) -> None:
    origin, feature_id = await log.begin(posted(), posted("More"))
    before = await log.reader.of_feature_raw(origin.tenant_id, feature_id)
    as_superuser(log.url, TAMPERINGS[how], triggers=False)
    after = await log.reader.of_feature_raw(origin.tenant_id, feature_id)
    with pytest.raises(ChainBroken):
        verify_chain(after, head=(3, before[-1].hash))


@pytest.mark.parametrize("statement", ["UPDATE es.events SET actor = ''", "DELETE FROM es.events"])
@pytest.mark.parametrize("role", [*ROLES, "bp_owner", "bp_appender", None])
async def test_nobody_changes_what_is_stored(log: Opened, role: str | None, statement: str) -> None:
    await log.begin()
    with psycopg.connect(log.url) as connection:
        if role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)  # type: ignore[arg-type]


@pytest.mark.parametrize("table", ["es.events", "es.streams"])
async def test_not_even_a_superuser_in_replica_mode_empties_the_log(
    log: Opened, table: str
) -> None:
    await log.begin()
    with psycopg.connect(log.url) as connection:
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(f"TRUNCATE {table} CASCADE")  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ROLES)
async def test_no_process_writes_events_past_the_function(log: Opened, role: str) -> None:
    await log.begin()
    with psycopg.connect(log.url) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO es.events SELECT * FROM es.events")


async def test_appends_that_arrive_together_share_a_commit(log: Opened) -> None:
    await asyncio.gather(*(log.begin() for _ in range(200)))
    with psycopg.connect(log.url) as connection:
        counted = connection.execute(
            "SELECT count(*), count(DISTINCT xmin::text) FROM es.events"
        ).fetchone()
    assert counted is not None
    events, transactions = counted
    assert events == 200
    assert transactions <= 20


async def test_an_append_that_cannot_be_written_spoils_only_itself(log: Opened) -> None:
    origin, feature_id = await log.begin()
    (taken,) = await log.log.read(origin.tenant_id, feature_id)
    elsewhere = log.log.append(
        uuid7(), [(taken.event_id, e.FeatureCreated("A"))], expected=0, origin=origin
    )
    unwritable = log.log.append(uuid7(), new(e.FeatureCreated("\ud800")), expected=0, origin=origin)
    answers = await asyncio.gather(
        *(log.begin() for _ in range(10)), elsewhere, unwritable, return_exceptions=True
    )
    assert isinstance(answers[10], Conflict)
    assert isinstance(answers[11], UnicodeEncodeError)
    assert not any(isinstance(answer, BaseException) for answer in answers[:10])
    assert len(await log.everything()) == 11


async def test_a_caller_that_stops_waiting_undoes_nothing(log: Opened) -> None:
    origin, feature_id = await log.begin()
    asked = new(posted())
    waiting = asyncio.create_task(log.log.append(feature_id, asked, expected=1, origin=origin))
    await asyncio.sleep(0)
    waiting.cancel()
    await log.begin()
    again = await log.log.append(feature_id, asked, expected=1, origin=origin)
    assert [recorded.version for recorded in again] == [2]


async def test_words_are_sealed_at_rest_and_facts_are_not(log: Opened) -> None:
    await log.begin(posted(CANARY), e.FeatureRenamed(CANARY))
    with psycopg.connect(log.url) as connection:
        for table in ("es.events", "es.streams", "app.data_keys"):
            rows = connection.execute(
                sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*table.split(".")))
            ).fetchall()
            assert rows
            for row in rows:
                assert CANARY not in row[0]
                assert CANARY.encode().hex() not in row[0]
        payload = connection.execute("SELECT payload FROM es.events WHERE version = 2").fetchone()
    assert payload is not None
    assert b"message_id" in payload[0]


async def test_a_sealed_part_moved_to_another_event_does_not_open(log: Opened) -> None:
    origin, feature_id = await log.begin(posted("one"), posted("two"))
    as_superuser(
        log.url,
        "UPDATE es.events a SET sealed = b.sealed FROM es.events b"
        " WHERE a.version = 2 AND b.version = 3",
        triggers=False,
    )
    with pytest.raises(Unreadable, match="not what was recorded"):
        await log.log.read(origin.tenant_id, feature_id)


async def test_a_deleted_feature_is_unreadable_everywhere_and_its_chain_holds(
    log: Opened,
) -> None:
    origin, feature_id = await log.begin(posted(CANARY))
    other, kept = await log.begin(posted("stays"))
    async with opened(log.url) as elsewhere:
        assert len(await elsewhere.log.read(origin.tenant_id, feature_id)) == 2
        assert len(await elsewhere.everything()) == 4
        await log.log.append(
            feature_id,
            new(e.FeatureDeleted()),
            expected=2,
            origin=origin,
            effects=Effects(destroy_key=True),
        )
        for process in (log, elsewhere):
            with pytest.raises(KeyDestroyed):
                await process.log.read(origin.tenant_id, feature_id)
            with pytest.raises(Conflict):
                await process.log.append(feature_id, new(posted()), expected=2, origin=origin)
            seen = await process.reader.read(0)
            assert [isinstance(entry, SealedEvent) for entry in seen] == [
                True,
                True,
                False,
                False,
                False,
            ]
            assert len(await process.log.read(other.tenant_id, kept)) == 2
    rows = await log.reader.of_feature_raw(origin.tenant_id, feature_id)
    assert verify_chain(rows) == 3
    with psycopg.connect(log.url) as connection:
        removals = connection.execute("SELECT tenant_id, feature_id FROM app.removals").fetchall()
        keys = connection.execute("SELECT scope FROM app.data_keys").fetchall()
    assert removals == [(origin.tenant_id, feature_id)]
    assert keys == [(str(kept),)]


async def test_headers_say_which_steps_resume(log: Opened) -> None:
    restored = e.FeatureReplayed(1, 2, Content(), (Step.PLAN, Step.TITLE))
    stopped, resumed = e.WorkStopped(3, (Step.PLAN,), CANARY), e.WorkResumed((Step.PLAN,))
    origin, feature_id = await log.begin(restored, posted(CANARY), stopped, resumed)
    headers = await log.reader.after(0)
    assert [header.type for header in headers] == [
        "feature_created",
        "feature_replayed",
        "message_posted",
        "work_stopped",
        "work_resumed",
    ]
    steps = [header.resume for header in headers]
    assert steps == [(), (Step.PLAN, Step.TITLE), (), (), (Step.PLAN,)]
    assert {(header.tenant_id, header.feature_id) for header in headers} == {
        (origin.tenant_id, feature_id)
    }


async def test_a_lost_answer_to_a_commit_is_neither_a_conflict_nor_a_second_event(
    database: str, tmp_path: Path
) -> None:
    async with CuttingProxy(database, tmp_path) as proxy, opened(proxy.url) as log:
        origin, feature_id = await log.begin()
        for version in range(1, 6):
            proxy.cut_after_query_with = b"message_posted"
            recorded = await log.log.append(
                feature_id, new(posted()), expected=version, origin=origin
            )
            assert [r.version for r in recorded] == [version + 1]
        assert proxy.cuts == 5
        stored = await log.log.read(origin.tenant_id, feature_id)
    assert [r.version for r in stored] == [1, 2, 3, 4, 5, 6]


async def test_a_half_open_database_is_unavailable_within_three_seconds(
    database: str, tmp_path: Path
) -> None:
    async with CuttingProxy(database, tmp_path) as proxy, opened(proxy.url) as log:
        origin, feature_id = await log.begin()
        await log.everything()
        proxy.swallow = True
        for ask in (
            log.log.read(origin.tenant_id, feature_id),
            log.reader.after(0),
        ):
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await ask
            assert time.monotonic() - began < 3
        proxy.swallow = False
        assert len(await log.log.read(origin.tenant_id, feature_id)) == 1
        assert len(await log.reader.after(0)) == 1


async def test_the_log_survives_a_killed_database_without_a_restart_by_hand(
    own_stack: Stack,
) -> None:
    migrate(own_stack.dsn)
    acknowledged: dict[UUID, int] = {}
    stop = asyncio.Event()

    async def writer(log: PostgresEventLog) -> None:
        origin, feature_id, version = Metadata(uuid7(), "user:x", uuid7()), uuid7(), 0
        while not stop.is_set():
            asked = new(e.FeatureCreated("A") if version == 0 else posted())
            while True:
                try:
                    await log.append(feature_id, asked, expected=version, origin=origin)
                    break
                except Unavailable:
                    await asyncio.sleep(0.02)
            version += 1
            acknowledged[feature_id] = version

    async with opened(own_stack.dsn) as log:
        writers = [asyncio.create_task(writer(log.log)) for _ in range(8)]
        for _ in range(2):
            seen = sum(acknowledged.values())
            while sum(acknowledged.values()) < seen + 100:
                await asyncio.sleep(0.005)
            own_stack.kill_postgres()
            began = time.monotonic()
            await until_unavailable(log)
            assert time.monotonic() - began < 3
            own_stack.restart_postgres()
        seen = sum(acknowledged.values())
        while sum(acknowledged.values()) < seen + 100:
            await asyncio.sleep(0.005)
        stop.set()
        await asyncio.gather(*writers)
        stored = await log.everything()
    versions: dict[UUID, list[int]] = {}
    for recorded in stored:
        versions.setdefault(recorded.feature_id, []).append(recorded.version)
    assert versions == {f: list(range(1, n + 1)) for f, n in acknowledged.items()}


async def until_unavailable(log: Opened) -> None:
    """Backends of a killed server answer for a moment still."""
    with suppress(Unavailable):
        while True:
            await log.reader.after(0, 1)


async def test_a_process_starts_while_the_database_is_away(tmp_path: Path) -> None:
    nowhere = make_conninfo(host=str(tmp_path), user="nobody", dbname="none")
    async with PostgresEventLog(nowhere, "bp_api", new_ring()) as log:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await log.read(uuid7(), uuid7())
        assert time.monotonic() - began < 3
