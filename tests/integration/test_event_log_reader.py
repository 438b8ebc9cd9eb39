"""Following the log: nothing is skipped, whatever commits late, rolls back or waits."""

import asyncio
import random
from collections import defaultdict
from uuid import UUID

import msgspec
import psycopg
import pytest
from uuid_utils.compat import uuid7

from infrastructure.event_log import LogReader
from infrastructure.postgres.database import Database
from tests.integration.logs import new_ring, opened, posted

STREAMS = [UUID(int=n) for n in range(1, 7)]
WRITERS = 12
SECONDS = 3.0
APPEND = (
    "SELECT a.position, a.outcome"
    " FROM (SELECT set_config('bp.tenant', '00000000-0000-0000-0000-000000000009', true) OFFSET 0)"
    " AS b (bound) CROSS JOIN LATERAL es.append_batch("
    "CASE WHEN b.bound <> '' THEN %s END, %b, %b) AS a"
)


def items(rnd: random.Random, versions: dict[UUID, int]) -> tuple[str, int]:
    """Appends of one to three events to one or two streams, at the versions they were seen at."""
    batch = []
    first = 1
    for stream in rnd.sample(STREAMS, rnd.choice([1, 1, 2])):
        count = rnd.choice([1, 1, 2, 3])
        batch.append(
            {
                "item": len(batch),
                "tenant_id": UUID(int=9),
                "feature_id": stream,
                "expected": versions[stream],
                "correlation_id": uuid7(),
                "actor": "system:test",
                "first": first,
                "event_ids": [uuid7() for _ in range(count)],
                "types": ["feature_deleted"] * count,
                "schema_versions": [1] * count,
                "cancel_tasks": False,
                "destroy_key": False,
            }
        )
        first += count
    return msgspec.json.encode(batch).decode(), first - 1


async def writer(url: str, seed: int, stop: asyncio.Event, rolled_back: list[int]) -> None:
    rnd = random.Random(seed)  # noqa: S311 - a schedule, not a secret.
    async with await psycopg.AsyncConnection.connect(url) as connection:
        while not stop.is_set():
            query = "SELECT stream_id, version FROM es.streams"
            rows = await (await connection.execute(query)).fetchall()
            await connection.rollback()
            asked, count = items(rnd, defaultdict(int, rows))
            try:
                done = await connection.execute(APPEND, (asked, [b"{}"] * count, [None] * count))
                drawn = [row[0] for row in await done.fetchall() if row[0]]
                await asyncio.sleep(rnd.random() ** 3 * 0.05)
            except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected):
                await connection.rollback()
                continue
            if rnd.random() < 0.15:
                rolled_back += drawn
                await connection.rollback()
            else:
                await connection.commit()


async def naive(url: str, stop: asyncio.Event, seen: list[int]) -> None:
    """What everybody writes first: greater than the last."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while not stop.is_set():
            query = "SELECT position FROM es.events WHERE position > %s ORDER BY position"
            cursor = await connection.execute(query, (seen[-1] if seen else 0,))
            seen += [row[0] for row in await cursor.fetchall()]


async def below_the_high_water_mark(
    reader: LogReader, stop: asyncio.Event, seen: list[int]
) -> None:
    upto = 0
    ended = False
    while not ended:
        ended = stop.is_set()
        page = await reader.page(upto, 100)
        seen += [entry.position for entry in page.entries]  # type: ignore[union-attr]
        upto = page.upto
        ended = ended and upto >= await reader.head()


async def headers(reader: LogReader, stop: asyncio.Event, seen: list[tuple[UUID, int]]) -> None:
    position = 0
    ended = False
    while not ended:
        ended = stop.is_set()
        page = await reader.after(position, 100)
        seen += [(header.feature_id, header.version) for header in page]
        position = page[-1].position if page else position
        ended = ended and not page


async def test_a_reader_below_the_high_water_mark_skips_nothing_where_a_naive_one_does(
    database: str,
) -> None:
    stop, written = asyncio.Event(), asyncio.Event()
    rolled_back: list[int] = []
    naively: list[int] = []
    safely: list[int] = []
    in_order: list[tuple[UUID, int]] = []
    async with Database(database, "bp_projector", max_size=4) as followers:
        reader = LogReader(followers, new_ring())
        writers = [
            asyncio.create_task(writer(database, seed, stop, rolled_back))
            for seed in range(WRITERS)
        ]
        readers = [
            asyncio.create_task(naive(database, written, naively)),
            asyncio.create_task(below_the_high_water_mark(reader, written, safely)),
            asyncio.create_task(headers(reader, written, in_order)),
        ]
        await asyncio.sleep(SECONDS)
        stop.set()
        await asyncio.gather(*writers)
        written.set()
        await asyncio.gather(*readers)
    with psycopg.connect(database) as connection:
        stored = [row[0] for row in connection.execute("SELECT position FROM es.events")]
    assert rolled_back, "no hole was ever made: the test proves nothing"
    assert set(stored) - set(naively), "the naive reader skipped nothing: the test proves nothing"
    assert safely == sorted(stored)
    assert len(in_order) == len(stored)
    versions: dict[UUID, int] = defaultdict(int)
    for feature_id, version in in_order:
        assert version == versions[feature_id] + 1
        versions[feature_id] = version


async def test_a_hole_is_waited_for_until_its_writer_has_ended(database: str) -> None:
    async with opened(database) as log:
        await log.begin()
        with psycopg.connect(database) as slow:
            asked = items(random.Random(1), defaultdict(int))  # noqa: S311 - as above.
            slow.execute(APPEND, (asked[0], [b"{}"] * asked[1], [None] * asked[1]))
            await log.begin()
            blocked = await log.reader.page(0, wait_ms=50)
            assert (len(blocked.entries), blocked.upto) == (1, 1)
            assert [header.version for header in await log.reader.after(1, wait_ms=0)] == []
            slow.rollback()
        free = await log.reader.page(blocked.upto)
        assert len(free.entries) == 1
        assert free.upto == await log.reader.head()


async def test_a_page_ends_where_it_is_told(database: str) -> None:
    async with opened(database) as log:
        await log.begin(*(posted() for _ in range(9)))
        page = await log.reader.page(2, 3)
        assert ([entry.position for entry in page.entries], page.upto) == ([3, 4, 5], 5)  # type: ignore[union-attr]
        page = await log.reader.page(2, 100, 4)
        assert ([entry.position for entry in page.entries], page.upto) == ([3, 4], 4)  # type: ignore[union-attr]
        assert await log.reader.page(10) == ([], 10)
        assert await log.reader.page(5, 10, 3) == ([], 5)


async def test_the_fence_refuses_a_frozen_snapshot(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.errors.RaiseException, match="read committed"):
            connection.execute("SELECT es.safe_upto(0, 10, 0)")


async def test_a_follower_of_headers_needs_no_keys_and_sees_no_sealed_part(database: str) -> None:
    async with opened(database) as log, Database(database, "bp_relay", max_size=1) as relay:
        await log.begin(posted())
        assert len(await LogReader(relay).after(0)) == 2
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await LogReader(relay, new_ring()).page(0)
