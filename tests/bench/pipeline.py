"""Features a second, and how long things take, with agents that answer at once.

`python -m tests.bench.pipeline [--at-once 1 16 128] [--seconds 15]` prints one JSON line a run.
One process holds everything but PostgreSQL and NATS; PostgreSQL commits durably (fsync on). Beside
the users one reader lists 50 features and reads one, twenty times a second.

`commit_to_handler` ends where the agent begins: relay, message, task row, lease and announcement
are in it. `projection_lag` ends where the read models' transaction is committed.
"""

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psutil
import psycopg
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from application.agents.table import agent_configs_of
from application.execution.attempt import AttemptAdapters
from application.execution.hand_over import HandOver
from application.execution.load_inputs import InputLoader
from application.execution.model_access import Choice, Providers
from application.execution.runner import LEASE_SECONDS, Runner
from application.execution.worker import Worker, WorkerLimits
from application.features import CommandOutcome, Features
from application.ports import Block, Effects, Metadata, Model, ModelAnswer
from application.running.computing import Here
from domain import commands as c
from domain import events as e
from domain.runs import Tokens
from domain.status import Gate, Status
from infrastructure.artifacts import RecentFiles
from infrastructure.embedded import Stack
from infrastructure.identity.api_keys import RevealedApiKeys
from infrastructure.inspection import Inspector
from infrastructure.observability import logs
from infrastructure.postgres.migrations import migrate
from infrastructure.queue.ledger import PostgresLedger
from infrastructure.queue.tasks import PostgresTasks
from infrastructure.read_models import PostgresReadStore
from infrastructure.sealing.data_keys import DataKeys
from interface import event_loop
from interface.foundation import Foundation, addresses_of, open_foundation
from interface.http.responses.as_of import caught_up
from interface.processes import (
    database_of,
    features_of,
    open_continuity,
    open_projector,
    open_relay,
)
from interface.settings import read_settings
from tests.bench import instant

LISTED: Final = 50
READ_EVERY_SECONDS: Final = 0.05
GATES = {Status.SPEC_READY: Gate.SPEC, Status.PLAN_READY: Gate.PLAN, Status.TESTS_READY: Gate.TESTS}
Samples = dict[str, list[float]]


class InstantModel:
    """Answers before it is asked twice."""

    async def ask(self, *_: Any, **__: Any) -> ModelAnswer:
        return ModelAnswer((Block("text", "ok"),), "end_turn", Tokens(100, 100), "demo-model")

    async def check_key(self, api_key: str) -> bool | None:
        return None


class Watched(Features):
    """The write path, with a look at the clock after every commit."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.committed: dict[tuple[UUID, int], float] = {}
        self.applied: dict[UUID, int] = {}
        self.reached: dict[UUID, asyncio.Queue[Status]] = defaultdict(asyncio.Queue)

    async def write(self, feature_id: UUID, *args: Any, **named: Any) -> CommandOutcome:
        written = await super().write(feature_id, *args, **named)
        now = time.perf_counter()
        for recorded in written.recorded:
            self.committed[feature_id, recorded.version] = now
            if isinstance(recorded.event, e.SpecGenerated | e.PlanGenerated | e.TestsGenerated):
                self.reached[feature_id].put_nowait(written.feature.status or Status.FAILED)
            if isinstance(recorded.event, e.VerdictReached | e.FeatureFailed):
                self.reached[feature_id].put_nowait(written.feature.status or Status.FAILED)
        return written


def centiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {}
    last = len(ordered) - 1
    return {
        "p50_ms": round(1000 * statistics.median(ordered), 2),
        "p99_ms": round(1000 * ordered[min(last, int(0.99 * len(ordered)))], 2),
        "n": len(ordered),
    }


class Bench:
    """The service in one process, and people who approve at once."""

    def __init__(self, base: Foundation, samples: Samples) -> None:
        self.base = base
        self.samples = samples
        self.done = 0
        self.patience_seconds = 1.0
        """How long a user waits to be told before looking for himself."""

    async def open(
        self, scope: AsyncExitStack, workers: int
    ) -> list[Callable[[asyncio.Event], Awaitable[None]]]:
        base = self.base
        watch = await open_continuity(scope, base, ("worker",))
        database = await database_of(scope, base, "bp_worker", pool="worker")
        hand_over = HandOver(base.name, lease_seconds=LEASE_SECONDS, per_tenant=10_000)
        hand = hand_over if base.settings.hand_over else None
        _, log = await features_of(
            scope, base, database, "bp_worker", pool="worker-log", hand_over=hand
        )
        self.features = Watched(log, None, base.live, uuid7, in_hand=hand_over.holds)
        api = await database_of(scope, base, "bp_api", pool="api")
        self.reads = PostgresReadStore(api, watch=base.live.watch)
        self._watch_projections()
        keys = DataKeys(database, base.ring)
        tasks = PostgresTasks(database, per_tenant=10_000)
        model: Model = InstantModel()
        providers = Providers(
            Choice.DEMO, RevealedApiKeys(database, keys), model, model, agent_configs_of()
        )
        files = RecentFiles(base.artifacts)
        tools = AttemptAdapters(PostgresLedger(database, keys), files, Inspector(Here()), base.live)
        runner = Runner(
            self.features,
            tasks,
            providers,
            InputLoader(self.features, log, files, Here()),
            tools,
            agents=self.agent,
        )
        worker = Worker(base.name, tasks, runner, limits=WorkerLimits(steps_at_once=workers))
        hand_over.bind(worker)

        async def wake(stop: asyncio.Event) -> None:
            async with base.work.listen() as subscription:
                while not stop.is_set():
                    if await subscription.wait(1.0):
                        worker.wake()

        running = [watch, *await open_relay(scope, base), *await open_projector(scope, base)]
        return [*(r.run for r in running), worker.run, wake]

    async def agent(
        self, step: Any, attempt: Any, material: Any, context: Any, agent_configs: Any
    ) -> Any:
        began = time.perf_counter()
        since = material.feature.due[step]
        key = (context._claim.feature_id, since)  # noqa: SLF001
        if key in self.features.committed:
            self.samples["commit_to_handler"].append(began - self.features.committed[key])
        return await instant.instant(step, attempt, material, context, agent_configs)

    def _watch_projections(self) -> None:
        tell = self.base.live.applied

        async def applied(tenant_id: UUID, feature_id: UUID, version: int, position: int) -> None:
            now = time.perf_counter()
            for each in range(self.features.applied.get(feature_id, 0) + 1, version + 1):
                if (feature_id, each) in self.features.committed:
                    lag = now - self.features.committed[feature_id, each]
                    self.samples["projection_lag"].append(lag)
            self.features.applied[feature_id] = version
            await tell(tenant_id, feature_id, version, position)

        self.base.live.applied = applied  # type: ignore[method-assign]

    async def fill(self) -> Metadata:
        """A tenant with a page of features."""
        origin = Metadata(uuid7(), "user:reader", uuid7())
        created = [
            self.features.write(uuid7(), c.CreateFeature(f"Feature {n}"), origin, Effects())
            for n in range(LISTED)
        ]
        await asyncio.gather(*created)
        return origin

    async def read(self, origin: Metadata) -> None:
        """A reader, until cancelled."""
        while True:
            began = time.perf_counter()
            page = await self.reads.features(origin.tenant_id, limit=LISTED)
            self.samples["list_50"].append(time.perf_counter() - began)
            if page.items:
                began = time.perf_counter()
                await self.reads.feature(origin.tenant_id, page.items[0].id)
                self.samples["read_one"].append(time.perf_counter() - began)
            await asyncio.sleep(READ_EVERY_SECONDS)

    async def command(
        self, feature: UUID, command: Any, origin: Metadata, name: str
    ) -> CommandOutcome:
        began = time.perf_counter()
        written = await self.features.write(feature, command, origin, Effects())
        self.samples[name].append(time.perf_counter() - began)
        return written

    async def look(self, tenant_id: UUID, feature: UUID, version: int) -> None:
        """Read a feature as the API does when its page is opened (`load_snapshot`)."""
        standing = await self.reads.standing(tenant_id, feature)
        if standing.shown < standing.latest:
            row = await caught_up(self.features, tenant_id, feature, standing)
            assert row is not None
            assert row.version >= version

    async def reached(self, feature: UUID, origin: Metadata, seen_at: set[Status]) -> Status:
        """Where the feature stands for a person to act, at a place not seen before.

        A heartbeat may end a step between its commit and its return; then nobody tells the users
        here, who look for themselves after a while.
        """
        ends = {*GATES, Status.DONE, Status.FAILED} - seen_at
        while True:
            try:
                async with asyncio.timeout(self.patience_seconds):
                    status = await self.features.reached[feature].get()
            except TimeoutError:
                state = await self.features.load(origin.tenant_id, feature)
                status = state.status or Status.DRAFTING
            if status in ends:
                return status

    async def user(self, until: float) -> None:
        while time.perf_counter() < until:
            feature, origin = uuid7(), Metadata(uuid7(), "user:bench", uuid7())
            began = time.perf_counter()
            await self.command(feature, c.CreateFeature("Bench"), origin, "create_ack")
            await self.command(feature, c.ConfirmBrief(instant.BRIEF), origin, "confirm_ack")
            seen_at: set[Status] = set()
            while True:
                status = await self.reached(feature, origin, seen_at)
                seen_at.add(status)
                if status in GATES:
                    known = self.features.remembered(origin.tenant_id, feature)
                    assert known is not None
                    shown = known.feature.content.deliverable(GATES[status])
                    assert shown is not None
                    approve = c.Approve(GATES[status], shown.content_sha256)
                    written = await self.command(feature, approve, origin, "approve_ack")
                    seen = time.perf_counter()
                    await self.look(origin.tenant_id, feature, written.accepted.version)
                    self.samples["read_own_write"].append(time.perf_counter() - seen)
                else:
                    assert status is Status.DONE, status
                    break
            self.samples["feature_total"].append(time.perf_counter() - began)
            self.done += 1


def cpu_of(pids: Sequence[int]) -> float:
    total = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            total += times.user + times.system
    return total


async def run(
    stack: Stack,
    root: Path,
    at_once: int,
    seconds: float,
    *,
    measured: Callable[[], AbstractContextManager[None]] = nullcontext,
    hand_over: bool = True,
    by_the_clock: bool = True,
) -> dict[str, Any]:
    settings = read_settings(data_dir=root, database_url=SecretStr("postgresql:///x")).model_copy(
        update={"database_url": None, "hand_over": hand_over}
    )
    stop = asyncio.Event()
    samples: Samples = defaultdict(list)
    async with AsyncExitStack() as scope:
        base = await open_foundation(scope, settings, addresses_of(settings, stack), stop)
        bench = Bench(base, samples)
        if not by_the_clock:
            bench.patience_seconds = 60.0
        runs = await bench.open(scope, workers=max(32, at_once))
        async with asyncio.TaskGroup() as group:
            for each in runs:
                group.create_task(each(stop))
            await asyncio.wait_for(_users(bench, 1, 1.0), 30)
            samples.clear()
            bench.done = 0
            origin = await bench.fill()
            reading = asyncio.create_task(bench.read(origin) if by_the_clock else asyncio.sleep(0))
            before, postgres = time.process_time(), cpu_of([stack.pg_pid])
            began = time.perf_counter()
            with measured():
                await _users(bench, at_once, seconds)
            took = time.perf_counter() - began
            cpu = time.process_time() - before
            reading.cancel()
            await asyncio.wait({reading})
            stop.set()
        postgres = cpu_of([stack.pg_pid]) - postgres
    return {
        "at_once": at_once,
        "features_per_second": round(bench.done / took, 1),
        "features": bench.done,
        "python_cpu_ms_per_feature": round(1000 * cpu / max(1, bench.done), 1),
        "postgres_cpu_ms_per_feature": round(1000 * postgres / max(1, bench.done), 1),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        **{name: centiles(values) for name, values in sorted(samples.items())},
    }


async def _users(bench: Bench, at_once: int, seconds: float) -> None:
    until = time.perf_counter() + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(bench.user(until))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--at-once", type=int, nargs="*", default=[1, 16, 128])
    arguments.add_argument("--seconds", type=float, default=15.0)
    given = arguments.parse_args()
    logs.configure(json_lines=False, level="WARNING")
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack:
        migrate(stack.dsn)
        empty = size_of(stack)
        for at_once in given.at_once:
            figures = event_loop.run(run(stack, Path(folder), at_once, given.seconds))
            print(json.dumps(figures), flush=True)
        with psycopg.connect(stack.dsn) as connection:
            found = connection.execute(
                "SELECT count(*) FROM es.events WHERE type = 'verdict_reached'"
            ).fetchone()
        grown = (size_of(stack) - empty) / 1024 / max(1, found[0] if found else 0)
        print(json.dumps({"database_kb_per_feature": round(grown, 1)}))


def size_of(stack: Stack) -> int:
    """Bytes of the database, tables and indexes."""
    with psycopg.connect(stack.dsn) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
