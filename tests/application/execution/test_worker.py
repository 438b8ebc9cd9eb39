"""What a worker takes, lets go of, and does when it is told to stop."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar
from uuid import UUID

import pytest
from msgspec.structs import replace

from application.execution.worker import CrashedAlone, Worker, WorkerLimits
from application.ports import Claim, Unavailable
from domain import commands as c
from domain.status import Agent, Step
from tests.application.workshop import Workshop
from tests.contracts.test_tasks import due
from tests.fakes import MemoryTasks, Task
from tests.given import manifest


class Endless:
    """A runner whose steps end only when they are cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def run(self, *_: object) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


@pytest.mark.parametrize("told", [True, False])
async def test_a_step_that_a_replay_cancels_is_stopped(*, told: bool) -> None:
    shop = await Workshop().confirmed()
    await shop.fan_out()
    runner, stop = Endless(), asyncio.Event()
    beat = 3_600.0 if told else 0.02
    worker = Worker("w", shop.tasks, runner, limits=WorkerLimits(heartbeat_seconds=beat))
    running = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(10):
        await runner.begun.wait()
        await shop.do(c.ReplayFeature(1))
        if told:
            worker.recheck_leases()
        await runner.cancelled.wait()
        stop.set()
        await running


async def test_whoever_works_is_told_when_a_step_under_way_is_cancelled() -> None:
    shop = await Workshop().confirmed()
    [claim] = await shop.claim()
    await shop.do(c.ReplayFeature(1))
    assert shop.live.cancellations == 0  # Nothing was announced yet: nobody works on it.
    await shop.do(c.ConfirmBrief("- BF-1 lend tools"))
    due = (await shop.state()).due[Step.SPEC]
    await shop.do(c.StartStep(Step.SPEC, due, Agent.SPEC, claim.task_id, manifest(Step.SPEC)))
    await shop.do(c.ReplayFeature(1))
    assert shop.live.cancellations == 1


async def test_a_worker_whose_heart_stops_ends_instead_of_losing_every_lease() -> None:
    class Stopped(MemoryTasks):
        async def heartbeat(self, *_: object) -> set[UUID]:
            raise RuntimeError("no such function")

    shop = await Workshop().confirmed()
    await shop.fan_out()
    tasks = Stopped(shop.clock)
    tasks.rows = shop.tasks.rows
    limits = WorkerLimits(heartbeat_seconds=0.02, poll_seconds=0.02)
    worker = Worker("w", tasks, Endless(), limits=limits)
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="no such function"):
            await worker.run(asyncio.Event())


class Held:
    """A runner, or a process of its own, whose steps end when they are let go."""

    def __init__(self, ends: Exception | None = None) -> None:
        self.begun: list[Claim] = []
        self.go = asyncio.Event()
        self.crashes: list[str] = []
        self._ends = ends

    async def run(self, claim: Claim, *_: object) -> None:
        self.begun.append(claim)
        await self.go.wait()
        if self._ends is not None:
            raise self._ends

    async def crashed(self, claim: Claim, how: str) -> None:
        self.crashes.append(how)


LIMITS = WorkerLimits(heartbeat_seconds=0.02, poll_seconds=0.02, drain_seconds=3_600.0)


@asynccontextmanager
async def working(shop: Workshop, runner: object, limits: WorkerLimits = LIMITS, **more: object):
    """A worker at work; it is told to stop at the end."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    worker = Worker("w", shop.tasks, runner, limits=limits, **more)
    running = asyncio.create_task(worker.run(stop, hurry))
    async with asyncio.timeout(30):
        yield worker, running, stop, hurry
        stop.set()
        hurry.set()
        await running


async def until(true: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0.005)


def task(shop: Workshop) -> Task:
    [one] = shop.tasks.rows.values()
    return one


async def test_a_step_under_way_is_finished_by_a_worker_that_is_told_to_stop() -> None:
    shop, runner = await Workshop().confirmed(), Held()
    async with working(shop, runner) as (_, running, stop, _):
        await until(lambda: runner.begun)
        stop.set()
        beats = task(shop).lease_until
        await until(lambda: task(shop).lease_until > beats)
        assert not running.done(), "it waits, and its heart beats"
        await shop.tasks.enqueue([due()])
        runner.go.set()
        await running
    assert len(runner.begun) == 1, "nothing new was taken"


@pytest.mark.parametrize("hurried", [True, False])
async def test_a_step_that_does_not_end_in_time_or_in_a_hurry_is_handed_back(
    *, hurried: bool
) -> None:
    shop, runner = await Workshop().confirmed(), Held()
    seconds = 3_600.0 if hurried else 0.0
    limits = replace(LIMITS, drain_seconds=seconds)
    async with working(shop, runner, limits) as (_, running, stop, hurry):
        await until(lambda: runner.begun)
        stop.set()
        if hurried:
            hurry.set()
        await running
    assert (task(shop).status, task(shop).error) == ("queued", "worker_stopped")
    [again] = await shop.claim()
    assert not again.alone


async def test_what_was_under_way_when_the_log_was_set_back_is_handed_back_and_no_suspect() -> None:
    shop, runner = await Workshop().confirmed(), Held()
    async with working(shop, runner) as (worker, _, _, _):
        await until(lambda: runner.begun)
        worker.let_go_of_all()
        await until(lambda: len(runner.begun) == 2)
        assert [claim.alone for claim in runner.begun] == [False, False]
        assert task(shop).error == "set_back"


async def test_a_step_that_met_an_outage_is_handed_back_and_no_suspect() -> None:
    shop, runner = await Workshop().confirmed(), Held(Unavailable("database"))
    async with working(shop, runner):
        runner.go.set()
        await until(lambda: task(shop).error == "unavailable")
        assert (task(shop).status, task(shop).alone) == ("queued", False)


async def test_what_may_have_ended_a_worker_runs_alone_and_so_many_at_once() -> None:
    shop, runner, alone = Workshop(), Held(), Held()
    await shop.tasks.enqueue([due() for _ in range(4)])
    await shop.tasks.claim("lost", tuple(Agent), limit=3, lease_seconds=0.0)
    limits = replace(LIMITS, alone_at_once=2)
    async with working(shop, runner, limits, isolation=alone):
        await until(lambda: len(alone.begun) == 2 and len(runner.begun) == 1)
        assert all(claim.alone for claim in alone.begun)
        assert not runner.begun[0].alone
        runner.go.set()
        alone.go.set()
        await until(lambda: len(alone.begun) == 3)
    assert len(runner.begun) == 1


async def test_a_step_that_ends_its_own_process_is_failed_and_the_worker_lives_on() -> None:
    shop, runner, alone = Workshop(), Held(), Held(CrashedAlone("it crashed"))
    await shop.tasks.enqueue([due()])
    await shop.tasks.claim("lost", tuple(Agent), limit=1, lease_seconds=0.0)
    alone.go.set()
    async with working(shop, runner, isolation=alone):
        await until(lambda: runner.crashes)
        await shop.tasks.enqueue([due()])
        await until(lambda: runner.begun)
    assert runner.crashes == ["it crashed"]


async def test_nobody_takes_over_after_an_outage_before_others_could_say_that_they_are_there() -> (
    None
):
    class Away(MemoryTasks):
        away = False
        asked: ClassVar[list[bool]] = []

        async def claim(self, *given: object, **named: object) -> Sequence[Claim]:
            if self.away:
                raise Unavailable("database")
            self.asked.append(bool(named["take_over"]))
            return await super().claim(*given, **named)

    shop = Workshop()
    shop.tasks = tasks = Away(shop.clock)
    limits = replace(LIMITS, lease_seconds=0.2, heartbeat_seconds=0.05)
    async with working(shop, Held(), limits):
        await until(lambda: tasks.asked)
        tasks.away = True
        await asyncio.sleep(limits.silent_seconds)  # An outage of this length is what it is about.
        seen = len(tasks.asked)
        tasks.away = False
        await until(lambda: any(tasks.asked[seen:]))
        after = tasks.asked[seen:]
    assert not after[0], "first the others are waited for"
