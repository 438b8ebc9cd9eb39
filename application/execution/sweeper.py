"""The sweeper: nothing stays stuck, and what was deleted is gone from the object store too.

Each stuck step is claimed with a new fencing token before it is failed, so that of many sweepers
one acts, and a worker that wakes up late is refused. Invariant: what cannot be done for one feature
waits with its reason, and nothing else waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol
from uuid import UUID

import structlog

from application.agents.failures import advice_of
from application.delivery.stored_files import Descendants, FilesKept, remove_stored
from application.features import Features
from application.ports import (
    ArtifactDamaged,
    ArtifactMissing,
    ArtifactStore,
    Claim,
    Effects,
    Groundless,
    LeaseLost,
    Metadata,
    Tasks,
    TaskUpdate,
    Unavailable,
    Unreadable,
)
from application.running.outage import Outage
from application.running.pulse import Pulse
from application.running.waiting import is_set_within
from domain import commands as c
from domain.errors import Refused

log = structlog.get_logger(__name__)

AT_ONCE = 50
"""Stuck steps, and removals, that one sweep takes on."""

UNANSWERED_AT_MOST: Final = 3
"""Removals in a row that the store does not answer for, after which the others wait unasked."""

TOLD: Final = (ArtifactDamaged, ArtifactMissing, FilesKept, Unavailable, Unreadable)
"""Reasons that say in our own words why something cannot be removed."""

LATE_SECONDS = 60.0
"""Beyond its pause: objects of many deleted features take their time."""


class Removals(Descendants, Protocol):
    """Deleted features whose objects are still to be removed."""

    async def waiting(self, limit: int) -> "list[tuple[UUID, UUID]]":
        """Tenant and feature of each whose time has come, longest waiting first."""

    async def removed(self, tenant_id: UUID, feature_id: UUID) -> None:
        """Its objects are gone."""

    async def postpone(self, tenant_id: UUID, feature_id: UUID, reason: str) -> int:
        """It cannot be done now, and is tried again after a growing pause; how often it was."""


class Memory(Protocol):
    """Something that is kept for a while: receipts, sessions, finished tasks."""

    async def forget_old(self) -> int:
        """Remove what is past its time; how much there was."""


class Sweeper:
    """Looks for what is stuck, again and again."""

    def __init__(
        self,
        features: Features,
        tasks: Tasks,
        removals: Removals,
        memories: Sequence[Memory],
        artifacts: ArtifactStore,
        *,
        stuck_after_seconds: float,
        sweep_seconds: float,
    ) -> None:
        self._features = features
        self._tasks = tasks
        self._removals = removals
        self._memories = memories
        self._artifacts = artifacts
        self._stuck_after = stuck_after_seconds
        self._every = sweep_seconds
        self.pulse = Pulse("sweeper", within_seconds=sweep_seconds + LATE_SECONDS)
        self._outages: dict[str, Outage] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until told to stop."""
        while not stop.is_set():
            await self.sweep()
            if not any(outage.lasts for outage in self._outages.values()):
                self.pulse.beat()
            await is_set_within(stop, self._every)

    async def sweep(self) -> int:
        """One round; how many stuck steps were failed. What one chore meets stops no other."""
        failed = await self._chore("stuck_steps", self._fail_stuck)
        await self._chore("removals", self._remove)
        for memory in self._memories:
            await self._chore(type(memory).__name__, memory.forget_old)
        return failed

    async def _chore(self, name: str, work: Callable[[], Awaitable[int]]) -> int:
        outage = self._outages.setdefault(name, Outage(log, "sweep_postponed", chore=name))
        try:
            done = await work()
        except Exception as error:  # noqa: BLE001 - the other chores go on; this one, next time.
            outage.on(error)
            return 0
        outage.over()
        return done

    async def _fail_stuck(self) -> int:
        stuck = await self._tasks.stuck(self._stuck_after, AT_ONCE)
        for claim in stuck:
            try:
                await self._fail(claim)
            except Unavailable:
                raise
            except Exception:  # The claim runs out, and it is looked at again.
                log.exception("stuck_step_not_failed", feature=str(claim.feature_id))
        return len(stuck)

    async def _remove(self) -> int:
        """Remove the objects of deleted features; of how many.

        Raises:
            Unavailable: the database is down, or the store does not answer again and again.
        """
        done = unanswered = 0
        for tenant_id, feature_id in await self._removals.waiting(AT_ONCE):
            try:
                await remove_stored(
                    self._artifacts, self._features, self._removals, tenant_id, feature_id
                )
            except Unavailable as down:
                unanswered += 1
                await self._postpone(tenant_id, feature_id, down)
                if unanswered >= UNANSWERED_AT_MOST:
                    raise
            except Exception as error:  # noqa: BLE001 - this one waits, and the next is removed.
                await self._postpone(tenant_id, feature_id, error)
            else:
                unanswered, done = 0, done + 1
                await self._removals.removed(tenant_id, feature_id)
        return done

    async def _postpone(self, tenant_id: UUID, feature_id: UUID, error: Exception) -> None:
        told = isinstance(error, TOLD)
        reason = str(error) if told else f"A defect: {type(error).__name__}."
        tries = await self._removals.postpone(tenant_id, feature_id, reason)
        if tries == 1:
            log.warning(
                "removal_postponed",
                feature=str(feature_id),
                reason=reason,
                exc_info=None if told else error,
            )

    async def _fail(self, claim: Claim) -> None:
        reason = (
            f"The {claim.step} step gave no sign of life for {self._stuck_after:.0f} seconds, "
            "or its workers were lost too often."
        )
        command = c.GiveUp(
            claim.step, claim.version, "stuck", reason, advice_of("stuck", final=True)
        )
        origin = Metadata(claim.tenant_id, "system:sweeper", claim.correlation_id, claim.event_id)
        task = TaskUpdate(claim.task_id, claim.fencing_token, "failed", error="stuck")
        try:
            await self._features.write(claim.feature_id, command, origin, Effects(task=task))
        except LeaseLost:
            return
        except Unreadable as unreadable:
            # Of a newer version, as a rule: its sweeper fails it, if it is still stuck then.
            await self._tasks.put_off(claim.task_id, claim.fencing_token, str(unreadable.why))
        except Groundless:  # What made it due is in no log any more.
            await self._tasks.cancel_task(
                claim.task_id, claim.fencing_token, "cancelled", "set_back"
            )
        except Refused as refusal:
            await self._tasks.cancel_task(
                claim.task_id, claim.fencing_token, "cancelled", refusal.code
            )
        else:
            log.warning("stuck_step_failed", step=claim.step, feature=str(claim.feature_id))
