"""The database's clock is set by an hour, forward or back: nothing is done anew, nothing stops.

The server's clock is really set, by libfaketime; ours and its own timers stay as they are. On
Debian and Ubuntu: `apt install libfaketime`; `.ci/run` installs it where it is missing.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from structlog.testing import capture_logs

from application.ports import Claim, Effects, LeaseLost, LedgerEntry, Metadata, TaskUpdate
from application.transparency.tree_head_signer import TreeHeadSigner
from domain import events as e
from domain.status import Agent
from infrastructure.artifacts.tree_heads import FolderTreeHeads
from infrastructure.embedded import process
from infrastructure.identity.signing_keys import SigningKeys
from infrastructure.postgres.database import Database
from infrastructure.postgres.migrations import FOLDER, migrate
from infrastructure.postgres.steady_clock import SteadyClock
from infrastructure.queue.ledger import PostgresLedger
from infrastructure.queue.tasks import PostgresTasks
from infrastructure.sealing import MasterKey
from infrastructure.sealing.data_keys import DataKeys
from infrastructure.transparency import LogKeys, PostgresLogTree
from tests.architecture.pages import PROJECT, text
from tests.integration.logs import MASTER_TEXT, Opened, new, new_ring, opened, posted
from tests.integration.servers import Tcp, primary
from tests.integration.test_tasks import due

pytestmark = pytest.mark.servers

ALL = tuple(Agent)
HOUR = 3600
LEASE = 2.0
"""Seconds: long enough to be beaten in time on a machine that others use, too."""
NOT_YET = 5
"""How often a queue is looked at that should have nothing."""


class Clock:
    """A server whose clock is set through a file."""

    def __init__(self, server: Tcp, file: Path) -> None:
        self.server = server
        self._file = file

    def set(self, seconds: int) -> None:
        """So far away from the real time."""
        self._file.write_text(f"{seconds:+d}\n")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clock]:
    found = sorted(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"))
    assert found, "libfaketime is missing: apt install libfaketime"
    root = tmp_path_factory.mktemp("clock")
    root.chmod(0o755)
    file = root / "offset"
    file.write_text("+0\n")
    before = process.ENVIRONMENT
    with primary(
        root / "server"
    ) as server:  # Made and filled without it: that is ten times faster.
        migrate(server.dsn)
    process.ENVIRONMENT = {
        **before,
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    try:
        with primary(root / "server") as server:
            yield Clock(server, file)
    finally:
        process.ENVIRONMENT = before


@pytest.fixture
async def queue(clock: Clock) -> AsyncIterator[tuple[PostgresTasks, PostgresTasks]]:
    """The queue as two workers see it, both for a while already; nobody else's tasks in it."""
    clock.set(0)
    with psycopg.connect(clock.server.dsn) as connection:
        connection.execute("DELETE FROM app.tasks")
        connection.execute("UPDATE app.clock SET seen = clock_timestamp()")
    async with AsyncExitStack() as stack:
        both = [
            PostgresTasks(
                await stack.enter_async_context(Database(clock.server.dsn, "bp_worker", max_size=2))
            )
            for _ in range(2)
        ]
        for tasks in both:
            assert await tasks.claim("w", ALL, limit=1, lease_seconds=LEASE) == []
        yield both[0], both[1]


async def until_claimed(tasks: PostgresTasks, worker: str) -> None:
    """What a worker does: look, and look again."""
    while not await tasks.claim(worker, ALL, limit=9, lease_seconds=LEASE):
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 5, -5], ids=["+1h", "-1h", "+5s", "-5s"])
async def test_a_step_under_way_is_not_leased_again_and_a_dead_workers_is(
    clock: Clock, queue: tuple[PostgresTasks, PostgresTasks], jump: int
) -> None:
    ours, theirs = queue
    await ours.enqueue([due(), due()])
    held = {
        c.task_id: c.fencing_token for c in await ours.claim("a", ALL, limit=2, lease_seconds=LEASE)
    }
    assert len(held) == 2
    with capture_logs() as said:
        clock.set(jump)
        for _ in range(NOT_YET):
            assert await theirs.claim("b", ALL, limit=9, lease_seconds=LEASE) == []
            assert await theirs.stuck(600, 9) == []
            assert await ours.heartbeat("a", held, [], LEASE) == {*held}
    moved = [line["seconds"] for line in said if line["event"] == "database_clock_set"]
    assert len(moved) == 1
    assert abs(moved[0] - jump) < 1.0
    # Now `a` dies: what it held is leased by another after the usual time, not an hour later.
    await until_claimed(theirs, "b")


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["+1h", "-1h"])
async def test_a_retry_waits_as_long_as_it_was_to_wait(
    clock: Clock, queue: tuple[PostgresTasks, PostgresTasks], jump: int
) -> None:
    ours, theirs = queue
    async with opened(clock.server.dsn) as log:
        origin, feature = await log.begin()
        await ours.enqueue([due(origin.tenant_id, feature)])
        [claim] = await ours.claim("a", ALL, limit=1, lease_seconds=LEASE)
        pause = TaskUpdate(claim.task_id, claim.fencing_token, "queued", retry_after_seconds=1.5)
        await log.log.append(
            feature, new(posted()), expected=1, origin=origin, effects=Effects(task=pause)
        )
        clock.set(jump)
        assert await theirs.claim("b", ALL, limit=1, lease_seconds=LEASE) == []
        await until_claimed(theirs, "b")


async def test_a_request_still_leaves_under_a_lease_that_only_seems_to_have_run_out(
    clock: Clock, queue: tuple[PostgresTasks, PostgresTasks]
) -> None:
    ours, _ = queue
    async with opened(clock.server.dsn) as log, _worker(clock) as database:
        ledger = PostgresLedger(database, DataKeys(database, new_ring()))
        origin, feature = await log.begin()
        await ours.enqueue([due(origin.tenant_id, feature)])
        [claim] = await ours.claim("a", ALL, limit=1, lease_seconds=60)

        async def announce(turn: int) -> None:
            entry = LedgerEntry(claim.task_id, 1, turn, f"{turn}" * 64)
            await ledger.announce(origin.tenant_id, feature, entry, claim.fencing_token)

        await announce(1)
        for turn, jump in enumerate((HOUR, 0, -HOUR), start=2):
            clock.set(jump)
            await announce(turn)
        # And one that has run out has: nobody beats for it.
        [other] = await _leased(ours, origin)
        entry = LedgerEntry(other.task_id, 1, 1, "9" * 64)
        while await _taken(ledger, origin, feature, entry, other.fencing_token):
            await asyncio.sleep(0.1)


async def _taken(
    ledger: PostgresLedger, origin: Metadata, feature: UUID, entry: LedgerEntry, fencing_token: int
) -> bool:
    try:
        await ledger.announce(origin.tenant_id, feature, entry, fencing_token)
    except LeaseLost:
        return False
    return True


async def _leased(tasks: PostgresTasks, origin: Metadata) -> Sequence[Claim]:
    await tasks.enqueue([due(origin.tenant_id)])
    return await tasks.claim("c", ALL, limit=1, lease_seconds=0.5)


def _worker(clock: Clock) -> Database:
    return Database(clock.server.dsn, "bp_worker", max_size=2)


async def test_nobody_watched_while_the_clock_was_set_back(
    clock: Clock, queue: tuple[PostgresTasks, PostgresTasks]
) -> None:
    """All processes were down: the database itself remembers what it has seen."""
    ours, _ = queue
    await ours.enqueue([due()])
    clock.set(-HOUR)
    async with _worker(clock) as database:
        await until_claimed(PostgresTasks(database), "new")


async def test_tokens_events_receipts_and_signed_heads_go_on(
    clock: Clock, queue: tuple[PostgresTasks, PostgresTasks], tmp_path: Path
) -> None:
    master = MasterKey.from_text(MASTER_TEXT)
    dsn = clock.server.dsn
    async with (
        opened(dsn) as log,
        Database(dsn, "bp_api", max_size=1) as api,
        Database(dsn, "bp_sweeper", max_size=1) as sweeper,
    ):
        keys, store = SigningKeys(api, master), FolderTreeHeads(tmp_path)
        await keys.load()
        await keys.rotate()
        tree, signing = PostgresLogTree(sweeper), LogKeys(sweeper)
        tree_head_signer = TreeHeadSigner(
            tree, store, lambda: signing.signer(master), every_seconds=1
        )
        heads = 0
        for jump in (0, HOUR, -HOUR, 0):
            clock.set(jump)
            assert len((await keys.keys())["keys"]) == 2
            origin, feature = await log.begin()
            await log.log.append(feature, new(e.FeatureRenamed("B")), expected=1, origin=origin)
            while len(await store.list()) == heads:
                await tree_head_signer.round(0.5)
            heads = len(await store.list())
        streams = await _times(log)
        assert len(streams) >= 4
        assert all(times == sorted(times) for times in streams.values())
    assert queue


async def _times(log: Opened) -> dict[UUID, list[datetime]]:
    """When the events of each stream were recorded, in their order."""
    streams: dict[UUID, list[datetime]] = {}
    for event in await log.everything():
        streams.setdefault(event.feature_id, []).append(event.recorded_at)
    return streams


# The arithmetic, without any server.


def test_a_slow_answer_is_no_set_clock() -> None:
    now = [0.0]
    clock = SteadyClock(lambda: now[0])
    at = _time(0)
    assert clock.answered(0.0, (True, at, 0, 0.0))
    sent = 1.0
    now[0] = 6.0  # The answer took five seconds, and the database was asked at the end of them.
    assert clock.asked(sent)[1] == 1.0
    assert not clock.answered(sent, (False, _time(5.9), 0, 0.0))
    assert clock.asked(6.5) == (_time(5.9), 0.5, 0, 0.0)


def test_a_clock_set_forward_is_told_once_and_by_how_much() -> None:
    now = [0.0]
    clock = SteadyClock(lambda: now[0])
    clock.answered(0.0, (True, _time(0), 0, 0.0))
    now[0] = 1.1
    assert not clock.answered(1.0, (False, _time(3601), 0, 0.0))
    since, elapsed, jumps, ahead = clock.asked(1.2)
    assert (since, elapsed, jumps) == (_time(0), 1.2, 0)
    assert abs(ahead - 3600) < 0.2
    now[0] = 1.3
    assert clock.answered(1.2, (True, _time(3601.2), 1, 3599.9))
    assert clock.asked(2.0)[2:] == (1, 0.0)


def _time(seconds: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


# Nothing new is compared with the database's clock in silence.

MOVED_ALONG = {"lease_until", "not_before", "last_progress_at"}
OFF_BY_THE_JUMP = {
    "created_at",  # Receipts: remembered for 23 to 25 hours. What is put off: how long it pauses.
    "retry_at",  # What waits aside: tried again earlier or later, by an hour at most.
    "retired_at",  # Signing keys: published for a day, needed for minutes.
    "finished_at",  # Finished tasks: kept for days; how many failed lately, as it is shown.
    "grown_at",  # The tree: an age below 0 counts as old enough.
    "recorded_at",  # How long events wait for a signed head, as it is shown.
    "requested_at",  # How long files of deleted features wait, as it is shown.
    "oldest",  # app.figures: the same, and of steps.
    "deadline",  # es.safe_upto: a reader's patience, bounded by its statement's own.
    "seen",  # app.keep_time itself.
    "xact_start",  # For how long somebody has been in a migration's way, as it is shown.
}
NOW = r"(?:clock_timestamp|statement_timestamp)\(\)"
COMPARED = re.compile(
    rf"(\w+)\s*(?:<=|>=|<|>)\s*{NOW}|{NOW}\s*(?:<=|>=|<|>|-)\s*(?:\w+\.)?(\w+)|(\w+)\s*-\s*{NOW}"
)


def test_every_time_that_is_compared_with_the_databases_clock_is_accounted_for() -> None:
    files = [*FOLDER.glob("*.sql"), *(PROJECT / "infrastructure").rglob("*.py")]
    found = {
        name
        for path in files
        if "demo_model" not in path.parts
        for match in COMPARED.finditer(path.read_text(encoding="utf-8"))
        for name in match.groups()
        if name is not None and name not in {"make_interval", "interval"}
    }
    assert found >= MOVED_ALONG
    assert found - MOVED_ALONG <= OFF_BY_THE_JUMP
    assert "set by an hour" in text("docs/operations.md")
