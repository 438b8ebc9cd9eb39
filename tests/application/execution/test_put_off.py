"""A step of a feature that cannot be read here waits, costs no attempt, and hinders nobody."""

import asyncio

from application.execution.sweeper import Sweeper
from application.execution.worker import Worker, WorkerLimits
from application.ports import Unreadable, Why
from domain.status import Status, Step
from tests.application.workshop import Workshop

LIMITS = WorkerLimits(poll_seconds=0.01, poll_again_seconds=0.001)


async def two() -> tuple[Workshop, Workshop]:
    """Two features of one tenant, both about to be specified; the second shares the first's log."""
    first = await Workshop().confirmed()
    second = Workshop()
    for part in ("clock", "tasks", "receipts", "log", "tenant", "features", "runner"):
        setattr(second, part, getattr(first, part))
    return first, await second.confirmed()


async def test_a_worker_leaves_what_a_newer_version_wrote_to_that_version() -> None:
    first, second = await two()
    first.log.unread[first.feature, 2] = Why.NEWER
    for feature in (first.feature, second.feature):
        first.features._folded.forget((first.tenant, feature))  # noqa: SLF001 - another process.
    worker = Worker("w", first.tasks, first.runner, limits=LIMITS)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    while (await second.state()).status is not Status.SPEC_READY:
        await first.fan_out()
        await asyncio.sleep(0.01)
    stop.set()
    await running
    [task] = [
        row
        for row in first.tasks.rows.values()
        if row.due.step is Step.SPEC and row.due.feature_id == first.feature
    ]
    assert (task.status, task.attempt, task.error) == ("queued", 1, "newer_version")
    # The newer version comes: the step is done at once, as if nothing had been.
    assert task.not_before > first.clock()
    first.log.unread.clear()
    worker = Worker("newer", first.tasks, first.runner, limits=LIMITS)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    while (await first.state()).status is not Status.SPEC_READY:
        await asyncio.sleep(0.01)
    stop.set()
    await running
    assert (await first.state()).status is Status.SPEC_READY


async def test_what_was_announced_is_put_off_too() -> None:
    shop = await Workshop().confirmed()
    [claim, *_] = [one for one in await shop.claim() if one.step is Step.SPEC]
    append = shop.log.append

    async def later(*args: object, **more: object) -> object:
        if shop.features.remembered(shop.tenant, shop.feature).feature.running:
            raise Unreadable("Event 9 (feature_paused)", Why.NEWER)
        return await append(*args, **more)

    shop.log.append = later
    await shop.run(claim)
    task = shop.tasks.rows[claim.task_id]
    assert (task.status, task.attempt, task.error) == ("queued", 1, "newer_version")


class NothingRemoved:
    async def waiting(self, limit: int) -> list:
        return []


async def test_a_sweeper_fails_what_is_stuck_beside_a_step_it_cannot_read() -> None:
    first, second = await two()
    await first.claim()
    first.log.unread[first.feature, 2] = Why.DAMAGED
    first.clock.turn(3_600)
    sweeper = Sweeper(
        first.another_process(),
        first.tasks,
        NothingRemoved(),
        (),
        first.artifacts,
        stuck_after_seconds=600,
        sweep_seconds=30,
    )
    await sweeper.sweep()
    assert (await second.state()).status is Status.FAILED
    [task] = [
        row
        for row in first.tasks.rows.values()
        if row.due.step is Step.SPEC and row.due.feature_id == first.feature
    ]
    assert (task.status, task.error) == ("queued", "event_damaged")


async def test_a_chore_that_fails_stops_no_other_and_is_told_once() -> None:
    shop = await Workshop().confirmed()
    forgot = []

    class Broken:
        async def forget_old(self) -> int:
            raise ZeroDivisionError

    class Works:
        async def forget_old(self) -> int:
            forgot.append(True)
            return 1

    class Away:
        async def waiting(self, limit: int) -> list:
            raise RuntimeError

    sweeper = Sweeper(
        shop.another_process(),
        shop.tasks,
        Away(),
        (Broken(), Works()),
        shop.artifacts,
        stuck_after_seconds=600,
        sweep_seconds=30,
    )
    await shop.claim()
    shop.clock.turn(3_600)
    assert await sweeper.sweep() > 0
    await sweeper.sweep()
    assert forgot == [True, True]
    assert (await shop.state()).status is Status.FAILED
