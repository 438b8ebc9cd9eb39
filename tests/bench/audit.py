"""How fast logs are exported, checked, certified and searched: `python -m tests.bench.audit`.

Prints figures, asserts none on time. Workload: features from their brief to their verdict, with the
texts that tests give them; most events are small.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import psutil
from uuid_utils.compat import uuid7

from application.audit.events import EventFilter
from application.audit.usage import Usages
from application.ports import Metadata
from application.running.turns import Turns
from application.transparency.export import lines_of
from application.transparency.verifier import verify
from infrastructure.audit.log import PostgresAuditLog
from infrastructure.audit.usage import PostgresExpenses
from infrastructure.embedded import Stack
from infrastructure.event_log import LogReader, verify_chain
from infrastructure.event_log.exports import PostgresStoredLog
from infrastructure.event_log.imports import read_export
from infrastructure.postgres.migrations import migrate
from infrastructure.read_models.certifying import PostgresCertifier
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import KeyRing
from projections.certificate import fold
from tests.given import done
from tests.integration.reading import MASTER, USER, World, world

EVENTS = 50_000
TOGETHER = 50
LOOKS = 20


def ring() -> KeyRing:
    return KeyRing(MasterKey([MASTER]))


async def fill(there: World, features: int) -> list[UUID]:
    events = done().events

    async def one() -> UUID:
        feature_id = uuid7()
        named = [(uuid7(), event) for event in events]
        origin = Metadata(there.tenant, USER, uuid7())
        await there.log.append(feature_id, named, expected=0, origin=origin)
        return feature_id

    made: list[UUID] = []
    while len(made) < features:
        made += await asyncio.gather(*(one() for _ in range(TOGETHER)))
    return made


def rate(name: str, count: int, seconds: float, cpu: float) -> None:
    sys.stdout.write(
        f"{name}: {count / seconds:,.0f} events/s ({count / cpu:,.0f} a second of our CPU)\n"
    )


async def timed(name: str, count: int, work: Callable[[], Awaitable[object]]) -> None:
    began, spent = time.perf_counter(), time.process_time()
    await work()
    rate(name, count, time.perf_counter() - began, time.process_time() - spent)


async def looked(name: str, look: Callable[[], Awaitable[object]]) -> None:
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        await look()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    sys.stdout.write(f"{name}: p50 {times[LOOKS // 2]:.1f} ms, worst {times[-1]:.1f} ms\n")


async def measure(there: World, events: int) -> None:
    features = await fill(there, events // len(done().events))
    await there.catch_up()
    there.sql("vacuum analyze es.events")
    count = there.sql("select count(*) from es.events")[0][0]
    sys.stdout.write(f"{count} events of {len(features)} features\n")
    stored = PostgresStoredLog(there.reading, ring())
    lines: list[bytes] = []

    async def export() -> None:
        for feature_id in features:
            async for chunk in lines_of(stored, there.tenant, feature_id, 1_000):
                lines.extend(chunk.splitlines(keepends=True))

    await timed("export, feature by feature", count, export)
    sys.stdout.write(f"  {sum(map(len, lines)) / count / 1024:.2f} KB a line\n")

    async def offline() -> None:
        report = verify(lines)
        assert report.valid
        assert report.events == count

    await timed("verify exported lines (application/transparency/verifier.py)", count, offline)
    reader = LogReader(there.projecting)

    async def chains() -> None:
        position, rows = 0, []
        while page := await reader.read_raw(position, 2_000):
            rows += page
            position = page[-1].position
        assert verify_chain(rows) == count

    await timed("verify chains in the store, reading included", count, chains)

    async def imported() -> None:
        found = read_export(lines)
        by_feature: dict[UUID, list[object]] = {}
        for fact in found.facts:
            by_feature.setdefault(fact.feature_id, []).append(fact)
        for facts in by_feature.values():
            fold(facts)  # type: ignore[arg-type]

    await timed("import: verify, read, fold all read models", count, imported)
    certifier = PostgresCertifier(there.reading, ring())
    some = features[:200]

    async def certify() -> None:
        for feature_id in some:
            made = await certifier.certify(there.tenant, feature_id)
            assert made is not None
            assert made.equal

    await timed("certify, feature by feature", len(some) * len(done().events), certify)
    audit = PostgresAuditLog(there.reading, ring())
    middle = there.sql(
        "select recorded_at from es.events order by position offset %s limit 1", count // 2
    )[0][0]
    for name, wanted in {
        "newest 50": EventFilter(),
        "newest 50 of one type": EventFilter(types=("feature_created",)),
        "problems only, there are none": EventFilter(problems=True),
        "of one actor that did nothing": EventFilter(actor="user:nobody"),
        "50 before the middle of the time": EventFilter(until=middle),
    }.items():
        await looked(
            name,
            lambda wanted=wanted: audit.entries(  # type: ignore[misc]
                there.tenant, wanted, beyond=None, limit=50, ascending=False
            ),
        )
    usages = Usages(PostgresExpenses(there.reading), Turns())

    async def usage() -> None:
        await usages.of(there.tenant, None, None)

    await looked("usage of everything", usage)
    await beside(there, usage)


async def beside(there: World, usage: Callable[[], Awaitable[None]]) -> None:
    """Ten calls of the usage page at once: what they cost, and how long others' reads take."""
    memory = psutil.Process().memory_info().rss
    began = time.perf_counter()
    asked = [asyncio.create_task(usage()) for _ in range(10)]
    reads, largest = [], memory
    while not all(task.done() for task in asked):
        before = time.perf_counter()
        await there.reading.call("SELECT 1")
        reads.append(1_000 * (time.perf_counter() - before))
        largest = max(largest, psutil.Process().memory_info().rss)
    await asyncio.gather(*asked)
    print(
        f"ten at once: {time.perf_counter() - began:.2f} s, {(largest - memory) / 1e6:.0f} MB; "
        f"reads meanwhile: median {statistics.median(reads):.1f} ms, longest {max(reads):.1f} ms"
    )


async def main(events: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(Path(folder), durable=False) as stack,
    ):
        migrate(stack.dsn)
        async with world(stack.dsn) as there:
            await measure(there, events)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS))
