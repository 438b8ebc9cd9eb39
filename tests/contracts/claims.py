"""Steps that are due, and their claims, for the contracts of the queue and of the ledger."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.ports import Claim, DueStep
from domain import events as e
from domain.status import Agent, Step
from tests.contracts.conftest import Adapters

ALL = tuple(Agent)


def due(tenant_id: UUID | None = None, step: Step = Step.SPEC) -> DueStep:
    return DueStep(uuid7(), tenant_id or uuid7(), uuid7(), step, uuid7(), 3, uuid7())


async def soon(ask: Callable[[], Awaitable[list[Claim]]]) -> list[Claim]:
    """What the question is answered with, once it is answered with anything."""
    for _ in range(500):
        if found := await ask():
            return found
        await asyncio.sleep(0.005)
    raise AssertionError("nothing was ever claimed")


async def begun(adapters: Adapters, lease_seconds: float = 60) -> Claim:
    """A leased step of a feature."""
    feature_id, origin = uuid7(), adapters.origin()
    created = [(uuid7(), e.FeatureCreated("A"))]
    await adapters.log.append(feature_id, created, expected=0, origin=origin)
    await adapters.tasks.enqueue([replace(due(origin.tenant_id), feature_id=feature_id)])
    (claim,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=lease_seconds)
    return claim
