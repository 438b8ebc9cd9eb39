"""What an append makes due is leased to the worker that waits, in the same transaction."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from application.due_steps import due_steps
from application.execution.hand_over import HandOver
from application.ports import Claim, DueStep, Effects, LeaseLost, Metadata, TaskUpdate
from domain import events as e
from domain.status import Agent
from infrastructure.event_log.log import PostgresEventLog
from infrastructure.postgres.database import Database
from infrastructure.queue.tasks import PostgresTasks
from tests.integration.reading import ring

LEASE_SECONDS = 60.0


class Waiting:
    """A worker that takes whatever there is, up to so many steps."""

    def __init__(self, room: int = 8) -> None:
        self.room = room
        self.taken: list[Claim] = []
        self.kept = 0

    def offer(self, steps: Sequence[DueStep]) -> Sequence[DueStep]:
        wanted = steps[: self.room]
        self.kept += len(wanted)
        return wanted

    def take(self, offered: int, claims: Sequence[Claim]) -> None:
        self.kept -= offered
        self.taken += claims

    def holds(self, task_id: UUID) -> bool:
        return any(claim.task_id == task_id for claim in self.taken)


class Line:
    """A log that hands over, and a queue beside it."""

    def __init__(self, log: PostgresEventLog, tasks: PostgresTasks, worker: Waiting) -> None:
        self.log = log
        self.tasks = tasks
        self.worker = worker

    async def confirmed(self, tenant_id: UUID, *, again: bool = False) -> tuple[UUID, Any]:
        """A feature with a confirmed brief, which makes its specification and its title due."""
        feature_id, origin = uuid7(), Metadata(tenant_id, "user:x", uuid7())
        await self.log.append(
            feature_id, [(uuid7(), e.FeatureCreated("A"))], expected=0, origin=origin
        )
        named = [(uuid7(), e.BriefConfirmed("- BF-1 lend", "0" * 64, 1))]
        due = due_steps(feature_id, 1, named, origin)
        for _ in range(1 + again):
            await self.log.append(
                feature_id, named, expected=1, origin=origin, effects=Effects(due=due)
            )
        return feature_id, due

    async def claimed(self) -> set[UUID]:
        claims = await self.tasks.claim(
            "other", tuple(Agent), limit=50, lease_seconds=LEASE_SECONDS
        )
        return {claim.task_id for claim in claims}


@pytest.fixture
async def line(database: str) -> AsyncIterator[Line]:
    worker = Waiting()
    hand_over = HandOver("w", lease_seconds=LEASE_SECONDS, per_tenant=3)
    hand_over.bind(worker)
    async with (
        PostgresEventLog(database, "bp_worker", ring(), hand_over=hand_over) as log,
        Database(database, "bp_worker", max_size=2) as workers,
    ):
        yield Line(log, PostgresTasks(workers, per_tenant=3), worker)


async def test_what_is_handed_over_is_leased_and_nobody_else_gets_it(line: Line) -> None:
    feature_id, due = await line.confirmed(uuid7())
    assert due
    assert {claim.task_id for claim in line.worker.taken} == {step.task_id for step in due}
    assert line.worker.kept == 0
    assert await line.claimed() == set()
    claim = line.worker.taken[0]
    assert (claim.feature_id, claim.version, claim.attempt, claim.alone) == (
        feature_id,
        2,
        1,
        False,
    )
    held = {claim.task_id: claim.fencing_token}
    assert await line.tasks.heartbeat("w", held, (), LEASE_SECONDS) == {claim.task_id}


async def test_what_the_worker_has_no_room_for_waits_in_the_queue(line: Line) -> None:
    line.worker.room = 0
    _, due = await line.confirmed(uuid7())
    assert line.worker.taken == []
    assert await line.claimed() == {step.task_id for step in due}


async def test_nobody_gets_more_than_a_share_by_it(line: Line) -> None:
    greedy = uuid7()
    steps = [step for _ in range(4) for step in (await line.confirmed(greedy))[1]]
    assert len(steps) > 3
    assert len(line.worker.taken) == 3
    assert line.worker.kept == 0
    assert await line.claimed() == set()
    _, others = await line.confirmed(uuid7())
    assert {claim.task_id for claim in line.worker.taken[3:]} == {s.task_id for s in others}


async def test_an_append_whose_answer_was_lost_tells_again_what_it_handed_over(line: Line) -> None:
    _, due = await line.confirmed(uuid7(), again=True)
    told = [(claim.task_id, claim.fencing_token) for claim in line.worker.taken]
    assert len(told) == 2 * len(due)
    assert len(set(told)) == len(due)


async def test_an_append_that_is_refused_hands_nothing_over(line: Line) -> None:
    feature_id, due = await line.confirmed(uuid7())
    before = len(line.worker.taken)
    lost = TaskUpdate(due[0].task_id, 0, "done")
    named = [(uuid7(), e.BriefRevised("- BF-1 lend", "0" * 64, 2))]
    origin = Metadata(due[0].tenant_id, "agent:x", uuid7())
    more = due_steps(feature_id, 2, named, origin)
    with pytest.raises(LeaseLost):
        await line.log.append(
            feature_id, named, expected=2, origin=origin, effects=Effects(task=lost, due=more)
        )
    assert len(line.worker.taken) == before
    assert line.worker.kept == 0


async def test_only_a_worker_may_have_steps_handed_over(database: str) -> None:
    query = "SELECT app.append_and_hand_over('{}', '{}', '{}', '{}', '{}', 'w', 60, 8)"
    with psycopg.connect(database, autocommit=True) as connection:
        for role in ("bp_api", "bp_relay", "bp_projector", "bp_sweeper"):
            connection.execute(f"SET ROLE {role}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(query)
            connection.execute("RESET ROLE")
