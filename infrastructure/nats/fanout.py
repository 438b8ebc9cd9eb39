"""Sees by one durable consumer per agent that what is announced has its tasks.

Invariant: a consumer makes task rows and nothing else; whoever claims a row does the work.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog
from nats.aio.msg import Msg

from application.ports import Tasks
from application.running.outage import Outage
from application.running.pulse import Pulse
from domain.status import Agent
from infrastructure.nats import consumers, stream
from infrastructure.nats.connection import LOST, NatsConnection
from infrastructure.nats.delivery import DeadLetters, Delivery, MessagePlace, Stopped
from infrastructure.nats.pull import Pull, PullLost

log = structlog.get_logger(__name__)

LOOK_UP_SECONDS: Final = 0.5
"""How soon a stop is noticed."""
RESYNC_SECONDS: Final = 0.25
LATE_SECONDS: Final = 15.0
DEFECT_SECONDS: Final = 1.0
"""The pause after what should never happen, such as a message that nobody can handle."""
GIVEN_UP: Final = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"
GIVEN_UP_WAITING: Final = 1_000


class GivenUp(msgspec.Struct, frozen=True):
    """The server's word that it delivered a message as often as it may, without any answer."""

    consumer: str
    stream_seq: int
    deliveries: int


class Fanout:
    """The consumers of all agents, or of some; processes share each consumer's messages."""

    def __init__(
        self,
        connection: NatsConnection,
        tasks: Tasks,
        dead_letters: DeadLetters,
        *,
        on_work: Callable[[], None],
        agents: Sequence[Agent] = tuple(Agent),
    ) -> None:
        """Connect the stream with the queue of record.

        Args:
            connection: The connection to NATS.
            tasks: The queue of record.
            dead_letters: Where messages end that fail three times.
            on_work: Called after tasks were made: `notify` of the signal `work`.
            agents: Whose consumers to serve.
        """
        self._connection = connection
        self._tasks = tasks
        self._dead_letters = dead_letters
        self._on_work = on_work
        self._agents = agents
        self._deliveries: dict[Agent, Delivery] = {}
        self.pulse = Pulse("fanout", within_seconds=LATE_SECONDS)
        """Beats while any of the consumers answers."""

    @property
    def handled(self) -> int:
        """Messages acknowledged by this process."""
        return sum(delivery.handled for delivery in self._deliveries.values())

    @property
    def dead(self) -> int:
        """Messages that this process made dead letters."""
        return sum(delivery.dead for delivery in self._deliveries.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop; messages being handled are finished first."""
        given_up: asyncio.Queue[Msg] = asyncio.Queue(GIVEN_UP_WAITING)

        async def on_advice(message: Msg) -> None:
            with contextlib.suppress(asyncio.QueueFull):  # The reconciler makes up for the rest.
                given_up.put_nowait(message)

        async with (
            self._connection.subscribe(f"{GIVEN_UP}.{stream.NAME}.*", on_advice),
            asyncio.TaskGroup() as group,
        ):
            for agent in self._agents:
                self._deliveries[agent] = Delivery(
                    agent, self._tasks, self._dead_letters, self._on_work, stop
                )
                group.create_task(self._serve(agent, stop), name=consumers.name_of(agent))
            attending = group.create_task(self._attend(given_up))
            await stop.wait()
            attending.cancel()

    async def _serve(self, agent: Agent, stop: asyncio.Event) -> None:
        outage = Outage(log, "consumer_stands_still", agent=agent.value)
        while not stop.is_set():
            try:
                await consumers.ensure(self._connection.streams, agent)
                async with Pull(self._connection, consumers.name_of(agent)) as pull:
                    while not stop.is_set():
                        messages = await pull.next(LOOK_UP_SECONDS)
                        if messages:
                            await self._deliveries[agent].handle(messages, pull.keep)
                            outage.over()
                        self.pulse.beat()
            except Stopped:
                return
            except (*LOST, PullLost) as error:
                log.debug("consumer_interrupted", agent=agent.value, cause=str(error)[:200])
                if await self._connection.wait_up(LOOK_UP_SECONDS):
                    await asyncio.sleep(RESYNC_SECONDS)
            except Exception as error:  # noqa: BLE001 - what was not answered for comes again.
                outage.on(error)
                await asyncio.sleep(DEFECT_SECONDS)

    async def _attend(self, given_up: asyncio.Queue[Msg]) -> None:
        """Handle once more what the server gave up, or record why it cannot be handled.

        Every process receives it; doing it twice changes nothing.
        """
        while True:
            message = await given_up.get()
            try:
                await self._attend_to(message)
            except Exception:  # The reconciler makes up for this one; the next is attended to.
                log.exception("given_up_message_not_handled")

    async def _attend_to(self, message: Msg) -> None:
        try:
            advice = msgspec.json.decode(message.data, type=GivenUp)
            found = await self._connection.streams.get_msg(stream.NAME, seq=advice.stream_seq)
        except (*LOST, msgspec.MsgspecError) as error:
            log.warning("given_up_message_not_found", cause=str(error)[:200])
            return
        place = MessagePlace(found.subject or "", found.headers or {}, advice.stream_seq)
        for agent, delivery in self._deliveries.items():
            if consumers.name_of(agent) == advice.consumer:
                with contextlib.suppress(Stopped):
                    await delivery.last_chance(place, found.data or b"", advice.deliveries)
