"""Claims due steps and runs them, many at once, with one heartbeat for all.

Invariant: a step that the heartbeat does not get back is not ours any more, and its stream is
closed at once.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct

from application.ports import Claim, Tasks, Unavailable
from application.runner import Runner
from domain.status import Agent

log = structlog.get_logger(__name__)

ALL_AGENTS: Final = tuple(Agent)


class WorkerLimits(Struct, frozen=True):
    """How much one worker takes on."""

    steps_at_once: int = 32
    lease_seconds: float = 60.0
    beat_seconds: float = 5.0
    """Also how long a cancelled step may still run when nobody says that it was cancelled."""
    look_again_seconds: float = 0.02
    """How soon after a step ends the queue is looked at, once for all that end meanwhile."""
    poll_seconds: float = 0.5
    """How often the queue is looked at when nothing wakes the worker."""


LIMITS: Final = WorkerLimits()


class Worker:
    """One process's share of the work."""

    def __init__(
        self,
        name: str,
        tasks: Tasks,
        runner: Runner,
        *,
        agents: Sequence[Agent] = ALL_AGENTS,
        limits: WorkerLimits = LIMITS,
    ) -> None:
        self._name = name
        self._tasks = tasks
        self._runner = runner
        self._agents = agents
        self._limits = limits
        self._running: dict[UUID, tuple[Claim, asyncio.Task[None]]] = {}
        self._progressed: set[UUID] = set()
        self._work = asyncio.Event()
        self._looking: asyncio.TimerHandle | None = None
        self._doubt = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """There may be work."""
        self._work.set()

    def look_again(self) -> None:
        """Something was cancelled: ask at once whether our steps are still ours."""
        self._doubt.set()

    def let_go_of_all(self) -> None:
        """The log was set back: what is under way may rest on what is in no log any more.

        What it used is recorded, or told where the log does not know of it. The leases run out.
        """
        for claim, step in self._running.values():
            log.info("step_taken_away", step=claim.step, task=str(claim.task_id))
            step.cancel()

    @property
    def busy(self) -> int:
        """How many steps are under way."""
        return len(self._running)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; then hand what is unfinished back to the queue."""
        beating = asyncio.create_task(self._beat())
        stopped = asyncio.create_task(self._wait_for(stop))
        try:
            while not stop.is_set():
                if (
                    beating.done()
                ):  # Without a heartbeat every lease would be lost, again and again.
                    beating.result()
                self._work.clear()
                await self._claim()
                # What was not there to be claimed rings when it comes; a place, when it is free.
                await self._nap()
        finally:
            if self._looking is not None:
                self._looking.cancel()
            self._stopping = True
            steps = [step for _, step in self._running.values()]
            for step in steps:
                step.cancel()
            await asyncio.gather(*steps, return_exceptions=True)
            for helper in (beating, stopped):
                helper.cancel()
            await asyncio.gather(beating, stopped, return_exceptions=True)

    async def _wait_for(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._work.set()

    async def _nap(self) -> None:
        try:
            async with asyncio.timeout(self._limits.poll_seconds):
                await self._work.wait()
        except TimeoutError:
            return

    async def _claim(self) -> None:
        free = self._limits.steps_at_once - len(self._running)
        if free <= 0:
            return
        try:
            claims = await self._tasks.claim(
                self._name, self._agents, limit=free, lease_seconds=self._limits.lease_seconds
            )
        except Unavailable as down:
            log.warning("claim_postponed", reason=str(down))
            return
        for claim in claims:
            step = asyncio.create_task(self._carry_out(claim), name=f"{claim.step}")
            self._running[claim.task_id] = (claim, step)

    async def _carry_out(self, claim: Claim) -> None:
        try:
            await self._runner.run(
                claim, lambda: self._progressed.add(claim.task_id), lambda: self._stopping
            )
        except Unavailable as down:
            # The lease runs out and the step is claimed again: nothing is lost but time.
            log.warning("step_postponed", step=claim.step, reason=str(down))
        except Exception:
            # A defect: it must be seen, and the task's attempts bound how often it comes back.
            log.exception("step_crashed", step=claim.step, task=str(claim.task_id))
        finally:
            self._running.pop(claim.task_id, None)
            self._progressed.discard(claim.task_id)
            if self._looking is None and not self._stopping:
                loop = asyncio.get_running_loop()
                self._looking = loop.call_later(self._limits.look_again_seconds, self._look)

    def _look(self) -> None:
        self._looking = None
        self._work.set()

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.beat_seconds):
                    await self._doubt.wait()
            self._doubt.clear()
            held = {task_id: claim.fence for task_id, (claim, _) in self._running.items()}
            if not held:
                continue
            progressed, self._progressed = self._progressed, set()
            try:
                ours = await self._tasks.beat(
                    self._name, held, list(progressed), self._limits.lease_seconds
                )
            except Unavailable as down:
                self._progressed |= progressed
                log.warning("heartbeat_missed", reason=str(down))
                continue
            for task_id in held.keys() - ours:
                self._let_go(task_id, held[task_id])

    def _let_go(self, task_id: UUID, fence: int) -> None:
        claim, step = self._running.get(task_id, (None, None))
        if claim is not None and step is not None and claim.fence == fence:
            log.info("step_taken_away", step=claim.step, task=str(task_id))
            step.cancel()
