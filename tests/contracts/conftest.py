"""The adapters around the log, real and in memory, for the contracts they share.

Invariant: a test sees one of the two, and cannot tell which but by its name.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from application.ports import EventLog, Ledger, Metadata, Receipts, Tasks
from infrastructure.event_log import PostgresEventLog
from infrastructure.event_log.receipts import PostgresReceipts
from infrastructure.postgres.database import Database
from infrastructure.queue.ledger import PostgresLedger
from infrastructure.queue.tasks import PostgresTasks
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import DataKeys, KeyRing
from tests.fakes import Clock, MemoryLedger, MemoryLog, MemoryReceipts, MemoryTasks
from tests.integration.copies import cut

MAX_ATTEMPTS = 2
PER_TENANT = 2


@dataclass
class Adapters:
    """One set of adapters that belong together."""

    log: EventLog
    tasks: Tasks
    receipts: Receipts
    ledger: Ledger
    silent_for: Callable[[UUID, float], Awaitable[None]]
    """Put the last progress of a running task so many seconds back."""
    forget_receipts: Callable[[], Awaitable[int]]
    """What the sweeper does with old ones; how many there were."""
    a_day_later: Callable[[], Awaitable[None]]
    """Let receipts become a day older."""
    set_back: Callable[[int], Awaitable[None]]
    """Take every event behind a position from the log."""

    @staticmethod
    def origin(tenant_id: UUID | None = None) -> Metadata:
        return Metadata(tenant_id or uuid7(), "user:somebody", uuid7())


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
async def adapters(request: pytest.FixtureRequest) -> AsyncIterator[Adapters]:
    """Give the log and what shares its transactions."""
    if request.param == "memory":
        clock = Clock()
        tasks = MemoryTasks(clock, max_attempts=MAX_ATTEMPTS, per_tenant=PER_TENANT)
        receipts = MemoryReceipts(clock)

        async def silent_in_memory(task_id: UUID, seconds: float) -> None:
            tasks.rows[task_id].progress_at = clock() - timedelta(seconds=seconds)

        async def a_day_later_in_memory() -> None:
            clock.turn(timedelta(days=1).total_seconds())

        log = MemoryLog(clock, tasks, receipts)

        async def set_back_in_memory(position: int) -> None:
            log.set_back(position)

        yield Adapters(
            log,
            tasks,
            receipts,
            MemoryLedger(tasks, log),
            silent_in_memory,
            receipts.forget_old,
            a_day_later_in_memory,
            set_back_in_memory,
        )
        return
    url = request.getfixturevalue("database")
    ring = KeyRing(MasterKey.from_text(MasterKey.generate_text()))
    async with AsyncExitStack() as opened:
        log = await opened.enter_async_context(PostgresEventLog(url, "bp_worker", ring))
        database = await opened.enter_async_context(Database(url, "bp_worker", max_size=4))

        async def silent(task_id: UUID, seconds: float) -> None:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as superuser:
                await superuser.execute(
                    "UPDATE app.tasks SET last_progress_at = last_progress_at"
                    " - make_interval(secs => %s) WHERE task_id = %s",
                    (seconds, task_id),
                )

        async def forget_receipts() -> int:
            async with Database(url, "bp_sweeper", max_size=1) as sweeping:
                return await PostgresReceipts(sweeping).forget_old()

        async def a_day_later() -> None:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as superuser:
                await superuser.execute(
                    "UPDATE app.receipts SET created_at = created_at - interval '1 day'"
                )

        async def set_back(position: int) -> None:
            cut(url, position)

        yield Adapters(
            log,
            PostgresTasks(database, max_attempts=MAX_ATTEMPTS, per_tenant=PER_TENANT),
            PostgresReceipts(database),
            PostgresLedger(database, DataKeys(database, ring)),
            silent,
            forget_receipts,
            a_day_later,
            set_back,
        )
