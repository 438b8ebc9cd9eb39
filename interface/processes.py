"""The processes of the service: what each is made of, and which role it plays in the database.

Every process is stateless, can run several times, and ends when the common `stop` is set. `up`
runs one of each in this process.
"""

import asyncio
import sys
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import structlog

from application.agents.agent_config import AgentConfigs
from application.agents.prices import unpriced
from application.agents.table import agent_configs_of
from application.audit.orphans import OrphanWatch
from application.continuity.deletions import DeletionNotes
from application.execution.attempt import AttemptAdapters
from application.execution.fail_points import FailPoint
from application.execution.hand_over import HandOver
from application.execution.load_inputs import InputLoader
from application.execution.model_access import Choice, Providers
from application.execution.runner import Runner
from application.execution.sweeper import Sweeper
from application.execution.worker import BEATS_PER_LEASE, Worker, WorkerLimits
from application.features import Features
from application.ports import Claim, Unavailable
from application.readings import Readings
from application.transparency.tree_head_signer import TreeHeadSigner
from domain.pipeline import AGENT_OF
from infrastructure.anthropic.model import ADDRESS, AnthropicModel, retiring
from infrastructure.artifacts import RecentFiles
from infrastructure.artifacts.removals import PostgresRemovals
from infrastructure.audit.orphans import PostgresOrphans
from infrastructure.clock import utc_now
from infrastructure.computing import Pool
from infrastructure.computing.own_process import OwnProcess
from infrastructure.continuity import KeptOutside, PostgresContinuity
from infrastructure.event_log.log import PostgresEventLog
from infrastructure.event_log.reader import LogReader
from infrastructure.event_log.receipts import PostgresReceipts
from infrastructure.identity.accounts import ExpiredSessions
from infrastructure.identity.api_keys import RevealedApiKeys
from infrastructure.inspection import Inspector
from infrastructure.nats import Fanout, Reconciler, Relay, stream
from infrastructure.nats.dead_letters import PostgresDeadLetters
from infrastructure.postgres.cursors import PostgresCursors
from infrastructure.postgres.database import Database
from infrastructure.queue.finished_tasks import FinishedTasks
from infrastructure.queue.ledger import PostgresLedger
from infrastructure.queue.tasks import LINGER_SECONDS, PostgresTasks, RecordedTasks
from infrastructure.read_models import PostgresSource, Projector, Retrying
from infrastructure.sealing.data_keys import DataKeys
from infrastructure.transparency import LogKeys, PostgresLogTree
from interface.foundation import Addresses, CannotStart, Foundation, new_id
from interface.health import Servers
from interface.lasting import Run, Running
from interface.settings import Settings, surroundings

AFTER_DEADLINE_SECONDS: Final = 360.0
"""What a step in a process of its own has beyond its agent's deadline: longer than it waits for a
database that is away."""

ROLES: Final[Mapping[str, str]] = {
    "sweeper": "bp_sweeper",
    "api": "bp_api",
    "worker": "bp_worker",
    "projector": "bp_projector",
    "relay": "bp_relay",
}
"""Each process's role; of several that run in one, the first watches over the log for all."""
VOUCHING: Final = frozenset({"sweeper", "api", "worker"})
"""Processes that may append, and so can make a deletion again."""
FIRST_LOOK_SECONDS: Final = 10.0


log = structlog.get_logger(__name__)


class StepOrder(msgspec.Struct, frozen=True):
    """What a process is told that carries out one step. It holds secrets: for a pipe only."""

    settings: dict[str, Any]
    addresses: Addresses
    claim: Claim


class Crew(NamedTuple):
    """What carries out steps."""

    tasks: PostgresTasks
    runner: Runner
    agent_configs: AgentConfigs


async def database_of(
    scope: AsyncExitStack, base: Foundation, role: str, *, pool: str, shared: bool = True
) -> Database:
    """The database as one role.

    Args:
        scope: Closes it.
        base: Where it is, and how many connections a process may hold.
        role: One of `database.ROLES`.
        pool: What its connections are called in the figures.
        shared: Whether the process holds as many again for something else, such as the log.
    """
    connections = base.settings.database_connections
    size = connections - connections // 2 if shared else connections
    trust = base.continuity.trusts
    database = Database(base.addresses.database, role, max_size=size, trust=trust)
    base.figures.pool(pool, size, database.figures)
    if base.figures.servers is None:
        base.figures.servers = Servers(base.watch, database, base.nats, base.artifacts)
    return await scope.enter_async_context(database)


async def open_continuity(
    scope: AsyncExitStack, base: Foundation, names: Collection[str]
) -> Running:
    """The watch on the log: one for all that runs in this process. Looks once, if it can.

    A relay and a projector wait for another process to vouch for a database that came back.
    """
    name, role = next((name, role) for name, role in ROLES.items() if name in names)
    # No trust is asked for here: this is how it comes about.
    database = await scope.enter_async_context(Database(base.addresses.database, role, max_size=1))
    base.figures.pool("continuity", 1, database.figures)

    def log_of() -> PostgresEventLog:
        return PostgresEventLog(base.addresses.database, role, base.ring, connections=2)

    outside = KeptOutside(database, base.artifacts, log_of, new_id) if name in VOUCHING else None
    continuity = base.continuity
    continuity.bind(PostgresContinuity(database), outside)
    try:
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            await continuity.look()
    except (Unavailable, TimeoutError) as away:
        log.warning("continuity_unknown", reason=str(away))
    return Running("continuity", continuity.run)


async def features_of(
    scope: AsyncExitStack,
    base: Foundation,
    database: Database,
    role: str,
    *,
    pool: str,
    hand_over: HandOver | None = None,
) -> tuple[Features, PostgresEventLog]:
    """The one write path, as one role, with its half of the process's connections."""
    size, continuity = base.settings.database_connections // 2, base.continuity
    log = await scope.enter_async_context(
        PostgresEventLog(
            base.addresses.database,
            role,
            base.ring,
            connections=size,
            trust=continuity.trusts,
            saw=continuity.saw,
            hand_over=hand_over,
        )
    )
    base.figures.pool(pool, size, log.figures)
    features = Features(
        log,
        PostgresReceipts(database),
        base.live,
        new_id,
        turns=base.turns,
        doubt=continuity.doubt,
        readings=Readings(base.computing),
        in_hand=hand_over.holds if hand_over else lambda _: False,
    )
    continuity.on_set_back(features.forget)
    return features, log


def agent_configs_in_force(settings: Settings) -> AgentConfigs:
    """The agents' configuration with what the operator set.

    Raises:
        CannotStart: an agent, a field or a price that does not exist or fit.
    """
    try:
        return agent_configs_of(settings.agents, settings.prices, settings.prices_name)
    except (ValueError, msgspec.ValidationError) as error:
        raise CannotStart(f"BP_AGENTS or BP_PRICES: {error}") from None


def _retirement_watch(base: Foundation, agent_configs: AgentConfigs) -> Run:
    """Warn, once, about models that the provider is about to retire.

    Not before there is work: the SDK that knows takes seconds to import, and a start must not wait.
    """

    async def watch(stop: asyncio.Event) -> None:
        async with base.work.listen() as subscription:
            while not stop.is_set() and not await subscription.wait(1.0):
                continue
        if stop.is_set():
            return  # Nothing is imported only to end.
        models = {entry.model for entry in agent_configs.entries.values()}
        for model in unpriced(sorted(models), agent_configs.prices):
            log.warning("model_without_price", model=model, change="BP_PRICES")
        try:
            ending = await retiring(models)
        except Exception as error:  # noqa: BLE001 - of another SDK: nobody is warned, and that is all.
            log.warning("retirements_not_known", cause=type(error).__name__)
            ending = {}
        for model, ends in ending.items():
            log.warning("model_retires", model=model, on=ends, change="BP_AGENTS")
        await stop.wait()

    return watch


async def open_demo_model(scope: AsyncExitStack, settings: Settings) -> str | None:
    """The demo model as a server of this process; its address, or None if it is not allowed."""
    if Choice(settings.model) is Choice.ANTHROPIC:
        return None
    from infrastructure.demo_model import DemoModel  # noqa: PLC0415 - not for most.

    computing = await scope.enter_async_context(Pool(settings.computing_processes))
    model = DemoModel(pace=settings.demo_pace_seconds, computing=computing)
    url = await model.start()
    scope.push_async_callback(model.stop)
    return url


async def open_crew(
    scope: AsyncExitStack,
    base: Foundation,
    demo_url: str | None,
    hand_over: HandOver | None = None,
) -> Crew:
    """What carries steps out; `scope` closes it."""
    settings = base.settings
    database = await database_of(scope, base, "bp_worker", pool="worker")
    features, log = await features_of(
        scope, base, database, "bp_worker", pool="worker-log", hand_over=hand_over
    )
    tasks = PostgresTasks(database, per_tenant=settings.tenant_steps_at_once)
    keys = DataKeys(database, base.ring)
    agent_configs = agent_configs_in_force(settings)
    real = AnthropicModel(settings.anthropic_base_url or ADDRESS)
    scope.push_async_callback(real.close)
    demo = AnthropicModel(demo_url) if demo_url else None
    if demo is not None:
        scope.push_async_callback(demo.close)
    providers = Providers(
        Choice(settings.model), RevealedApiKeys(database, keys), real, demo, agent_configs
    )
    fail_point = FailPoint(settings.fail_point)
    files = RecentFiles(base.artifacts)
    inspector = Inspector(base.computing)
    tools = AttemptAdapters(
        PostgresLedger(database, keys), files, inspector, base.live, base.computing, fail_point
    )
    runner = Runner(
        features,
        tasks,
        providers,
        InputLoader(features, log, files, base.computing),
        tools,
        backoff_seconds=settings.pauses(),
        lease_seconds=settings.lease_seconds,
        mending_rounds=settings.mending_rounds,
    )
    return Crew(tasks, runner, agent_configs)


def _isolation(scope: AsyncExitStack, base: Foundation, agent_configs: AgentConfigs) -> OwnProcess:
    """How a step is given a process of its own."""

    def order(claim: Claim) -> bytes:
        return msgspec.json.encode(StepOrder(base.settings.plain(), base.addresses, claim))

    def seconds(claim: Claim) -> float:
        return agent_configs[AGENT_OF[claim.step]].deadline_seconds + AFTER_DEADLINE_SECONDS

    command = (sys.executable, "-m", "interface.alone")
    isolation = OwnProcess(command, surroundings(), order, seconds)
    scope.push_async_callback(isolation.close)
    return isolation


def hand_over_of(base: Foundation) -> HandOver | None:
    """From the worker's appends to the worker itself; None where it is switched off."""
    settings = base.settings
    if not settings.hand_over:
        return None
    return HandOver(
        base.name,
        lease_seconds=settings.lease_seconds,
        per_tenant=settings.tenant_steps_at_once,
    )


async def open_worker(
    scope: AsyncExitStack, base: Foundation, demo_url: str | None
) -> list[Running]:
    """A worker: carries out due steps."""
    settings = base.settings
    hand_over = hand_over_of(base)
    crew = await open_crew(scope, base, demo_url, hand_over)
    limits = WorkerLimits(
        steps_at_once=settings.steps_at_once,
        crowded=settings.tenant_steps_at_once // 4,
        alone_at_once=settings.alone_at_once,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.lease_seconds / BEATS_PER_LEASE,
        drain_seconds=settings.drain_seconds,
    )
    isolation = _isolation(scope, base, crew.agent_configs)
    worker = Worker(base.name, crew.tasks, crew.runner, limits=limits, isolation=isolation)
    if hand_over is not None:
        hand_over.bind(worker)
    base.figures.loops(worker.pulse)
    base.figures.steps(lambda: worker.busy)
    base.continuity.on_set_back(worker.let_go_of_all)

    async def work(stop: asyncio.Event) -> None:
        await worker.run(stop, base.hurry)

    async def wake(stop: asyncio.Event) -> None:
        async with base.work.listen() as subscription:
            while not stop.is_set():
                if await subscription.wait(1.0):
                    worker.wake()

    async def doubt(stop: asyncio.Event) -> None:
        async with base.cancel.listen() as subscription:
            while not (stop.is_set() and not worker.busy):
                if await subscription.wait(1.0):
                    worker.recheck_leases()

    return [
        Running("worker", work),
        Running("worker-signal", wake),
        Running("worker-doubt", doubt),
        Running("retirement-watch", _retirement_watch(base, crew.agent_configs)),
    ]


async def open_relay(scope: AsyncExitStack, base: Foundation) -> list[Running]:
    """A relay, the consumers of its messages, and the reconciler that makes up for both."""
    database = await database_of(scope, base, "bp_relay", pool="relay")
    queue = await database_of(scope, base, "bp_worker", pool="relay-queue")
    headers = LogReader(database)
    cursors = PostgresCursors(database)
    tasks = RecordedTasks(
        queue, per_tenant=base.settings.tenant_steps_at_once, linger_seconds=LINGER_SECONDS
    )

    async def floor() -> int:
        return await cursors.get("reconciler")

    limits = stream.StreamLimits(replicas=base.settings.nats_replicas)
    relay = Relay(
        base.nats,
        headers,
        floor=floor,
        log_grown=base.log_grown,
        limits=limits,
        doubt=base.continuity.doubt,
    )
    letters = PostgresDeadLetters(queue)
    fanout = Fanout(base.nats, tasks, letters, on_work=base.work.notify)
    reconciler = Reconciler(
        base.nats, headers, tasks, cursors, letters, log_grown=base.log_grown, work=base.work
    )
    base.figures.loops(relay.pulse, fanout.pulse, reconciler.pulse)
    return [
        Running("relay", relay.run),
        Running("fanout", fanout.run),
        Running("reconciler", reconciler.run),
    ]


async def open_projector(scope: AsyncExitStack, base: Foundation) -> list[Running]:
    """A projector: keeps the read models."""
    database = await database_of(scope, base, "bp_projector", pool="projector", shared=False)

    async def applied(tenant_id: UUID, feature_id: UUID, version: int, position: int) -> None:
        await base.live.applied(tenant_id, feature_id, version=version, position=position)

    source = PostgresSource(database, base.ring, base.turns)
    projector = Projector(database, source, applied=applied)
    retrying = Retrying(database, source, applied=applied)
    base.figures.loops(projector.pulse)
    base.continuity.on_set_back(projector.start_over)

    async def wake(stop: asyncio.Event) -> None:
        async with base.log_grown.listen() as subscription:
            while not stop.is_set():
                if await subscription.wait(1.0):
                    projector.notify()

    return [
        Running("projector", projector.run),
        Running("projector-signal", wake),
        Running("projector-parked", retrying.run),
    ]


async def open_sweeper(scope: AsyncExitStack, base: Foundation) -> list[Running]:
    """A sweeper: fails what is stuck, forgets what has expired, signs tree heads of the log."""
    settings = base.settings
    database = await database_of(scope, base, "bp_sweeper", pool="sweeper")
    features, _ = await features_of(scope, base, database, "bp_sweeper", pool="sweeper-log")
    removals = PostgresRemovals(database, noted_only=True)
    sweeper = Sweeper(
        features,
        PostgresTasks(database),
        removals,
        (
            PostgresReceipts(database),
            ExpiredSessions(database, utc_now),
            FinishedTasks(database, settings.keep_tasks_days),
        ),
        base.artifacts,
        stuck_after_seconds=settings.stuck_after_seconds,
        sweep_seconds=settings.sweep_seconds,
    )
    keys = LogKeys(database)
    tree_head_signer = TreeHeadSigner(
        PostgresLogTree(database),
        base.artifacts.tree_heads(),
        lambda: keys.signer(base.master),
        every_seconds=settings.checkpoint_seconds,
    )
    notes = DeletionNotes(removals, base.artifacts.destroyed(), lambda: keys.signer(base.master))
    orphans = OrphanWatch(PostgresOrphans(database, base.ring), base.artifacts)
    base.figures.loops(sweeper.pulse, tree_head_signer.pulse, notes.pulse)
    for forget in (tree_head_signer.forget, notes.forget, orphans.look_soon):
        base.continuity.on_set_back(forget)

    async def wake(stop: asyncio.Event) -> None:
        async with base.log_grown.listen() as subscription:
            while not stop.is_set():
                if await subscription.wait(1.0):
                    notes.wake()

    return [
        Running("sweeper", sweeper.run),
        Running("notary", tree_head_signer.run),
        Running("deletion-notes", notes.run),
        Running("deletion-signal", wake),
        Running("orphans", orphans.run),
    ]
