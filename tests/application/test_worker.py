"""The worker lets go of a step that was taken away: at once when told, else with its next beat."""

import asyncio
from uuid import UUID

import pytest

from application.worker import Worker, WorkerLimits
from domain import commands as c
from domain.status import Agent, Step
from tests.application.workshop import Workshop
from tests.fakes import MemoryTasks
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
    worker = Worker("w", shop.tasks, runner, limits=WorkerLimits(beat_seconds=beat))
    running = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(10):
        await runner.begun.wait()
        await shop.do(c.ReplayFeature(1))
        if told:
            worker.look_again()
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
        async def beat(self, *_: object) -> set[UUID]:
            raise RuntimeError("no such function")

    shop = await Workshop().confirmed()
    await shop.fan_out()
    tasks = Stopped(shop.clock)
    tasks.rows = shop.tasks.rows
    limits = WorkerLimits(beat_seconds=0.02, poll_seconds=0.02)
    worker = Worker("w", tasks, Endless(), limits=limits)
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="no such function"):
            await worker.run(asyncio.Event())
