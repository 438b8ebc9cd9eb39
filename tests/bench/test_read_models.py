"""How fast read models are: prints figures, asserts none on time.

`python -m tests.bench.test_read_models`, or `pytest -m bench -s`.
"""

import asyncio
import sys
import time

import pytest
from uuid_utils.compat import uuid7

from application.ports import Metadata
from tests.given import done
from tests.integration.reading import USER, World, world

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

FEATURES = 1_000
SIDE_BY_SIDE = 16


async def fill(there: World, features: int) -> int:
    """Whole lives, one append each; how many events."""
    events = done().events

    async def one() -> None:
        await there.log.append(
            uuid7(),
            [(uuid7(), event) for event in events],
            expected=0,
            origin=Metadata(there.tenant, USER, uuid7()),
        )

    for _ in range(features // 50):
        await asyncio.gather(*(one() for _ in range(50)))
    return features * len(events)


def centile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def test_rebuild_rate(database: str):
    async with world(database) as there:
        events = await fill(there, FEATURES)
        began = time.perf_counter()
        await there.catch_up()
        followed = events / (time.perf_counter() - began)
        last = []
        await there.rebuilder().rebuild(progress=last.append)
        began = time.perf_counter()
        await there.rebuilder().rebuild()
        rebuilt = events / (time.perf_counter() - began)
        print(
            f"\n{events} events of {FEATURES} features: followed at {followed:,.0f}/s, "
            f"filled at {last[-2].rate:,.0f}/s, whole rebuild {rebuilt:,.0f}/s"
        )
        assert await there.reads.lag() == 0


async def test_projection_lag(database: str):
    async with world(database) as there:
        projector, stop = there.projector(), asyncio.Event()
        seen: dict[tuple[object, int], float] = {}
        wanted: dict[tuple[object, int], float] = {}

        async def applied(_tenant, feature_id, version, _position):
            for each in range(version, 0, -1):
                if (feature_id, each) in seen:
                    break
                seen[feature_id, each] = time.perf_counter()

        projector._applied = applied  # noqa: SLF001 - what a composition root passes in.
        running = asyncio.create_task(projector.run(stop))

        async def live() -> None:
            feature_id = uuid7()
            for version, event in enumerate(done().events):
                await there.append(feature_id, version, event)
                wanted[feature_id, version + 1] = time.perf_counter()
                projector.notify()

        began = time.perf_counter()
        for _ in range(8):
            await asyncio.gather(*(live() for _ in range(SIDE_BY_SIDE)))
        rate = len(wanted) / (time.perf_counter() - began)
        async with asyncio.timeout(60):
            while len(seen) < len(wanted):
                await asyncio.sleep(0.01)
        stop.set()
        await running
        lags = [max(0.0, seen[key] - at) * 1000 for key, at in wanted.items()]
        print(
            f"\n{len(lags)} events at {rate:,.0f}/s, {SIDE_BY_SIDE} at once: lag "
            f"p50 {centile(lags, 0.5):.1f} ms, p99 {centile(lags, 0.99):.1f} ms, "
            f"most {max(lags):.1f} ms"
        )
        assert len(lags) == len(wanted)


async def test_reads_under_rows(database: str):
    async with world(database) as there:
        await fill(there, FEATURES)
        await there.catch_up()
        ids = [row.id for row in (await there.reads.features(there.tenant, limit=200)).items]
        one, many = [], []
        for feature_id in ids:
            began = time.perf_counter()
            await there.reads.feature(there.tenant, feature_id)
            one.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            await there.reads.features(there.tenant)
            many.append((time.perf_counter() - began) * 1000)
        print(
            f"\n{FEATURES} features: read one p50 {centile(one, 0.5):.1f} p99 "
            f"{centile(one, 0.99):.1f} ms; list 50 p50 {centile(many, 0.5):.1f} p99 "
            f"{centile(many, 0.99):.1f} ms"
        )
        assert ids


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-m", "bench", "-s", "-q"]))
