"""The queue of record in PostgreSQL under many workers, and dead letters, removals and cursors."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from application.ports import (
    Conflict,
    DueStep,
    Effects,
    LeaseLost,
    TaskUpdate,
)
from domain import events as e
from domain.status import Agent, Step
from infrastructure.artifacts.removals import PostgresRemovals
from infrastructure.nats.dead_letters import NoSuchDeadLetter, PostgresDeadLetters
from infrastructure.postgres.cursors import PostgresCursors
from infrastructure.postgres.database import Database
from infrastructure.queue import finished_tasks
from infrastructure.queue.finished_tasks import FinishedTasks
from infrastructure.queue.tasks import PostgresTasks
from interface.settings import Settings
from tests.integration.logs import new, opened, posted

ALL = tuple(Agent)


@pytest.fixture
async def workers(database: str) -> AsyncIterator[Database]:
    async with Database(database, "bp_worker", max_size=8) as ready:
        yield ready


@pytest.fixture
async def sweeper(database: str) -> AsyncIterator[Database]:
    async with Database(database, "bp_sweeper", max_size=4) as ready:
        yield ready


def due(tenant_id: object = None, feature_id: object = None) -> DueStep:
    return DueStep(
        uuid7(),
        tenant_id or uuid7(),  # type: ignore[arg-type]
        feature_id or uuid7(),  # type: ignore[arg-type]
        Step.SPEC,
        uuid7(),
        1,
        uuid7(),
    )


async def test_one_greedy_tenant_does_not_starve_the_others(workers: Database) -> None:
    tasks = PostgresTasks(workers, per_tenant=4)
    greedy, others = uuid7(), [uuid7() for _ in range(3)]
    await tasks.enqueue([due(greedy) for _ in range(200)])
    await tasks.enqueue([due(other) for other in others for _ in range(2)])
    first = await tasks.claim("w", ALL, limit=8, lease_seconds=60)
    assert Counter(c.tenant_id for c in first) == {greedy: 2, **dict.fromkeys(others, 2)}
    rest = await tasks.claim("w", ALL, limit=50, lease_seconds=60)
    assert Counter(c.tenant_id for c in rest) == {greedy: 2}


async def test_many_workers_do_each_task_once_while_leases_run_out(
    database: str, workers: Database
) -> None:
    """Results count only under the fencing token: a worker that was too slow leaves none."""
    tasks = PostgresTasks(workers, per_tenant=50, max_attempts=100)
    async with opened(database) as log:
        began = await asyncio.gather(*(log.begin() for _ in range(40)))
        steps = [due(origin.tenant_id, feature_id) for origin, feature_id in began]
        origins = {feature_id: origin for origin, feature_id in began}
        await tasks.enqueue(steps)
        results = 0
        refused = 0

        late = asyncio.Event()

        async def worker(name: str, lease_seconds: float) -> None:
            """Without a lease to speak of, it answers only once somebody else had the step."""
            nonlocal results, refused
            slow = lease_seconds == 0.0
            while results < len(steps):
                for claim in await tasks.claim(name, ALL, limit=2, lease_seconds=lease_seconds):
                    if slow:
                        late.set()
                        while not await answered(claim.task_id):
                            await asyncio.sleep(0)
                    update = TaskUpdate(claim.task_id, claim.fencing_token, "done")
                    try:
                        await log.log.append(
                            claim.feature_id,
                            new(e.FeatureRenamed("done")),
                            expected=1,
                            origin=origins[claim.feature_id],
                            effects=Effects(task=update),
                        )
                    except (LeaseLost, Conflict):
                        refused += 1
                    else:
                        results += 1

        async def answered(task_id: UUID) -> bool:
            async with workers.system() as connection:
                found = await connection.execute(
                    "SELECT status = 'done' FROM app.tasks WHERE task_id = %s", (task_id,)
                )
                return bool((await found.fetchall())[0][0])

        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(worker(f"slow{n}", 0.0))
            await late.wait()  # Before anybody could have done all of it.
            for n in range(5):
                group.create_task(worker(f"quick{n}", 60.0))
        counts = [len(await log.log.read(o.tenant_id, f)) for o, f in began]
    assert counts == [2] * len(steps)
    assert refused, "no lease ever ran out: the test proves nothing"


async def test_beats_neither_wait_for_nor_lose_a_task_that_is_being_recorded(
    database: str, workers: Database
) -> None:
    tasks = PostgresTasks(workers)
    await tasks.enqueue([due(), due()])
    claims = await tasks.claim("w", ALL, limit=2, lease_seconds=60)
    with psycopg.connect(database) as other:
        other.execute("SELECT FROM app.tasks WHERE task_id = %s FOR UPDATE", (claims[0].task_id,))
        held = await tasks.heartbeat("w", {c.task_id: c.fencing_token for c in claims}, [], 60)
    assert held == {claim.task_id for claim in claims}


async def test_two_enqueue_the_same_steps_in_opposite_order(workers: Database) -> None:
    tasks = PostgresTasks(workers)
    steps = [due() for _ in range(100)]
    added = await asyncio.gather(
        *(tasks.enqueue(steps if n % 2 else steps[::-1]) for n in range(10))
    )
    assert sum(added) == 100


async def test_a_dead_letter_is_kept_requeued_and_may_come_back(workers: Database) -> None:
    letters = PostgresDeadLetters(workers)
    event_id = uuid7()
    await letters.record("spec", event_id, "bp.events.x", 7, 3, "it broke")
    await letters.record("spec", event_id, "bp.events.x", 7, 3, "it broke again")
    (letter,) = await letters.list()
    assert (letter.event_id, letter.deliveries, letter.cause) == (event_id, 6, "it broke again")
    requeued = await letters.requeue(letter.id, "user:x")
    assert (requeued.state, requeued.resolved_by) == ("requeued", "user:x")
    assert not await letters.list()
    with pytest.raises(NoSuchDeadLetter):
        await letters.discard(letter.id, "user:x")
    await letters.record("spec", event_id, "bp.events.x", 7, 3, "once more")
    await letters.discard(letter.id, "user:y")
    assert [found.state for found in await letters.list(None)] == ["discarded"]


async def test_a_deleted_features_objects_wait_until_they_are_removed(
    database: str, sweeper: Database
) -> None:
    removals = PostgresRemovals(sweeper)
    async with opened(database) as log:
        origin, feature_id = await log.begin()
        await log.log.append(
            feature_id,
            new(e.FeatureDeleted()),
            expected=1,
            origin=origin,
            effects=Effects(destroy_key=True),
        )
    assert await removals.waiting(10) == [(origin.tenant_id, feature_id)]
    await removals.removed(origin.tenant_id, feature_id)
    assert await removals.waiting(10) == []


async def test_finished_tasks_are_forgotten_by_age_and_open_ones_never(
    database: str, workers: Database, sweeper: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finished_tasks, "AT_ONCE", 3)
    tasks = PostgresTasks(workers, per_tenant=20)
    steps = [due() for _ in range(9)]
    await tasks.enqueue(steps)
    claims = await tasks.claim("w", ALL, limit=7, lease_seconds=60)
    for claim in claims[:5]:
        await tasks.cancel_task(claim.task_id, claim.fencing_token, "cancelled")
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE app.tasks SET created_at = created_at - interval '31 days',"
            " finished_at = finished_at - interval '31 days'"
        )
    await tasks.cancel_task(claims[5].task_id, claims[5].fencing_token, "cancelled")
    finished = FinishedTasks(sweeper, keep_days=30)
    assert [await finished.forget_old() for _ in range(3)] == [3, 2, 0]
    with psycopg.connect(database) as connection:
        left = connection.execute("SELECT status, count(*) FROM app.tasks GROUP BY status")
        assert dict(left.fetchall()) == {"queued": 2, "running": 1, "cancelled": 1}


def test_no_setting_forgets_a_task_that_a_message_could_make_again() -> None:
    (least,) = (
        limit.ge
        for limit in Settings.model_fields["keep_tasks_days"].metadata
        if hasattr(limit, "ge")
    )
    assert least >= finished_tasks.LEAST_DAYS


async def test_a_cursor_never_goes_back(database: str, sweeper: Database) -> None:
    cursors = PostgresCursors(sweeper)
    async with opened(database) as log:
        await log.begin(*[posted() for _ in range(8)])
        events = await log.everything()
    assert await cursors.get("reconciler") == 0
    for position, expected in ((5, 5), (3, 5), (9, 9), (9, 9)):
        await cursors.set("reconciler", position, events[position - 1].event_id)
        assert await cursors.get("reconciler") == expected
    assert await cursors.get("another") == 0


async def test_a_cursor_moves_to_no_event_that_is_in_no_log(
    database: str, sweeper: Database
) -> None:
    cursors = PostgresCursors(sweeper)
    async with opened(database) as log:
        await log.begin(posted())
        first, second = await log.everything()
    await cursors.set("reconciler", 2, first.event_id)
    await cursors.set("reconciler", 9, second.event_id)
    assert await cursors.get("reconciler") == 0
