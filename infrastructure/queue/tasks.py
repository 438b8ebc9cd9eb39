"""The queue of record in PostgreSQL: rows that workers lease, each for one attempt at one step.

Invariant: every lease has a fencing token of its own, higher than all before it; whoever holds an
older one can neither prolong, end nor record.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

import structlog
from typing_extensions import override

from application.ports import Claim, DueStep, Why
from domain.pipeline import AGENT_OF
from domain.status import Agent, Step
from infrastructure.batcher import Batcher
from infrastructure.postgres.database import Database
from infrastructure.postgres.steady_clock import SteadyClock

log = structlog.get_logger(__name__)

MAX_ATTEMPTS: Final = 5
"""Leases of one task that may end without a word; after these the sweeper fails it. A step that
ends the process it runs in alone is failed at once: these are the losses of whole workers."""

PER_TENANT: Final = 8
"""Tasks of one tenant that run at once."""

MANY_STEPS: Final = 32
"""So many steps in one call are a backlog, which waits for nobody."""

LINGER_SECONDS: Final = 0.1
"""How long whoever makes up for appends waits for more to look for: the tasks are there, nearly
always, and one look serves many messages."""

PUT_OFF_SECONDS: Final = 30.0
"""The shortest pause of a task that nothing could be done about."""

TAKE_OVER_SECONDS: Final = 60.0
"""How long a sweeper that took a stuck task over has for failing it."""

ENQUEUE: Final = """
INSERT INTO app.tasks
  (task_id, tenant_id, feature_id, step, event_id, version, correlation_id, max_attempts)
SELECT d.*, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::uuid[], %s::int[], %s::uuid[]) d
ON CONFLICT (task_id) DO NOTHING RETURNING task_id
"""
ENQUEUE_HELD: Final = """
WITH asked AS (
  SELECT d.task_id, d.tenant_id, d.feature_id, d.step, d.event_id, d.version, d.correlation_id
  FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::uuid[], %s::int[], %s::uuid[])
    d (task_id, tenant_id, feature_id, step, event_id, version, correlation_id)
), held AS (
  SELECT a.task_id, a.tenant_id, a.feature_id, a.step, a.event_id, a.version, a.correlation_id
  FROM asked a JOIN es.held((SELECT array_agg(event_id) FROM asked)) h
    ON h.event_id = a.event_id AND h.tenant_id = a.tenant_id AND h.stream_id = a.feature_id
      AND h.version = a.version
), made AS (
  INSERT INTO app.tasks
    (task_id, tenant_id, feature_id, step, event_id, version, correlation_id, max_attempts)
  SELECT h.task_id, h.tenant_id, h.feature_id, h.step, h.event_id, h.version, h.correlation_id, %s
  FROM held h ORDER BY h.task_id ON CONFLICT (task_id) DO NOTHING RETURNING task_id
)
SELECT made.task_id, true FROM made
UNION ALL SELECT a.task_id, false FROM asked a WHERE a.task_id NOT IN (SELECT task_id FROM held)
"""
CLAIMED: Final = (
    "task_id, tenant_id, feature_id, step, event_id, version, correlation_id, attempt, fence, alone"
)
# Expired leases are looked for only when it is certain that nobody has just set the clock: all in
# one statement, so that nothing comes between.
IF_STEADY: Final = "CASE WHEN k.steady THEN %s ELSE 0 END"
KEPT: Final = "app.keep_time(%s, %s, %s, %s) k LEFT JOIN LATERAL"
KEEPING: Final = f"SELECT k.steady, k.at, k.jumps, k.moved, {CLAIMED} FROM {KEPT}"  # noqa: S608
CLAIM: Final = f"{KEEPING} app.lease(%s, %s, {IF_STEADY}, %s, %s, %s, %s) t ON true"
STUCK: Final = f"{KEEPING} app.stuck(%s, %s, {IF_STEADY}, %s) t ON true"
HEARTBEAT: Final = "SELECT held FROM app.beat(%s::uuid[], %s::bigint[], %s::uuid[], %s) held"
HAND_BACK: Final = "SELECT held FROM app.hand_back(%s::uuid[], %s::bigint[], %s, %s) held"
PUT_OFF: Final = "SELECT app.put_off(%s, %s, %s, %s)"
TAKE_UP: Final = """
UPDATE app.tasks SET not_before = clock_timestamp()
WHERE status = 'queued' AND not_before > clock_timestamp() AND error = ANY (%s) RETURNING task_id
"""
END: Final = """
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
        linger_seconds: float = 0.0,
    ) -> None:
        """Take a database as worker or sweeper, and the bounds of attempts and of fairness.

        Steps that are to be added wait `linger_seconds` for others, unless they are many.
        """
        self._database = database
        self._max_attempts = max_attempts
        self._per_tenant = per_tenant
        self._enqueue = Batcher(
            self._add, linger_seconds=linger_seconds, hurry=lambda steps: len(steps) >= MANY_STEPS
        )
        self._ended = Batcher(self._end)
        self._time = SteadyClock()

    async def enqueue(self, steps: Sequence[DueStep]) -> int:
        """Add the steps that are not there yet; how many were new."""
        return await self._enqueue(steps) if steps else 0

    async def _add(self, calls: Sequence[Sequence[DueStep]]) -> Sequence[int]:
        steps = {step.task_id: step for call in calls for step in call}.values()
        # One order everywhere: two appends of the same tasks wait for each other in no circle.
        rows = [
            (s.task_id, s.tenant_id, s.feature_id, s.step, s.event_id, s.version, s.correlation_id)
            for s in sorted(steps, key=lambda due: due.task_id)
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        columns[3] = [str(step) for step in columns[3]]
        new = await self._insert(columns)
        counts = []
        for call in calls:
            added = new & {step.task_id for step in call}
            new -= added  # Two calls that bring the same step: it is new once.
            counts.append(len(added))
        return counts

    async def _insert(self, columns: list[list[Any]]) -> set[UUID]:
        """Insert rows, given by columns; the ids of those that were not there."""
        return {
            row[0] for row in await self._database.call(ENQUEUE, (self._max_attempts, *columns))
        }

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

    async def heartbeat(
        self,
        worker: str,  # noqa: ARG002 - the token alone says whose a lease is.
        alive: Mapping[UUID, int],
        progressed: Sequence[UUID],
        lease_seconds: float,
    ) -> set[UUID]:
        """Prolong the leases {task: token}; note progress. Answers with those still ours."""
        if not alive:
            return set()
        asked = ([*alive], [*alive.values()], list(progressed), lease_seconds)
        return {row[0] for row in await self._database.call(HEARTBEAT, asked)}

    async def hand_back(
        self, held: Mapping[UUID, int], *, pause_seconds: float = 0.0, error: str = ""
    ) -> set[UUID]:
        """Queue tasks {task: token} again as they were claimed; those that were still ours."""
        if not held:
            return set()
        asked = ([*held], [*held.values()], pause_seconds, error)
        return {row[0] for row in await self._database.call(HAND_BACK, asked)}

    async def cancel_task(
        self, task_id: UUID, fencing_token: int, status: str, error: str = ""
    ) -> None:
        """End a task without an event (`cancelled`), if it is still ours."""
        await self._ended((task_id, fencing_token, status, error))

    async def _end(self, calls: Sequence[tuple[UUID, int, str, str]]) -> Sequence[None]:
        await self._database.call(END, [list(column) for column in zip(*calls, strict=True)])
        return [None] * len(calls)

    async def put_off(self, task_id: UUID, fencing_token: int, error: str) -> None:
        """Hand a task back that nothing can be done about here, if it is still ours."""
        await self._database.call(PUT_OFF, (task_id, fencing_token, PUT_OFF_SECONDS, error))

    async def take_up(self) -> int:
        """Let all that was put off be claimed at once; how many. For a process that starts."""
        return len(await self._database.call(TAKE_UP, ([str(why) for why in Why],)))

    async def stuck(self, silent_seconds: float, limit: int) -> Sequence[Claim]:
        """Tasks that run without progress for so long, or that have lost too many workers.

        They are claimed for the caller, so that only one process fails each.
        """
        asked = ("sweeper", silent_seconds, limit, TAKE_OVER_SECONDS)
        return await self._claims(STUCK, asked)

    async def _claims(self, query: LiteralString, asked: tuple[Any, ...]) -> Sequence[Claim]:
        sent = self._time.now()
        rows = await self._database.call(query, (*self._time.asked(sent), *asked))
        self._time.answered(sent, rows[0][:4])
        claimed = (row[4:] for row in rows if row[4] is not None)
        return [Claim(row[0], row[1], row[2], Step(row[3]), *row[4:]) for row in claimed]


class RecordedTasks(PostgresTasks):
    """The same for whoever makes tasks of messages: only of events that the log holds.

    A message of an event that is in no log, because the log was set back, makes nothing.
    """

    @override
    async def _insert(self, columns: list[list[Any]]) -> set[UUID]:
        rows = await self._database.call(ENQUEUE_HELD, (*columns, self._max_attempts))
        refused = [row[0] for row in rows if not row[1]]
        if refused:
            log.warning(
                "message_of_no_log", steps=len(refused), consequence="no task is made of it"
            )
        return {row[0] for row in rows if row[1]}
