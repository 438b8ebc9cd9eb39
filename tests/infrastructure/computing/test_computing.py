"""What people's texts do to the process that reads them ends that process, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import psutil
import pytest

from application.running.computing import Computing, CouldNotCompute, Crowded, Here
from application.running.places import Places
from domain.documents import Point
from infrastructure.computing import Pool
from tests.infrastructure.computing import working

ANN, BEN = UUID(int=1), UUID(int=2)
S1 = "# a" + " " * 40_000 + "x"
SHORT_SECONDS = 0.3
POINTS = (Point("BF-1", "See the list."), Point("BF-2", "Add to it.", ("m1",)))


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with Pool(seconds=SHORT_SECONDS, memory_bytes=1 << 28) as opened:
        yield opened


async def under_way(pool: Pool, number: int) -> asyncio.Task[bool]:
    """A hanging order that this process really works on."""

    def used() -> float:
        times = psutil.Process(number).cpu_times()
        return float(times.user + times.system)

    before = used()
    asking = asyncio.create_task(pool.run(ANN, working.hung, S1))
    while used() < before + SHORT_SECONDS / 10:
        await asyncio.sleep(0.005)
    return asking


@pytest.mark.parametrize("here", [True, False])
async def test_structures_go_in_and_come_out(pool: Pool, *, here: bool) -> None:
    computing: Computing = Here() if here else pool
    found = await computing.run(ANN, working.doubled, POINTS, 2)
    assert found == {"BF-1BF-1": POINTS[0], "BF-2BF-2": POINTS[1]}


async def test_a_process_serves_one_order_after_the_other(pool: Pool) -> None:
    first = await pool.run(ANN, working.number)
    assert await pool.run(ANN, working.number) == first


async def test_a_text_that_hangs_is_ended_and_the_next_one_is_read(pool: Pool) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    meanwhile = asyncio.create_task(others())
    with pytest.raises(CouldNotCompute):
        await pool.run(ANN, working.hung, S1)
    assert turns > 100
    meanwhile.cancel()
    assert await pool.run(ANN, working.hung, "# a") is True


@pytest.mark.parametrize("work", ["swollen", "gone", "broken"])
async def test_what_a_text_breaks_is_mended(pool: Pool, work: str) -> None:
    given = {"swollen": (1 << 30,), "gone": (), "broken": ("a secret",)}[work]
    with pytest.raises(CouldNotCompute) as refused:
        await pool.run(ANN, getattr(working, work), *given)
    assert "secret" not in str(refused.value)
    assert len(await pool.run(ANN, working.doubled, POINTS, 1)) == 2


async def test_giving_up_ends_the_work() -> None:
    pool = Pool(seconds=60)
    number = await pool.run(ANN, working.number)
    asking = await under_way(pool, number)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not psutil.pid_exists(number)
    await pool.close()


async def test_closing_ends_what_is_under_way() -> None:
    pool = Pool(seconds=60)
    number = await pool.run(ANN, working.number)
    asking = await under_way(pool, number)
    await pool.close()
    with pytest.raises(CouldNotCompute):
        await asking
    assert not psutil.pid_exists(number)


async def test_nobody_left_to_ask_ends_a_process(pool: Pool) -> None:
    await pool.run(ANN, working.number)
    [process] = pool._idle  # noqa: SLF001
    process.stdin.close()
    assert await process.wait() == 0
    assert len(await pool.run(ANN, working.doubled, POINTS, 1)) == 2


async def test_a_process_is_told_nothing_of_ours(pool: Pool) -> None:
    told = await pool.run(ANN, working.environment)
    assert {name for name in told if not name.startswith(("LC_", "__"))} == {"PYTHONPATH"}


async def test_one_tenant_leaves_places_to_others() -> None:
    places = Places(2, 1, 3)
    held = asyncio.Event()
    entered: list[str] = []

    async def take(whose: str) -> None:
        async with places.one(whose):
            entered.append(whose)
            await held.wait()

    tasks = [asyncio.create_task(take("ann")) for _ in range(4)]
    tasks.append(asyncio.create_task(take("ben")))
    while len(entered) < 2:
        await asyncio.sleep(0)
    assert entered == ["ann", "ben"]
    with pytest.raises(Crowded):
        await take("ann")
    tasks[1].cancel()
    held.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(entered) == ["ann", "ann", "ann", "ben"]


async def test_those_who_wait_take_turns() -> None:
    places = Places(1, 1, 10)
    entered: list[str] = []

    async def take(whose: str) -> None:
        async with places.one(whose):
            entered.append(whose)
            await asyncio.sleep(0)

    whose = ["ann", "ann", "ann", "ben", "cy"]
    await asyncio.gather(*map(take, whose))
    assert entered == ["ann", "ann", "ben", "cy", "ann"]
    async with places.one("ben"):
        pass
