"""The queue of record in PostgreSQL: rows that workers lease, each for one attempt at one step.

Invariant: every lease has a fence of its own, higher than all before it; whoever holds an older one
can neither prolong, end nor record.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from application.ports import Claim, DueStep
from domain.pipeline import AGENT_OF
from domain.status import Agent, Step
from infrastructure.database import Database
from infrastructure.gathering import Gathered
from infrastructure.steady_clock import SteadyClock

MAX_ATTEMPTS: Final = 5
"""Leases of one task that may end without a word; after these the sweeper fails it. A step that
ends the process it runs in alone is failed at once: these are the losses of whole workers."""

PER_TENANT: Final = 8
"""Tasks of one tenant that run at once."""

TAKE_OVER_SECONDS: Final = 60.0
"""How long a sweeper that took a stuck task over has for failing it."""

ENQUEUE: Final = """
INSERT INTO app.tasks
  (task_id, tenant_id, feature_id, step, event_id, version, correlation_id, max_attempts)
SELECT d.*, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::uuid[], %s::int[], %s::uuid[]) d
ON CONFLICT (task_id) DO NOTHING RETURNING task_id
"""
CLAIMED: Final = (
    "task_id, tenant_id, feature_id, step, event_id, version, correlation_id, attempt, fence, alone"
)
# What has expired is looked for only when it is certain that nobody has just set the clock: all in
# one statement, so that there is no moment between.
IF_STEADY: Final = "CASE WHEN k.steady THEN %s ELSE 0 END"
KEPT: Final = "app.keep_time(%s, %s, %s, %s) k LEFT JOIN LATERAL"
KEEPING: Final = f"SELECT k.steady, k.at, k.jumps, k.moved, {CLAIMED} FROM {KEPT}"  # noqa: S608
CLAIM: Final = f"{KEEPING} app.lease(%s, %s, {IF_STEADY}, %s, %s, %s, %s) t ON true"
STUCK: Final = f"{KEEPING} app.stuck(%s, %s, {IF_STEADY}, %s) t ON true"
BEAT: Final = "SELECT held FROM app.beat(%s::uuid[], %s::bigint[], %s::uuid[], %s) held"
HAND_BACK: Final = "SELECT held FROM app.hand_back(%s::uuid[], %s::bigint[], %s, %s) held"
DROP: Final = """
WITH ours AS (
  SELECT t.task_id, d.status, d.error
  FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[]) d (task_id, fence, status, error)
  JOIN app.tasks t ON t.task_id = d.task_id AND t.fence = d.fence
  WHERE t.status = 'running' ORDER BY t.feature_id, t.task_id FOR UPDATE OF t
)
UPDATE app.tasks t
SET status = ours.status, error = ours.error, finished_at = clock_timestamp(), lease_until = NULL
FROM ours WHERE t.task_id = ours.task_id
RETURNING t.task_id
"""


class PostgresTasks:
    """Tasks of all tenants, for workers and sweepers. Every method raises Unavailable."""

    def __init__(
        self,
        database: Database,
        *,
        max_attempts: int = MAX_ATTEMPTS,
        per_tenant: int = PER_TENANT,
    ) -> None:
        """Take a database as worker or sweeper, and the bounds of attempts and of fairness."""
        self._database = database
        self._max_attempts = max_attempts
        self._per_tenant = per_tenant
        self._enqueue = Gathered(self._add)
        self._drop = Gathered(self._end)
        self._time = SteadyClock()

    async def enqueue(self, steps: Sequence[DueStep]) -> int:
        """Add the steps that are not there yet; how many were new."""
        return await self._enqueue(steps) if steps else 0

    async def _add(self, calls: Sequence[Sequence[DueStep]]) -> Sequence[int]:
        steps = {step.task_id: step for call in calls for step in call}.values()
        # In one order everywhere: two that add the same tasks wait for each other, never in a ring.
        rows = [
            (s.task_id, s.tenant_id, s.feature_id, s.step, s.event_id, s.version, s.correlation_id)
            for s in sorted(steps, key=lambda due: due.task_id)
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        columns[3] = [str(step) for step in columns[3]]
        new = {row[0] for row in await self._database.call(ENQUEUE, (self._max_attempts, *columns))}
        counts = []
        for call in calls:
            added = new & {step.task_id for step in call}
            new -= added  # Two calls that bring the same step: it is new once.
            counts.append(len(added))
        return counts

    async def claim(
        self,
        worker: str,
        agents: Sequence[Agent],
        *,
        limit: int,
        lease_seconds: float,
        alone: int | None = None,
        take_over: bool = True,
    ) -> Sequence[Claim]:
        """Lease up to `limit` queued or expired tasks; the least-loaded tenant first.

        See `ports.Tasks`.
        """
        steps = [str(step) for step, agent in AGENT_OF.items() if agent in set(agents)]
        if not steps or limit < 1:
            return ()
        places = limit if alone is None else alone
        asked = (worker, steps, limit, lease_seconds, self._per_tenant, places, take_over)
        return await self._claims(CLAIM, asked)

    async def beat(
        self,
        worker: str,  # noqa: ARG002 - the fence alone says whose a lease is.
        alive: Mapping[UUID, int],
        progressed: Sequence[UUID],
        lease_seconds: float,
    ) -> set[UUID]:
        """Prolong the leases {task: fence}; note progress. Answers with those still ours."""
        if not alive:
            return set()
        asked = ([*alive], [*alive.values()], list(progressed), lease_seconds)
        return {row[0] for row in await self._database.call(BEAT, asked)}

    async def hand_back(
        self, held: Mapping[UUID, int], *, pause_seconds: float = 0.0, error: str = ""
    ) -> set[UUID]:
        """Queue tasks {task: fence} again as they were claimed; those that were still ours."""
        if not held:
            return set()
        asked = ([*held], [*held.values()], pause_seconds, error)
        return {row[0] for row in await self._database.call(HAND_BACK, asked)}

    async def drop(self, task_id: UUID, fence: int, status: str, error: str = "") -> None:
        """End a task without an event (`cancelled`), if it is still ours."""
        await self._drop((task_id, fence, status, error))

    async def _end(self, calls: Sequence[tuple[UUID, int, str, str]]) -> Sequence[None]:
        await self._database.call(DROP, [list(column) for column in zip(*calls, strict=True)])
        return [None] * len(calls)

    async def stuck(self, silent_seconds: float, limit: int) -> Sequence[Claim]:
        """Tasks that run without progress for so long, or that have lost too many workers.

        They are claimed for the caller, so that only one process fails each.
        """
        asked = ("sweeper", silent_seconds, limit, TAKE_OVER_SECONDS)
        return await self._claims(STUCK, asked)

    async def _claims(self, query: LiteralString, asked: tuple[Any, ...]) -> Sequence[Claim]:
        sent = self._time.now()
        rows = await self._database.call(query, (*self._time.asked(sent), *asked))
        self._time.heard(sent, rows[0][:4])
        claimed = (row[4:] for row in rows if row[4] is not None)
        return [Claim(row[0], row[1], row[2], Step(row[3]), *row[4:]) for row in claimed]
