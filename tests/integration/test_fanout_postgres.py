"""From a commit in PostgreSQL over NATS to a row in the queue of record, every part real."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import nats
import psycopg
import pytest
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from application.ports import Unavailable
from domain import events as e
from domain.pipeline import due_after
from domain.status import Agent, OutputMode
from infrastructure.embedded import Stack
from infrastructure.event_log import LogReader
from infrastructure.nats import (
    Fanout,
    NatsConnection,
    NatsLive,
    Reconciler,
    Relay,
    Signal,
    consumers,
    stream,
)
from infrastructure.nats.announcement import Announcement, encode, subject_of
from infrastructure.nats.dead_letters import PostgresDeadLetters
from infrastructure.nats.stream import NAME
from infrastructure.postgres.cursors import PostgresCursors
from infrastructure.postgres.database import Database
from infrastructure.postgres.migrations import migrate
from infrastructure.queue.tasks import RecordedTasks
from tests.integration.memory import until
from tests.integration.reading import World, stories, world

Due = set[tuple[UUID, int, str]]


@contextlib.asynccontextmanager
async def spreading(
    database_url: str, nats_url: str, *, relay: bool = True
) -> AsyncIterator[NatsLive]:
    """Relay, worker and sweeper in one process, each under its own role."""
    stop = asyncio.Event()
    async with (
        Database(database_url, "bp_relay", max_size=2) as relaying,
        Database(database_url, "bp_worker", max_size=4) as working,
        Database(database_url, "bp_sweeper", max_size=2) as sweeping,
        NatsConnection(nats_url, name="test", on_closed=stop.set) as connection,
        Signal(connection, "poke") as log_grown,
        Signal(connection, "work") as work,
    ):
        fanout = Fanout(
            connection, RecordedTasks(working), PostgresDeadLetters(working), on_work=work.notify
        )
        reconciler = Reconciler(
            connection,
            LogReader(sweeping),
            RecordedTasks(sweeping),
            PostgresCursors(sweeping),
            PostgresDeadLetters(sweeping),
            log_grown=log_grown,
            work=work,
        )
        async with asyncio.TaskGroup() as group:
            if relay:
                floor = PostgresCursors(relaying).get
                follower = Relay(
                    connection,
                    LogReader(relaying),
                    floor=lambda: floor("reconciler"),
                    log_grown=log_grown,
                )
                group.create_task(follower.run(stop))
            group.create_task(fanout.run(stop))
            group.create_task(reconciler.run(stop))
            try:
                yield NatsLive(connection, log_grown)
            finally:
                stop.set()


def due(feature_id: UUID, events: Sequence[e.FeatureEvent]) -> Due:
    """What a stream makes due, by the domain's own table."""
    return {
        (feature_id, version, step.value)
        for version, event in enumerate(events, start=1)
        for step in due_after(event, OutputMode.FULL_CODE)
    }


def made(truth: World) -> Due:
    rows = truth.sql("select feature_id, version, step from app.tasks")
    assert len(rows) == len(set(rows))
    return set(rows)


def caught_up(truth: World, expected: Due) -> bool:
    with contextlib.suppress(psycopg.Error):
        return made(truth) == expected
    return False


def dead(truth: World) -> list[tuple[object, ...]]:
    return truth.sql("select consumer, cause from app.dead_letters")


async def announced(nats_url: str) -> list[int]:
    """Positions in the stream, in its order."""
    client = await nats.connect(nats_url)
    try:
        streams = client.jetstream()
        state = (await streams.stream_info(NAME)).state
        found = range(state.first_seq, state.last_seq + 1) if state.messages else ()
        messages = [await streams.get_msg(NAME, seq=sequence) for sequence in found]
    except NotFoundError:
        return []
    finally:
        await client.close()
    return [int((message.headers or {})["Bp-Seq"]) for message in messages]


def in_log(truth: World) -> list[int]:
    return [row[0] for row in truth.sql("select position from es.events order by position")]


async def all_announced(truth: World, nats_url: str) -> bool:
    """Whether the last event of the log stands in the stream."""
    return (await announced(nats_url))[-1:] == in_log(truth)[-1:]


def talk(length: int) -> list[e.FeatureEvent]:
    """A feature's first events."""
    return [e.FeatureCreated(title="x"), *(e.MessagePosted(uuid7(), "x") for _ in range(1, length))]


@pytest.fixture
async def truth(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


async def test_every_due_step_of_whole_lives_becomes_a_task(truth: World, nats_url: str) -> None:
    async with spreading(truth.url, nats_url) as live:
        expected: Due = set()
        for story in stories():
            expected |= due(await truth.tell(story), story.events)
            await live.grown()
        await until(lambda: caught_up(truth, expected))
        assert len(expected) > 20
    assert not dead(truth)


async def test_the_stream_equals_a_log_that_many_write_at_once(truth: World, nats_url: str) -> None:
    async def write(feature_id: UUID) -> Due:
        events = talk(12)
        for version, event in enumerate(events):
            await truth.append(feature_id, version, event)
        return due(feature_id, events)

    async with spreading(truth.url, nats_url):
        expected = set().union(*await asyncio.gather(*(write(uuid7()) for _ in range(24))))
        await until(lambda: caught_up(truth, expected))
        await until(lambda: all_announced(truth, nats_url))
    assert await announced(nats_url) == in_log(truth)


@pytest.mark.campaign
async def test_a_relay_killed_again_and_again_announces_all_once(
    truth: World, nats_url: str
) -> None:
    feature_id, events = uuid7(), talk(200)
    for written in range(0, 200, 40):
        async with relay_alone(truth.url, nats_url) as relay:
            for version in range(written, written + 35):
                await truth.append(feature_id, version, events[version])
            await until(lambda written=written: longer_than(written, nats_url))
            for version in range(written + 35, written + 40):
                await truth.append(feature_id, version, events[version])
            relay.kill()
    async with spreading(truth.url, nats_url):
        await until(lambda: caught_up(truth, due(feature_id, events)))
        await until(lambda: all_announced(truth, nats_url))
    assert await announced(nats_url) == in_log(truth)


@contextlib.asynccontextmanager
async def relay_alone(
    database_url: str, nats_url: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a relay as a process of its own, for kill -9 leaves nobody the time to tidy up."""
    relay = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.relay_alone", stdin=asyncio.subprocess.PIPE
    )
    try:
        assert relay.stdin is not None
        relay.stdin.write(f"{database_url}\n{nats_url}\n".encode())
        await relay.stdin.drain()
        yield relay
    finally:
        with contextlib.suppress(ProcessLookupError):
            relay.kill()
        await relay.wait()


async def longer_than(length: int, nats_url: str) -> bool:
    return len(await announced(nats_url)) > length


async def test_servers_that_die_in_turn_lose_no_step_and_make_no_dead_letter(
    own_stack: Stack,
) -> None:
    migrate(own_stack.dsn)
    async with (
        world(own_stack.dsn) as truth,
        spreading(own_stack.dsn, own_stack.nats_url) as live,
    ):
        expected: Due = set()
        for round_, story in enumerate(stories() * 3):
            expected |= due(await truth.tell(story), story.events)
            await live.grown()
            if round_ % 3 == 0:
                own_stack.kill_nats()
                own_stack.restart_nats(wipe=round_ % 2 == 0)
            elif round_ % 3 == 1:
                own_stack.kill_postgres()
                own_stack.restart_postgres()
                await until(lambda: answers(truth))
        await until(lambda: caught_up(truth, expected), seconds=30)
        assert not dead(truth)


async def answers(truth: World) -> bool:
    """Whether the writing side has found PostgreSQL again."""
    with contextlib.suppress(Unavailable):
        await truth.log.read(uuid7(), uuid7())
        return True
    return False


async def test_a_message_whose_event_is_in_no_log_makes_no_task_and_no_dead_letter(
    truth: World, nats_url: str
) -> None:
    """As one that was announced before the log was set back, and delivered after."""
    lost = Announcement(1, truth.tenant, uuid7(), 2, uuid7(), "brief_confirmed", uuid7())
    async with observing(nats_url) as streams:
        await stream.ensure(streams, stream.DEFAULT_LIMITS)
        await streams.publish(subject_of(lost), encode(lost))
        with capture_logs() as said:
            async with spreading(truth.url, nats_url, relay=False):
                await until(lambda: acknowledged(streams, Agent.SPEC))
    assert made(truth) == set()
    assert not dead(truth)
    assert "message_of_no_log" in {line["event"] for line in said}


async def acknowledged(streams: JetStreamContext, agent: Agent) -> bool:
    with contextlib.suppress(NotFoundError):
        info = await streams.consumer_info(NAME, consumers.name_of(agent))
        return info.delivered.consumer_seq > 0 and info.num_ack_pending == 0
    return False


@contextlib.asynccontextmanager
async def observing(nats_url: str) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(nats_url)
    try:
        yield client.jetstream()
    finally:
        await client.close()
