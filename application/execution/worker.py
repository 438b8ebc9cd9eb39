"""Claims due steps and runs them, many at once, with one heartbeat for all.

Invariants: a step that the heartbeat does not get back is not ours any more, and its stream is
closed at once; a lease that we hold ends with a word, unless this process ends without one.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final, Protocol
from uuid import UUID

import structlog
from msgspec import Struct

from application.execution.attempt import HAND_BACK_SECONDS
from application.execution.retry import PATIENCE_SECONDS, retry_while_unavailable
from application.execution.runner import LEASE_SECONDS, Runner
from application.ports import Claim, DueStep, Tasks, Unavailable
from application.running.outage import Outage
from application.running.pulse import Pulse
from application.running.waiting import is_set_within
from domain.pipeline import AGENT_OF
from domain.status import Agent

log = structlog.get_logger(__name__)

ALL_AGENTS: Final = tuple(Agent)
LATE_SECONDS: Final = 15.0
"""A worker looks at the queue twice a second; the database may be away for ten."""

BEATS_PER_LEASE: Final = 6
"""A lease outlives several heartbeats that are lost."""
POSTPONED_SECONDS: Final = 1.0
"""The pause before a step whose beginning met an outage is claimed again."""


class WorkerLimits(Struct, frozen=True):
    """How much one worker takes on."""

    steps_at_once: int = 32
    crowded: int = 2
    """So many other steps of a tenant in this process mean that it may have its share, so that more
    of it may wait in the queue; a quarter of the share, for other workers have theirs of it."""
    alone_at_once: int = 4
    """Of these, how many may run in processes of their own."""
    lease_seconds: float = LEASE_SECONDS
    heartbeat_seconds: float = LEASE_SECONDS / BEATS_PER_LEASE
    """Also how long a cancelled step may still run when nobody says that it was cancelled."""
    drain_seconds: float = 10.0
    """How long steps under way go on in a worker that is told to stop."""
    poll_again_seconds: float = 0.02
    """How soon after a step ends the queue is looked at, once for all that end meanwhile."""
    poll_seconds: float = 0.5
    """How often the queue is looked at when nothing wakes the worker."""

    @property
    def silent_seconds(self) -> float:
        """How long the database may be silent before others may have missed heartbeats, too."""
        return max(self.lease_seconds - 2 * self.heartbeat_seconds, 2 * self.poll_seconds)


LIMITS: Final = WorkerLimits()


class CrashedAlone(Exception):
    """A step ended the process it ran in, alone. The message says how, in plain words."""


class Isolation(Protocol):
    """Runs a step in a process of its own, under the lease of this one."""

    async def run(
        self, claim: Claim, on_progress: Callable[[], None], stopping: Callable[[], bool]
    ) -> None:
        """Carry out a claim to its end, as `Runner.run` does.

        Raises:
            CrashedAlone: the process ended without a word; none of it is left.
            Unavailable: there is no such process to be had at the moment.
        """


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
        isolation: Isolation | None = None,
    ) -> None:
        """Set it up; without `isolation`, what is to run alone runs among the others."""
        self._name = name
        self._tasks = tasks
        self._runner = runner
        self._agents = agents
        self._limits = limits
        self._isolation = isolation
        self._running: dict[UUID, tuple[Claim, asyncio.Task[None]]] = {}
        self._progressed: set[UUID] = set()
        self._let_go_of: set[UUID] = set()
        """Of those that run: taken from us, and about to end."""
        self._to_hand_back: set[UUID] = set()
        """Of those that run: ours yet, but about to end, for the log was set back."""
        self._work = asyncio.Event()
        self._backlog = True
        """Whether the queue may hold more for us than what is handed over."""
        self._reserved = 0
        """Places kept for steps that are being handed over."""
        self._handed_over_to = False
        self._giving_back: set[asyncio.Future[None]] = set()
        self._serving = False
        self._poll_timer: asyncio.TimerHandle | None = None
        self._doubt = asyncio.Event()
        self._stopping = False
        self.pulse = Pulse("worker", within_seconds=LATE_SECONDS)
        self._answered_at = self._judges_from = monotonic()
        self._idle = Outage(log, "claim_postponed")
        self._fresh = True

    def wake(self) -> None:
        """There may be work."""
        self._work.set()

    def offer(self, steps: Sequence[DueStep]) -> Sequence[DueStep]:
        """Those of some steps that we would take; room is kept for them until `take`.

        None as long as others may wait in the queue: they were there first.
        """
        if not self._serving or self._backlog:
            return ()
        free = self._limits.steps_at_once - len(self._running) - self._reserved
        ours = [step for step in steps if AGENT_OF[step.step] in self._agents][: max(0, free)]
        self._reserved += len(ours)
        return ours

    def take(self, offered: int, claims: Sequence[Claim]) -> None:
        """Begin with what was leased to us, of so many steps that we had offered to take."""
        # In the next turn of the loop, by whose end the write path remembers what it appended: so
        # that the step finds there what it goes on from.
        asyncio.get_running_loop().call_soon(self._take, offered, claims)

    def _take(self, offered: int, claims: Sequence[Claim]) -> None:
        self._reserved -= offered
        self._handed_over_to = True
        if len(claims) < offered:
            self._backlog = True  # Their tenant has its share, or the append came to nothing.
        if self._stopping:
            held = {claim.task_id: claim.fencing_token for claim in claims}
            giving_back = asyncio.ensure_future(self._hand_back(held, "worker_stopped"))
            self._giving_back.add(giving_back)
            giving_back.add_done_callback(self._giving_back.discard)
            return
        self._begin(claims)

    def holds(self, task_id: UUID) -> bool:
        """Whether a task is in our hands."""
        return task_id in self._running

    def recheck_leases(self) -> None:
        """Something was cancelled: ask at once whether our steps are still ours."""
        self._doubt.set()

    def let_go_of_all(self) -> None:
        """The log was set back: what is under way may rest on what is in no log any more.

        What it used is recorded, or told where the log does not know of it; then it is handed
        back, for the log is no suspicion against what ran.
        """
        for claim, step in self._running.values():
            log.info("step_taken_away", step=claim.step, task=str(claim.task_id))
            self._to_hand_back.add(claim.task_id)
            step.cancel()

    @property
    def busy(self) -> int:
        """How many steps are under way."""
        return len(self._running)

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event | None = None) -> None:
        """Work until told to stop; let steps go on for a while; hand back what is unfinished.

        Args:
            stop: Takes nothing new from then on.
            hurry: Waits for nothing from then on.
        """
        self._stopping = False
        self._serving = True
        self._answered_at = self._judges_from = monotonic()
        heartbeats = asyncio.create_task(self._heartbeat())
        stopped = asyncio.create_task(self._wait_for(stop))
        try:
            while not stop.is_set():
                if heartbeats.done():
                    # Without a heartbeat every lease would be lost, again and again.
                    heartbeats.result()
                self._work.clear()
                await self._claim()
                # Poll again: new tasks and freed slots both set the event.
                await self._nap()
            self._serving = False
            await self._drain(heartbeats, hurry or asyncio.Event())
        finally:
            if self._poll_timer is not None:
                self._poll_timer.cancel()
            self._stopping, self._serving = True, False
            held = {task_id: claim.fencing_token for task_id, (claim, _) in self._running.items()}
            steps = [step for _, step in self._running.values()]
            for step in steps:
                step.cancel()
            await asyncio.gather(*steps, return_exceptions=True)
            # Of what had begun the log says so already; this is for what had not.
            await self._hand_back(held, "worker_stopped")
            for helper in (heartbeats, stopped):
                helper.cancel()
            await asyncio.gather(heartbeats, stopped, *self._giving_back, return_exceptions=True)

    async def _wait_for(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._work.set()

    async def _nap(self) -> None:
        await is_set_within(self._work, self._limits.poll_seconds)

    async def _drain(self, heartbeats: asyncio.Task[None], hurry: asyncio.Event) -> None:
        """Wait for what is under way: until it is done, for so long, or until there is a hurry."""
        steps = [step for _, step in self._running.values()]
        if not steps:
            return
        log.info("draining", steps=len(steps), seconds=self._limits.drain_seconds)
        done = asyncio.ensure_future(asyncio.wait(steps))
        hurried = asyncio.ensure_future(hurry.wait())
        await asyncio.wait(
            {done, hurried, heartbeats},
            timeout=self._limits.drain_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        for waiting in (done, hurried):
            waiting.cancel()
        log.info("drained", handed_back=len(self._running))

    async def _claim(self) -> None:
        free = self._limits.steps_at_once - len(self._running) - self._reserved
        if free <= 0:
            self._backlog = True
            self.pulse.beat()
            return
        try:
            if self._fresh:  # Of a newer version, perhaps: it can read what another could not.
                await self._tasks.take_up()
                self._fresh = False
            claims = await self._tasks.claim(
                self._name,
                self._agents,
                limit=free,
                lease_seconds=self._limits.lease_seconds,
                alone=self._places_alone(free),
                take_over=self._judges(),
            )
        except Exception as error:  # noqa: BLE001 - a defect, too, is waited out: it is told.
            self._idle.on(error)
            return
        self._database_answered()
        self._idle.over()
        self._backlog = len(claims) >= free
        self._begin(claims)

    def _begin(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            if claim.task_id not in self._running:
                step = asyncio.create_task(self._carry_out(claim), name=f"{claim.step}")
                self._running[claim.task_id] = (claim, step)

    def _looks_after(self, ended: Claim) -> bool:
        """Whether the queue may hold something that the end of a step made room for.

        More than we had room for; or of a tenant that has its share. Where others run the rest of
        that share, it is they who look, or the next poll.
        """
        alike = sum(claim.tenant_id == ended.tenant_id for claim, _ in self._running.values())
        return self._backlog or alike >= self._limits.crowded or not self._handed_over_to

    def _places_alone(self, free: int) -> int:
        if self._isolation is None:
            return free
        taken = sum(claim.alone for claim, _ in self._running.values())
        return max(0, min(free, self._limits.alone_at_once - taken))

    def _database_answered(self) -> None:
        """The database answered us just now."""
        now = monotonic()
        if now - self._answered_at > self._limits.silent_seconds:
            self._judges_from = now + self._limits.lease_seconds
        self._answered_at = now
        self.pulse.beat()

    def _judges(self) -> bool:
        """Whether the silence of others says something: not if the database was silent too.

        After an outage of the database, or a sleep of our own, everybody gets the time of a lease
        to say that they are there.
        """
        now = monotonic()
        silent = now - self._answered_at > self._limits.silent_seconds
        return not silent and now >= self._judges_from

    async def _carry_out(self, claim: Claim) -> None:
        try:
            await self._run_step(claim)
        except Unavailable as down:
            log.warning("step_postponed", step=claim.step, reason=str(down))
            await self._hand_back(
                {claim.task_id: claim.fencing_token}, "unavailable", POSTPONED_SECONDS
            )
        except asyncio.CancelledError:
            if claim.task_id in self._to_hand_back:
                await self._hand_back({claim.task_id: claim.fencing_token}, "set_back")
            raise
        except Exception:
            # A defect: it must be seen. Its lease runs out without a word, and it next runs alone.
            log.exception("step_crashed", step=claim.step, task=str(claim.task_id))
        finally:
            self._running.pop(claim.task_id, None)
            self._progressed.discard(claim.task_id)
            self._let_go_of.discard(claim.task_id)
            self._to_hand_back.discard(claim.task_id)
            if self._poll_timer is None and not self._stopping and self._looks_after(claim):
                loop = asyncio.get_running_loop()
                self._poll_timer = loop.call_later(self._limits.poll_again_seconds, self._poll)

    async def _run_step(self, claim: Claim) -> None:
        alone = claim.alone and self._isolation is not None
        if alone:
            log.info("step_runs_alone", step=claim.step, task=str(claim.task_id))
        carry_out = self._isolation.run if alone and self._isolation else self._runner.run
        try:
            await carry_out(
                claim, lambda: self._progressed.add(claim.task_id), lambda: self._stopping
            )
        except CrashedAlone as end:
            await self._runner.crashed(claim, str(end))

    async def _hand_back(
        self, held: Mapping[UUID, int], error: str, pause_seconds: float = 0.0
    ) -> None:
        """Say that we do not go on with these tasks; not said while the database is away."""
        with contextlib.suppress(Unavailable):
            await retry_while_unavailable(
                lambda: self._tasks.hand_back(held, pause_seconds=pause_seconds, error=error),
                patience=HAND_BACK_SECONDS if self._stopping else PATIENCE_SECONDS,
            )

    def _poll(self) -> None:
        self._poll_timer = None
        self._work.set()

    async def _heartbeat(self) -> None:
        outage = Outage(log, "heartbeat_missed")
        while True:
            await is_set_within(self._doubt, self._limits.heartbeat_seconds)
            self._doubt.clear()
            held = {
                task_id: claim.fencing_token
                for task_id, (claim, _) in self._running.items()
                if task_id not in self._let_go_of
            }
            if not held:
                continue
            progressed, self._progressed = self._progressed, set()
            try:
                ours = await self._tasks.heartbeat(
                    self._name, held, list(progressed), self._limits.lease_seconds
                )
            except Unavailable as down:
                self._progressed |= progressed
                outage.on(down)
                continue
            self._database_answered()
            outage.over()
            for task_id in held.keys() - ours:
                self._let_go(task_id, held[task_id])

    def _let_go(self, task_id: UUID, fencing_token: int) -> None:
        claim, step = self._running.get(task_id, (None, None))
        if claim is not None and step is not None and claim.fencing_token == fencing_token:
            log.info("step_taken_away", step=claim.step, task=str(task_id))
            self._let_go_of.add(task_id)
            step.cancel()
