"""The sweeper: nothing stays stuck, and what was deleted is gone from the object store too.

Each stuck step is claimed with a new fence before it is failed, so that of many sweepers one acts,
and a worker that wakes up late is refused.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import structlog

from application.agents.failures import CODES
from application.features import Features
from application.ports import (
    ArtifactStore,
    Claim,
    Effects,
    LeaseLost,
    Origin,
    Tasks,
    TaskUpdate,
    Unavailable,
)
from application.pulse import Pulse
from application.stored_files import Descendants, remove_stored
from domain import commands as c
from domain.errors import Refused

log = structlog.get_logger(__name__)

AT_ONCE = 50
"""Stuck steps that one sweep takes on."""

LATE_SECONDS = 60.0
"""Beyond its pause: objects of many deleted features take their time."""


class Removals(Descendants, Protocol):
    """Deleted features whose objects are still to be removed."""

    async def waiting(self, limit: int) -> "list[tuple[UUID, UUID]]":
        """Tenant and feature of each, oldest first."""

    async def removed(self, tenant_id: UUID, feature_id: UUID) -> None:
        """Its objects are gone."""


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

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until told to stop."""
        while not stop.is_set():
            try:
                await self.sweep()
                self.pulse.beat()
            except Unavailable as down:
                log.warning("sweep_postponed", reason=str(down))
            try:
                async with asyncio.timeout(self._every):
                    await stop.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> int:
        """One round; how many stuck steps were failed."""
        stuck = await self._tasks.stuck(self._stuck_after, AT_ONCE)
        for claim in stuck:
            await self._fail(claim)
        for tenant_id, feature_id in await self._removals.waiting(AT_ONCE):
            await remove_stored(
                self._artifacts, self._features, self._removals, tenant_id, feature_id
            )
            await self._removals.removed(tenant_id, feature_id)
        for memory in self._memories:
            await memory.forget_old()
        return len(stuck)

    async def _fail(self, claim: Claim) -> None:
        reason = (
            f"The {claim.step} step gave no sign of life for {self._stuck_after:.0f} seconds, "
            "or its workers were lost too often."
        )
        command = c.GiveUp(claim.step, claim.version, "stuck", reason, CODES["stuck"])
        origin = Origin(claim.tenant_id, "system:sweeper", claim.correlation_id, claim.event_id)
        task = TaskUpdate(claim.task_id, claim.fence, "failed", error="stuck")
        try:
            await self._features.write(claim.feature_id, command, origin, Effects(task=task))
        except LeaseLost:
            return
        except Refused as refusal:
            await self._tasks.drop(claim.task_id, claim.fence, "cancelled", refusal.code)
        else:
            log.warning("stuck_step_failed", step=claim.step, feature=str(claim.feature_id))
