"""What becomes of delivered messages: tasks and an acknowledgement, or a dead letter.

Invariant: a message is acknowledged only after its tasks are stored. An outage of the database
uses up no delivery: held messages are kept alive until it answers again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog
from nats.aio.msg import Msg

from application.ports import DueStep, Tasks, Unavailable
from domain.status import Agent
from infrastructure.nats import consumers
from infrastructure.nats.announcement import decode, due_steps
from infrastructure.nats.connection import LOST

log = structlog.get_logger(__name__)

T = TypeVar("T")

AGAIN_SECONDS: Final = (0.05, 1.0)
"""The first wait for an absent database, and the longest."""
KEEP_ALIVE_SECONDS: Final = consumers.ACK_WAIT_SECONDS / 6
REDELIVER_SECONDS: Final = 0.2
CAUSE_CHARACTERS: Final = 500
HIGHEST_POSITION: Final = 2**63 - 1


class DeadLetters(Protocol):
    """Where messages end that failed at every delivery."""

    async def record(
        self,
        consumer: str,
        event_id: UUID,
        subject: str,
        position: int,
        deliveries: int,
        cause: str,
    ) -> None:
        """Keep a message that cannot be handled, to be listed, requeued or discarded.

        It is tried again by itself when a relay starts, which may be of a newer version. When the
        message names no event, `event_id` is derived from its place in the stream, and `position`
        is 0.

        Raises:
            Unavailable: the database does not answer.
        """


class Letter(Protocol):
    """A dead letter."""

    @property
    def id(self) -> UUID: ...
    @property
    def event_id(self) -> UUID: ...
    @property
    def position(self) -> int:
        """Place of the event in the log; 0 when the message names none."""


class Letters(DeadLetters, Protocol):
    """Dead letters, for who tries them again. Every method raises Unavailable."""

    async def waiting(self, after: UUID | None, limit: int) -> Sequence[Letter]:
        """Those that wait, in the order of their ids, beginning behind one."""

    async def handled(self, letter_id: UUID, by: str) -> bool:
        """Note that what it is about was done after all; False if it waits no more."""


class MessagePlace(NamedTuple):
    """Where a message stands."""

    subject: str
    headers: Mapping[str, str]
    sequence: int

    def event(self) -> tuple[UUID, int]:
        """The event it announces, and its position; derived ones when it does not say."""
        try:
            event_id, position = UUID(self.headers["Nats-Msg-Id"]), int(self.headers["Bp-Seq"])
            if 0 <= position <= HIGHEST_POSITION:
                return event_id, position
        except (KeyError, ValueError):
            log.warning("message_names_no_event", subject=self.subject, sequence=self.sequence)
        return uuid5(NAMESPACE_OID, f"{self.subject} {self.sequence}"), 0


class Stopped(Exception):
    """Told to stop while the database is away; the messages are delivered again later."""


class Delivery:
    """Handles the messages of one agent's consumer."""

    def __init__(
        self,
        agent: Agent,
        tasks: Tasks,
        dead_letters: DeadLetters,
        on_work: Callable[[], None],
        stop: asyncio.Event,
    ) -> None:
        self._agent = agent
        self._consumer = consumers.name_of(agent)
        self._tasks = tasks
        self._dead_letters = dead_letters
        self._on_work = on_work
        self._stop = stop
        self._held: Sequence[Msg] = ()
        self.handled = 0
        self.dead = 0

    async def handle(self, messages: Sequence[Msg], keep: Callable[[], Awaitable[None]]) -> None:
        """Store the tasks of all messages in one call, then acknowledge.

        Args:
            messages: As they arrived together.
            keep: Keeps those alive that arrived since; called during an outage.

        Raises:
            Stopped: told to stop in an outage of the database.
            nats.errors.Error: NATS went away; what was not acknowledged comes again.
        """
        self._held = messages
        due: list[tuple[Msg, list[DueStep]]] = []
        for message in messages:
            try:
                due.append((message, due_steps(decode(message.data), self._agent)))
            except Exception as error:  # noqa: BLE001 - whatever it is, only this message waits.
                await self._refuse(message, error, keep)
        refused = await self._store([step for _, steps in due for step in steps], keep)
        for message, steps in due:
            # When the batch is refused, one message may be at fault: each is tried alone.
            if refused is not None and (cause := await self._store(steps, keep)) is not None:
                await self._refuse(message, cause, keep)
                continue
            await message.ack()
            self.handled += 1

    async def last_chance(self, place: MessagePlace, body: bytes, deliveries: int) -> None:
        """Handle a message that the server gave up, because nobody ever answered for it.

        Raises:
            Stopped: told to stop in an outage of the database.
        """
        refused: Exception | None
        try:
            refused = await self._store(due_steps(decode(body), self._agent), _nothing)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - becomes the dead letter's cause.
            refused = error
        if refused is None:
            log.warning("given_up_message_handled", consumer=self._consumer, subject=place.subject)
            self.handled += 1
        else:
            await self._bury(place, deliveries, refused, _nothing)

    async def _store(
        self, steps: Sequence[DueStep], keep: Callable[[], Awaitable[None]]
    ) -> Exception | None:
        """Make the tasks; the reason if the database refuses them."""
        if not steps:
            return None
        try:
            new = await self._retry(lambda: self._tasks.enqueue(steps), keep)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - becomes the dead letter's cause.
            return error
        if new:
            # The append should have made them. It wakes workers, too: it may be long ago.
            log.warning("message_made_tasks", consumer=self._consumer, tasks=new)
            self._on_work()
        return None

    async def _refuse(
        self, message: Msg, error: Exception, keep: Callable[[], Awaitable[None]]
    ) -> None:
        """Have it delivered again, or make it a dead letter after the last delivery."""
        deliveries = message.metadata.num_delivered
        if deliveries < consumers.MAX_DELIVER:
            log.warning("message_refused", consumer=self._consumer, cause=cause_of(error))
            await message.nak(delay=REDELIVER_SECONDS)
            return
        place = MessagePlace(
            message.subject, message.headers or {}, message.metadata.sequence.stream
        )
        await self._bury(place, deliveries, error, keep)
        await message.term()

    async def _bury(
        self,
        place: MessagePlace,
        deliveries: int,
        error: Exception,
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        cause, (event_id, position) = cause_of(error), place.event()
        log.error("dead_letter", consumer=self._consumer, subject=place.subject, cause=cause)
        await self._retry(
            lambda: self._dead_letters.record(
                self._consumer, event_id, place.subject, position, deliveries, cause
            ),
            keep,
        )
        self.dead += 1

    async def _retry(
        self, call: Callable[[], Awaitable[T]], keep: Callable[[], Awaitable[None]]
    ) -> T:
        """Call again until the database answers, keeping what is held alive."""
        wait, now = AGAIN_SECONDS[0], asyncio.get_running_loop().time
        kept_at = now()
        while True:
            try:
                return await call()
            except Unavailable as error:
                if wait == AGAIN_SECONDS[0]:
                    log.warning("fanout_waits", consumer=self._consumer, cause=str(error))
            if self._stop.is_set():
                raise Stopped
            if now() - kept_at > KEEP_ALIVE_SECONDS:
                kept_at = now()
                with contextlib.suppress(*LOST):
                    await self._keep_alive(keep)
            await asyncio.sleep(wait)
            wait = min(wait * 2, AGAIN_SECONDS[1])

    async def _keep_alive(self, keep: Callable[[], Awaitable[None]]) -> None:
        for message in self._held:
            if not message.is_acked:
                await message.in_progress()
        await keep()


async def _nothing() -> None:
    """Nothing is held that could be kept alive."""


def cause_of(error: Exception) -> str:
    """An error as a dead letter quotes it."""
    # PostgreSQL keeps no NUL and no half of a character, and a dead letter that cannot be kept
    # would come back for ever.
    told = f"{type(error).__name__}: {error}".replace("\0", "")[:CAUSE_CHARACTERS]
    return told.encode("utf-8", "replace").decode()
