"""Whoever waits for rows of several tasks waits in the one order: no two wait for each other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from application.ports import Claim, DueStep, Effects, LedgerEntry, Metadata, TaskUpdate
from domain import events as e
from domain.status import Agent, Step
from infrastructure.postgres.database import Database
from infrastructure.queue.ledger import PostgresLedger
from infrastructure.queue.tasks import PostgresTasks
from infrastructure.sealing.data_keys import DataKeys
from tests.integration.logs import Opened, new, new_ring, opened
from tests.integration.memory import until

Act = Callable[[Opened, Database, list[Claim]], Awaitable[object]]


@pytest.fixture
async def workers(database: str) -> AsyncIterator[Database]:
    async with Database(database, "bp_worker", max_size=4) as ready:
        yield ready


async def leased(
    log: Opened, workers: Database, features: int, steps_each: int
) -> tuple[Metadata, list[Claim]]:
    """Running steps in the order in which rows of tasks are waited for: feature, then task."""
    origin, due = Metadata(uuid7(), "user:x", uuid7()), []
    for feature_id in (uuid7() for _ in range(features)):
        created = new(e.FeatureCreated("A"))
        await log.log.append(feature_id, created, expected=0, origin=origin)
        due += [(feature_id, uuid7()) for _ in range(steps_each)]
    if steps_each == 1:  # The later feature's task has the lower id: tasks alone would cross.
        due = [(due[0][0], due[1][1]), (due[1][0], due[0][1])]
    tasks = PostgresTasks(workers)
    await tasks.enqueue(
        [
            DueStep(task_id, origin.tenant_id, feature_id, Step.SPEC, uuid7(), 1, uuid7())
            for feature_id, task_id in due
        ]
    )
    claims = await tasks.claim("w", tuple(Agent), limit=9, lease_seconds=60)
    return origin, sorted(claims, key=lambda claim: (claim.feature_id, claim.task_id))


async def drop(_: Opened, workers: Database, claims: list[Claim]) -> None:
    """Both together, the last first."""
    tasks = PostgresTasks(workers)
    await asyncio.gather(
        *(tasks.cancel_task(c.task_id, c.fencing_token, "cancelled") for c in reversed(claims))
    )


async def announce(_: Opened, workers: Database, claims: list[Claim]) -> None:
    """A request of each together, the last first."""
    ledger = PostgresLedger(workers, DataKeys(workers, new_ring()))
    await asyncio.gather(
        *(
            ledger.announce(
                c.tenant_id, c.feature_id, LedgerEntry(c.task_id, 1, 1, "a" * 64), c.fencing_token
            )
            for c in reversed(claims)
        )
    )


async def rename(log: Opened, _: Database, claims: list[Claim]) -> None:
    """A result of each together, the last first."""
    await asyncio.gather(
        *(
            log.log.append(
                c.feature_id,
                new(e.FeatureRenamed("B")),
                expected=1,
                origin=Metadata(c.tenant_id, "agent:spec", uuid7()),
                effects=Effects(task=TaskUpdate(c.task_id, c.fencing_token, "done")),
            )
            for c in reversed(claims)
        )
    )


async def supersede(log: Opened, _: Database, claims: list[Claim]) -> None:
    """The last step fails its feature, which cancels the others."""
    last = claims[-1]
    update = TaskUpdate(last.task_id, last.fencing_token, "failed")
    await log.log.append(
        last.feature_id,
        new(e.FeatureRenamed("B")),
        expected=1,
        origin=Metadata(last.tenant_id, "agent:spec", uuid7()),
        effects=Effects(task=update, cancel_tasks=True),
    )


@pytest.mark.parametrize(
    ("act", "features", "steps_each"),
    [
        (drop, 2, 1),
        (announce, 2, 1),
        (rename, 2, 1),
        (drop, 1, 2),
        (announce, 1, 2),
        (supersede, 1, 2),
    ],
)
async def test_who_waits_for_the_first_task_holds_no_other(
    database: str, workers: Database, act: Act, features: int, steps_each: int
) -> None:
    async with opened(database) as log:
        _, claims = await leased(log, workers, features, steps_each)
        first, second = (claim.task_id for claim in claims)
        with psycopg.connect(database) as other:
            lock(other, first)
            acting = asyncio.ensure_future(act(log, workers, claims))
            await until(lambda: somebody_waits(database))
            lock(other, second)  # Refused at once if somebody has it: then the two would cross.
        await acting


def lock(connection: psycopg.Connection, task_id: UUID) -> None:
    connection.execute("SELECT FROM app.tasks WHERE task_id = %s FOR UPDATE NOWAIT", (task_id,))


def somebody_waits(url: str) -> bool:
    with psycopg.connect(url) as connection:
        (waiting,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone() or (0,)
    return bool(waiting)
