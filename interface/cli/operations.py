"""What operators do from the command line: look, verify, replay, rebuild, decide on dead letters.

They change features through the same write path as everybody, and the log says who it was.
"""

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Any, Final
from uuid import UUID

from msgspec import to_builtins
from msgspec.structs import asdict

from application.continuity.watch import Continuity
from application.features import Features
from application.ports import Unreadable
from domain import commands as c
from domain.errors import Refused
from infrastructure.continuity import KeptOutside, PostgresContinuity
from infrastructure.embedded import Stack
from infrastructure.embedded.errors import FolderInUse
from infrastructure.event_log import ChainBroken, verify_chain
from infrastructure.event_log.log import PostgresEventLog
from infrastructure.event_log.reader import LogReader
from infrastructure.event_log.receipts import PostgresReceipts
from infrastructure.nats import NatsLive, Signal
from infrastructure.nats.announcement import due_steps
from infrastructure.nats.dead_letters import NoSuchDeadLetter, PostgresDeadLetters
from infrastructure.postgres.database import Database
from infrastructure.postgres.migrations import migrate as apply_migrations
from infrastructure.postgres.operating import PostgresOperating
from infrastructure.postgres.standing import DatabaseStanding, look
from infrastructure.queue.tasks import PostgresTasks
from infrastructure.read_models import PostgresSource, Rebuilder, RebuildProgress
from infrastructure.read_models import status as read_model_status
from infrastructure.sealing.data_keys import KeyRing
from interface.cli.console import fail, progress, say, show
from interface.cli.up import refusing
from interface.foundation import (
    Addresses,
    CannotStart,
    addresses_of,
    configured,
    master_key,
    new_id,
    read_note,
    store_of,
)
from interface.processes import ROLES
from interface.settings import Settings

CONNECTIONS: Final = 2

LISTED: Final = 500

Rows = Sequence[Mapping[str, Any]]


class EventLost(Refused):
    """The log holds no such event: it was set back. Discard the dead letter."""

    code = "not_found"


class OperatorContext:
    """An operator's access to the servers, in one role, for one command."""

    def __init__(self, settings: Settings, addresses: Addresses, database: Database) -> None:
        self.settings = settings
        self.addresses = addresses
        self.database = database
        self.operator = f"operator:{getpass.getuser()}"

    def ring(self) -> KeyRing:
        """The data keys, under the master key."""
        return KeyRing(master_key(self.settings))

    @property
    def ask(self) -> PostgresOperating:
        """What can be asked over all tenants."""
        return PostgresOperating(self.database)


def act(role: str, work: Callable[[OperatorContext], Awaitable[int]]) -> int:
    """Find the servers (or start them for as long as it takes) and do the work."""

    def command() -> int:
        settings = configured(log_level="warning")
        with ExitStack() as servers:
            addresses = _servers(settings, servers)
            return asyncio.run(_in_role(settings, addresses, role, work))

    return refusing(command)


def _servers(settings: Settings, servers: ExitStack) -> Addresses:
    if settings.database_url is not None and settings.nats_url is not None:
        seen = look(settings.database_url.get_secret_value())
        if seen.standing is not DatabaseStanding.READY:
            raise CannotStart(seen.sentence())
        return addresses_of(settings, None)
    try:
        stack = servers.enter_context(Stack(settings.data_dir))
    except FolderInUse:
        noted = read_note(settings)
        if noted is None:
            raise
        return noted
    addresses = addresses_of(settings, stack)
    apply_migrations(addresses.database)
    return addresses


async def _in_role(
    settings: Settings,
    addresses: Addresses,
    role: str,
    work: Callable[[OperatorContext], Awaitable[int]],
) -> int:
    await _vouched(settings, addresses)
    async with Database(addresses.database, role, max_size=CONNECTIONS) as database:
        try:
            return await work(OperatorContext(settings, addresses, database))
        except (Refused, NoSuchDeadLetter, Unreadable) as refusal:
            fail(str(refusal))
            return 1


async def _vouched(settings: Settings, addresses: Addresses) -> None:
    """As every process, no command works on a database that came back before somebody looked."""
    role = ROLES["sweeper"]

    def log_of() -> PostgresEventLog:
        ring = KeyRing(master_key(settings))
        return PostgresEventLog(addresses.database, role, ring, connections=2)

    async with Database(addresses.database, role, max_size=1) as database:
        here = PostgresContinuity(database)
        if (await here.look(())).vouched:
            return
        async with store_of(settings, addresses) as store:
            continuity = Continuity("command")
            continuity.bind(here, KeptOutside(database, store, log_of, new_id))
            await continuity.look()


def migrate() -> int:
    """Apply what is missing."""

    def command() -> int:
        settings = configured(log_level="warning")
        if settings.database_url is None:
            raise CannotStart("BP_DATABASE_URL must be set; `up` migrates the embedded database.")
        applied = apply_migrations(settings.database_url.get_secret_value())
        for line in applied or ("The schema is up to date.",):
            say(line)
        return 0

    return refusing(command)


def features(*, as_json: bool) -> int:
    """The newest features of all tenants."""

    async def work(context: OperatorContext) -> int:
        listed = [asdict(one) for one in await context.ask.newest_features(LISTED)]
        show(listed, as_json=as_json, empty="There are no features yet.")
        return 0

    return act("bp_projector", work)


def replay(feature_id: UUID, version: int) -> int:
    """Append the replay, as this operator."""

    async def work(context: OperatorContext) -> int:
        tenant_id = (await context.ask.stream(feature_id)).tenant_id
        async with AsyncExitStack() as scope:
            write = await _features(context, scope)
            accepted = await write.do(
                feature_id,
                c.ReplayFeature(version),
                tenant_id=tenant_id,
                actor=context.operator,
                correlation_id=new_id(),
            )
        say(f"{feature_id} is {accepted.status} again, at version {accepted.version}.")
        return 0

    return act("bp_sweeper", work)


def fork(feature_id: UUID, version: int) -> int:
    """Append the fork's beginning, as this operator."""

    async def work(context: OperatorContext) -> int:
        tenant_id = (await context.ask.stream(feature_id)).tenant_id
        async with AsyncExitStack() as scope:
            write = await _features(context, scope)
            accepted = await write.fork(
                feature_id,
                new_id(),
                c.ForkFeature(version),
                tenant_id=tenant_id,
                actor=context.operator,
                correlation_id=new_id(),
            )
        say(f"{accepted.id} is {accepted.status}, forked from {feature_id}.")
        return 0

    return act("bp_sweeper", work)


async def _features(context: OperatorContext, scope: AsyncExitStack) -> Features:
    """The one write path, for as long as `scope` is open."""
    log = await scope.enter_async_context(
        PostgresEventLog(context.addresses.database, "bp_sweeper", context.ring())
    )
    live = NatsLive(None, await scope.enter_async_context(Signal(None, "poke")))
    return Features(log, PostgresReceipts(context.database), live, new_id)


def log_show(feature_id: UUID, *, as_json: bool) -> int:
    """The headers of a feature's events."""

    async def work(context: OperatorContext) -> int:
        tenant_id = (await context.ask.stream(feature_id)).tenant_id
        rows = await LogReader(context.database).of_feature_raw(tenant_id, feature_id)
        listed = [
            {
                "version": row.version,
                "type": row.type,
                "actor": row.actor,
                "recorded_at": row.recorded_at.isoformat(),
                "event_id": str(row.event_id),
                "correlation_id": str(row.correlation_id),
                "hash": row.hash.hex(),
            }
            for row in rows
        ]
        show(listed, as_json=as_json, empty="There is nothing in the log.")
        return 0

    return act("bp_projector", work)


def log_verify(feature_id: UUID, *, as_json: bool) -> int:
    """Recompute the chain."""

    async def work(context: OperatorContext) -> int:
        head = await context.ask.stream(feature_id)
        rows = await LogReader(context.database).of_feature_raw(head.tenant_id, feature_id)
        report = {"valid": True, "events": len(rows), "head": head.head_hash.hex(), "broken": None}
        try:
            verify_chain(rows, head=(head.version, head.head_hash))
        except ChainBroken as broken:
            report |= {"valid": False, "broken": str(broken)}
        show([report], as_json=as_json, empty="")
        return 0 if report["valid"] else 1

    return act("bp_projector", work)


def projections_status(*, as_json: bool) -> int:
    """Every generation of every read model."""

    async def work(context: OperatorContext) -> int:
        found = await read_model_status(context.database)
        rows = [to_builtins(row) for row in found]
        show(rows, as_json=as_json, empty="No projector has run yet.")
        return 0

    return act("bp_projector", work)


def projections_rebuild(name: str) -> int:
    """Rebuild beside what is shown, then switch."""

    async def work(context: OperatorContext) -> int:
        rebuilder = Rebuilder(context.database, PostgresSource(context.database, context.ring()))
        last: list[RebuildProgress] = []

        def told(now: RebuildProgress) -> None:
            last[:] = [now]
            share = now.position / max(now.goal, 1)
            progress(f"{share:6.1%} {now.position:,} of {now.goal:,}, {now.rate:,.0f} events/s")

        try:
            await rebuilder.rebuild(None if name == "all" else [name], told)
        except KeyError:
            fail(f"There is no read model {name}. `projections status` lists them.")
            return 1
        done = last[-1] if last else None
        say()
        if done:
            say(f"rebuilt {name}: {done.events:,} events, {done.rate:,.0f} a second")
        return 0

    return act("bp_projector", work)


def dead_letters_requeue(letter_id: UUID) -> int:
    """Make the tasks after all, then note it."""

    async def work(context: OperatorContext) -> int:
        letters = PostgresDeadLetters(context.database)
        waiting = {letter.id: letter for letter in await letters.list(limit=10_000)}
        letter = waiting.get(letter_id)
        if letter is None:
            raise NoSuchDeadLetter(NoSuchDeadLetter.__doc__)
        made = 0
        async with Database(context.addresses.database, "bp_relay", max_size=1) as relay:
            found = await LogReader(relay).after(letter.position - 1, 1)
            if not found or found[0].event_id != letter.event_id:
                raise EventLost(EventLost.__doc__)
            made += await PostgresTasks(context.database).enqueue(due_steps(found[0]))
        await letters.requeue(letter_id, context.operator)
        say(f"requeued; {made} new tasks")
        return 0

    return act("bp_worker", work)


def dead_letters_discard(letter_id: UUID) -> int:
    """Note that nothing shall come of it."""

    async def work(context: OperatorContext) -> int:
        letter = await PostgresDeadLetters(context.database).discard(letter_id, context.operator)
        say(f"discarded {letter.id}")
        return 0

    return act("bp_worker", work)
