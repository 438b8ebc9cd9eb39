"""From an announcement to a task row: at least once from NATS, exactly once in the queue."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from uuid import uuid5

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig
from nats.js.errors import NotFoundError

from domain.events import tag_of
from domain.pipeline import AGENT_OF, DUE_AFTER
from domain.status import Agent, Step
from infrastructure.embedded import Stack
from infrastructure.nats import (
    Fanout,
    NatsConnection,
    Reconciler,
    Relay,
    Signal,
    consumers,
    delivery,
)
from infrastructure.nats.announcement import TAGS, encode, subject_of, tags_for
from infrastructure.nats.stream import NAME
from tests.integration.memory import (
    MemoryDeadLetters,
    MemoryHeader,
    MemoryLog,
    MemoryPositions,
    MemoryTasks,
    until,
)


class World:
    """A log and a queue in memory around a real NATS."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.log = MemoryLog()
        self.tasks = MemoryTasks()
        self.dead = MemoryDeadLetters()
        self.positions = MemoryPositions()
        self.reconciler: Reconciler | None = None
        self.woken = 0
        self.closed = False

    def wake(self) -> None:
        self.woken += 1

    def due(self) -> list[tuple[object, Step]]:
        """What the log says is due."""
        tags = {tag_of(event): steps for event, steps in DUE_AFTER.items()}
        return sorted(
            (header.event_id, step)
            for header in self.log.events
            for step in (header.resume or tags.get(header.type, ()))
        )

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[NatsConnection]:
        async with NatsConnection(
            self.url, name="test", on_closed=lambda: setattr(self, "closed", True)
        ) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def running(
        self, *, relay: bool = True, fanout: bool = True, reconciler: bool = False
    ) -> AsyncIterator[Fanout]:
        stop = asyncio.Event()
        async with (
            self.connection() as connection,
            Signal(connection, "poke") as log_grown,
            Signal(connection, "work") as work,
            asyncio.TaskGroup() as group,
        ):
            serving = Fanout(connection, self.tasks, self.dead, on_work=self.wake)
            if relay:
                floor = self.positions.get
                follower = Relay(
                    connection, self.log, floor=lambda: floor("reconciler"), log_grown=log_grown
                )
                group.create_task(follower.run(stop))
            if fanout:
                group.create_task(serving.run(stop))
            if reconciler:
                self.reconciler = Reconciler(
                    connection,
                    self.log,
                    self.tasks,
                    self.positions,
                    self.dead,
                    log_grown=log_grown,
                    work=work,
                )
                group.create_task(self.reconciler.run(stop))
            try:
                yield serving
            finally:
                stop.set()
        assert not self.closed

    @contextlib.asynccontextmanager
    async def streams(self) -> AsyncIterator[JetStreamContext]:
        client = await nats.connect(self.url)
        try:
            yield client.jetstream()
        finally:
            await client.close()

    async def announce(self, streams: JetStreamContext, header: MemoryHeader, body: bytes) -> None:
        headers = {"Nats-Msg-Id": str(header.event_id), "Bp-Seq": str(header.position)}
        await streams.publish(subject_of(header), body, headers=headers)


@pytest.fixture
def world(nats_url: str) -> World:
    return World(nats_url)


@pytest.fixture
def own_world(own_stack: Stack) -> World:
    return World(own_stack.nats_url)


async def create_stream(streams: JetStreamContext) -> None:
    await streams.add_stream(StreamConfig(name=NAME, subjects=["evt.>"]))


async def settled(streams: JetStreamContext) -> bool:
    """Whether no consumer has anything left to deliver or to acknowledge."""
    try:
        found = [await streams.consumer_info(NAME, consumers.name_of(agent)) for agent in Agent]
    except NotFoundError:
        return False
    return all(info.num_pending == 0 and info.num_ack_pending == 0 for info in found)


async def test_every_due_step_becomes_exactly_one_task(world: World) -> None:
    world.log.append(*sorted(TAGS - {"feature_retried", "feature_replayed"}) * 3)
    world.log.append("feature_replayed", resume=(Step.SECURITY_REVIEW, Step.CODE_REVIEW))
    world.log.append("feature_retried", resume=(Step.IMPLEMENT,))
    world.log.append("feature_replayed", resume=())
    async with world.running():
        await until(lambda: world.tasks.made() == world.due())
    assert world.woken > 0
    assert not world.dead.letters
    for task_id, row in world.tasks.rows.items():
        assert task_id == uuid5(row.event_id, row.step.value)


async def test_each_agent_hears_only_of_events_that_can_concern_it() -> None:
    for agent in Agent:
        for event, steps in DUE_AFTER.items():
            concerned = agent in {AGENT_OF[step] for step in steps}
            assert (tag_of(event) in tags_for(agent)) == concerned
        assert {"feature_retried", "feature_replayed"} <= set(tags_for(agent))


async def test_a_message_delivered_again_makes_no_second_task(world: World) -> None:
    world.log.append("brief_confirmed", "spec_generated")
    async with world.streams() as streams:
        async with world.running():
            await until(lambda: world.tasks.made() == world.due())
            await until(lambda: settled(streams))
        for agent in Agent:
            await streams.delete_consumer(NAME, consumers.name_of(agent))
        calls = world.tasks.calls
        async with world.running() as again:
            await until(lambda: again.handled == 3)
        assert world.tasks.calls > calls
        assert world.tasks.made() == world.due()


async def test_two_processes_share_the_messages(world: World) -> None:
    async with world.running() as one, world.running(relay=False) as other:
        for _ in range(100):
            world.log.append("message_posted", "plan_generated")
            await asyncio.sleep(0)
        await until(lambda: world.tasks.made() == world.due())
        await until(lambda: one.handled + other.handled >= 200)
        assert one.handled + other.handled == 200


async def test_what_cannot_be_read_becomes_a_dead_letter_at_the_third_delivery(
    world: World,
) -> None:
    async with world.streams() as streams:
        await create_stream(streams)
        [poison] = world.log.append("message_posted")
        await world.announce(streams, poison, b'{"position": ')
        [good] = world.log.append("message_posted")
        await world.announce(streams, good, encode(good))
        async with world.running(relay=False) as fanout:
            await until(lambda: len(world.dead.letters) == 1)
            await until(lambda: settled(streams))
            assert fanout.dead == 1
        [(consumer, event_id, subject, position, deliveries, cause)] = world.dead.letters
        assert consumer == "agent-ba"
        assert (event_id, position) == (poison.event_id, poison.position)
        assert subject == subject_of(poison)
        assert deliveries == 3
        assert cause.startswith("DecodeError")
        assert world.tasks.made() == [(good.event_id, Step.CONVERSE)]


async def test_a_message_that_names_no_event_becomes_a_dead_letter_too(world: World) -> None:
    async with world.streams() as streams:
        await create_stream(streams)
        subject = f"evt.{world.log.tenant_id}.message_posted.{world.log.tenant_id}"
        await streams.publish(subject, b"{}")
        await streams.publish(subject, b"[]", headers={"Nats-Msg-Id": "*", "Bp-Seq": "-"})
        event = str(world.log.tenant_id)
        await streams.publish(subject, b"1", headers={"Nats-Msg-Id": event, "Bp-Seq": "9" * 30})
        async with world.running(relay=False):
            await until(lambda: len(world.dead.letters) == 3)
    assert {letter[3] for letter in world.dead.letters} == {0}
    assert len({letter[1] for letter in world.dead.letters}) == 3


async def test_a_task_that_the_database_refuses_stops_no_other(world: World) -> None:
    events = world.log.append(*["brief_confirmed"] * 40)
    poison = events[17]
    world.tasks.refuses = {poison.event_id}
    async with world.running():
        await until(lambda: len(world.dead.letters) == 1)
        await until(lambda: len(world.tasks.rows) == 39)
    [(_, event_id, _, _, deliveries, cause)] = world.dead.letters
    assert (event_id, deliveries) == (poison.event_id, 3)
    assert cause == f"ValueError: no feature {poison.feature_id}"


async def test_what_nobody_answered_for_three_times_is_handled_or_becomes_a_dead_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process died at every delivery."""
    monkeypatch.setattr(consumers, "ACK_WAIT_SECONDS", 0.2)
    healthy, poison = world.log.append("message_posted", "message_posted")
    async with world.streams() as streams:
        await create_stream(streams)
        await world.announce(streams, healthy, encode(healthy))
        await world.announce(streams, poison, b"?")
        await consumers.ensure(streams, Agent.BA)
        dying = await streams.pull_subscribe_bind("agent-ba", NAME)
        last = []
        while len(last) < 2:
            fetched = await dying.fetch(2, timeout=5)
            last += [message for message in fetched if message.metadata.num_delivered == 3]
        await dying.unsubscribe()
        async with world.running(relay=False):
            await until(lambda: len(world.dead.letters) == 1)
            await until(lambda: world.tasks.made() == [(healthy.event_id, Step.CONVERSE)])
            await until(lambda: settled(streams))
    [(_, event_id, _, position, deliveries, _)] = world.dead.letters
    assert (event_id, position, deliveries) == (poison.event_id, poison.position, 3)


async def test_an_event_that_the_database_refuses_does_not_stop_the_reconciler(
    world: World,
) -> None:
    events = world.log.append("brief_confirmed", "event_of_a_later_version", "brief_confirmed")
    world.tasks.refuses = {events[0].event_id}
    async with world.running(relay=False, fanout=False, reconciler=True):
        last = events[-1].position
        await until(lambda: world.positions.stored.get("reconciler") == last)
    assert world.tasks.made() == [(events[2].event_id, Step.SPEC)]
    assert [(letter[0], letter[1]) for letter in world.dead.letters] == [
        ("reconciler", events[0].event_id),
        ("reconciler", events[1].event_id),
    ]


async def test_an_outage_of_the_database_makes_no_dead_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lasts longer than three acknowledgement waits together."""
    monkeypatch.setattr(consumers, "ACK_WAIT_SECONDS", 1.0)
    monkeypatch.setattr(delivery, "KEEP_ALIVE_SECONDS", 0.25)
    monkeypatch.setattr(delivery, "AGAIN_SECONDS", (0.05, 0.1))
    world.log.append(*["message_posted"] * 300)
    world.tasks.down = True
    async with world.running() as fanout, world.streams() as streams:
        await until(lambda: world.tasks.calls > 5)
        ends = asyncio.get_running_loop().time() + 4.5
        await until(lambda: asyncio.get_running_loop().time() > ends)
        assert not world.tasks.rows
        info = await streams.consumer_info(NAME, "agent-ba")
        assert info.num_redelivered == 0
        world.tasks.down = False
        await until(lambda: world.tasks.made() == world.due())
        await until(lambda: settled(streams))
        assert fanout.handled == 300
    assert not world.dead.letters


async def test_a_configuration_that_drifted_is_repaired(world: World) -> None:
    drifted = ConsumerConfig(
        name="agent-spec",
        durable_name="agent-spec",
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=5,
        max_deliver=9,
        backoff=[1, 2],
        filter_subjects=["evt.*.title_changed.*"],
    )
    async with world.streams() as streams:
        await create_stream(streams)
        await streams.add_consumer(NAME, drifted)
        await streams.add_consumer(
            NAME,
            ConsumerConfig(
                name="agent-ba",
                durable_name="agent-ba",
                ack_policy=AckPolicy.NONE,
                deliver_policy=DeliverPolicy.NEW,
            ),
        )
        world.log.append("message_posted", "brief_confirmed")
        async with world.running():
            await until(lambda: world.tasks.made() == world.due())
        for agent in (Agent.SPEC, Agent.BA):
            config = (await streams.consumer_info(NAME, consumers.name_of(agent))).config
            assert config.ack_policy == AckPolicy.EXPLICIT
            assert config.ack_wait == 30
            assert config.max_deliver == 3
            assert not config.backoff
            assert config.deliver_policy == DeliverPolicy.ALL
            assert sorted(config.filter_subjects or ()) == [
                f"evt.*.{tag}.*" for tag in tags_for(agent)
            ]


async def test_a_configuration_as_it_should_be_is_left_alone(world: World) -> None:
    async with world.streams() as streams:
        await create_stream(streams)
        for agent in Agent:
            await consumers.ensure(streams, agent)
        made = [await streams.consumer_info(NAME, consumers.name_of(agent)) for agent in Agent]
        for info in made:
            assert info.config.max_deliver == 3
        told: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(consumers.log, "warning", lambda event, **_: told.append(event))
            for agent in Agent:
                await consumers.ensure(streams, agent)
        assert told == []


async def test_without_nats_the_reconciler_makes_the_tasks(
    own_world: World, own_stack: Stack
) -> None:
    world = own_world
    async with world.running(reconciler=True):
        world.log.append("brief_confirmed")
        await until(lambda: world.tasks.made() == world.due())
        own_stack.kill_nats()
        world.log.append("message_posted", "spec_approved", "implementation_completed")
        await until(lambda: world.tasks.made() == world.due(), seconds=10)
        last = world.log.events[-1].position
        await until(lambda: world.positions.stored["reconciler"] == last)


async def test_a_nats_that_answers_nothing_delays_the_work_by_seconds_only(
    own_world: World, own_stack: Stack
) -> None:
    world = own_world
    async with world.running(reconciler=True):
        world.log.append("brief_confirmed")
        await until(lambda: world.tasks.made() == world.due())
        os.kill(own_stack.nats_pid, signal.SIGSTOP)
        try:
            world.log.append("spec_approved")
            await until(lambda: world.tasks.made() == world.due(), seconds=10)
        finally:
            os.kill(own_stack.nats_pid, signal.SIGCONT)
        world.log.append("plan_approved")
        await until(lambda: world.tasks.made() == world.due(), seconds=10)


async def test_a_start_without_nats_makes_the_tasks_too(own_world: World, own_stack: Stack) -> None:
    own_stack.kill_nats()
    own_world.log.append("brief_confirmed")
    async with own_world.running(reconciler=True):
        await until(lambda: own_world.tasks.made() == own_world.due(), seconds=10)


async def test_a_store_wiped_in_the_middle_loses_no_step(
    own_world: World, own_stack: Stack
) -> None:
    world = own_world
    async with world.running(reconciler=True) as fanout:
        for wiped in (True, False, True):
            made = len(world.tasks.rows)
            world.log.append(*["message_posted", "brief_confirmed", "spec_generated"] * 50)
            await until(lambda made=made: len(world.tasks.rows) > made)
            own_stack.restart_nats(wipe=wiped)
            world.log.append("plan_approved")
        await until(lambda: world.tasks.made() == world.due())
        handled = fanout.handled
        world.log.append("tests_approved")
        await until(lambda: fanout.handled > handled and world.tasks.made() == world.due())
    assert not world.dead.letters


async def test_after_a_wipe_the_consumers_work_again_and_not_only_the_reconciler(
    own_world: World, own_stack: Stack
) -> None:
    world = own_world
    async with world.running():
        world.log.append("brief_confirmed")
        await until(lambda: world.tasks.made() == world.due())
        own_stack.restart_nats(wipe=True)
        world.log.append("spec_approved")
        await until(lambda: world.tasks.made() == world.due())


async def test_the_reconciler_leaves_to_the_consumers_what_they_can_do(world: World) -> None:
    async with world.running(reconciler=True):
        world.log.append("brief_confirmed", "spec_generated", "spec_approved")
        last = world.log.events[-1].position
        await until(lambda: world.positions.stored.get("reconciler") == last)
        assert world.reconciler is not None
        assert world.reconciler.made_up == 0
    assert world.tasks.made() == world.due()


async def test_several_reconcilers_do_no_harm_to_each_other(world: World) -> None:
    world.log.append(*["brief_confirmed", "spec_generated"] * 700)
    kinds = {"relay": False, "fanout": False, "reconciler": True}
    async with world.running(**kinds), world.running(**kinds):
        await until(lambda: world.tasks.made() == world.due())
        last = world.log.events[-1].position
        await until(lambda: world.positions.stored["reconciler"] == last)


async def test_the_reconciler_waits_for_the_database(world: World) -> None:
    world.log.append("brief_confirmed")
    world.tasks.down = world.log.down = True
    async with world.running(relay=False, fanout=False, reconciler=True):
        world.log.down = False
        await until(lambda: world.tasks.calls > 0)
        assert world.positions.stored == {}
        world.tasks.down = False
        await until(lambda: world.tasks.made() == world.due())
