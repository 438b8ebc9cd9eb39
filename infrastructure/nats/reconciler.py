"""Sees from the log itself that every due step has its task, whether it was announced or not.

Invariant: its position never passes an event whose tasks are not stored, but for one that is kept
as a dead letter. Task ids are derived from events, so that what appends and consumers did already
is done once.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

import structlog

from application.ports import Tasks, Unavailable
from application.running.outage import Outage
from application.running.pulse import Pulse
from application.running.waiting import is_set_within
from infrastructure.nats.announcement import Header, Headers, due_steps, subject_of
from infrastructure.nats.connection import NatsConnection
from infrastructure.nats.delivery import Letter, Letters, cause_of
from infrastructure.nats.signals import Signal, SignalSubscription

log = structlog.get_logger(__name__)

NAME: Final = "reconciler"
PAGE: Final = 1_000
POLL_SECONDS: Final = 0.5
LOOK_UP_SECONDS: Final = 0.1
"""How soon it is noticed that NATS went away."""
AGAIN_SECONDS: Final = (0.1, 2.0)
LATE_SECONDS: Final = 15.0
LETTERS_AGAIN_SECONDS: Final = 600.0
"""How often dead letters are tried again; first when a process starts, which may be newer."""
LETTERS_AT_ONCE: Final = 100


class Positions(Protocol):
    """How far each reader of the log has come."""

    async def get(self, name: str) -> int:
        """The position, 0 for an unknown reader. Raises Unavailable."""

    async def set(self, name: str, position: int, event_id: UUID) -> None:
        """Move on to an event. An earlier one, or one that is in no log, changes nothing.

        Raises Unavailable.
        """


class Reconciler:
    """One of any number of reconcilers."""

    def __init__(
        self,
        connection: NatsConnection,
        headers: Headers,
        tasks: Tasks,
        positions: Positions,
        dead_letters: Letters,
        *,
        log_grown: Signal,
        work: Signal,
        grace_seconds: float = 2.0,
    ) -> None:
        """Connect the log with the queue of record.

        Args:
            connection: Asked only whether NATS is there.
            headers: The log, behind the high-water mark.
            tasks: The queue of record.
            positions: Keeps the position under `reconciler`.
            dead_letters: Where events end whose tasks the database refuses.
            log_grown: Notified when the log has grown.
            work: Rung after tasks were made.
            grace_seconds: How long the consumers have for an event before it is made up for;
                none while NATS is away.
        """
        self._connection = connection
        self._headers = headers
        self._tasks = tasks
        self._positions = positions
        self._dead_letters = dead_letters
        self._log_grown = log_grown
        self._work = work
        self._grace_seconds = grace_seconds
        self._letters_at = float("-inf")
        self.made_up = 0
        """Tasks that no message had made."""
        self.pulse = Pulse("reconciler", within_seconds=LATE_SECONDS)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the log until told to stop, through every outage of NATS and the database."""
        again = AGAIN_SECONDS[0]
        outage = Outage(log, "reconciler_waits")
        async with self._log_grown.listen() as subscription:
            while not stop.is_set():
                try:
                    await self._follow(subscription, stop)
                    await self._try_letters_again()
                except Exception as error:  # noqa: BLE001 - a defect, too, is waited out: it is told.
                    outage.on(error)
                    await asyncio.sleep(again)
                    again = min(again * 2, AGAIN_SECONDS[1])
                else:
                    self.pulse.beat()
                    outage.over()
                    again = AGAIN_SECONDS[0]

    async def _follow(self, subscription: SignalSubscription, stop: asyncio.Event) -> None:
        page = await self._headers.after(await self._positions.get(NAME), PAGE)
        if not page:
            await subscription.wait(POLL_SECONDS)
            return
        if len(page) < PAGE:  # A full page is a backlog, which is older than any grace.
            await self._wait_for_consumers(stop)
        new = await self._make(page)
        await self._positions.set(NAME, page[-1].position, page[-1].event_id)
        if new:
            self.made_up += new
            self._work.notify()
            log.info("tasks_made_up", tasks=new, upto=page[-1].position, nats=self._connection.up)

    async def _make(self, page: Sequence[Header]) -> int:
        """Make the tasks of a page; how many were new. What is refused does not stop the rest."""
        try:
            return await self._tasks.enqueue([due for header in page for due in due_steps(header)])
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one event is at fault; each is tried alone.
            log.warning("reconciler_refused", cause=cause_of(error))
        new = 0
        for header in page:
            try:
                new += await self._tasks.enqueue(due_steps(header))
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - becomes the dead letter's cause.
                cause = cause_of(error)
                log.error("dead_letter", consumer=NAME, position=header.position, cause=cause)  # noqa: TRY400
                await self._dead_letters.record(
                    NAME, header.event_id, subject_of(header), header.position, 1, cause
                )
        return new

    async def _try_letters_again(self) -> None:
        """Make the tasks of events that could not be understood, as far as they can be now."""
        now = asyncio.get_running_loop().time()
        if now - self._letters_at < LETTERS_AGAIN_SECONDS:
            return
        after, made = None, 0
        while page := await self._dead_letters.waiting(after, LETTERS_AT_ONCE):
            for letter in page:
                made += await self._handled(letter)
            after = page[-1].id
        self._letters_at = now
        if made:
            self._work.notify()

    async def _handled(self, letter: Letter) -> int:
        """Try one; how many tasks were new."""
        if letter.position == 0:
            return 0
        found = await self._headers.after(letter.position - 1, 1)
        if not found or found[0].event_id != letter.event_id:
            return 0
        try:
            made = await self._tasks.enqueue(due_steps(found[0]))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - it goes on waiting, and the next is tried.
            log.debug("dead_letter_waits_on", letter=str(letter.id), cause=cause_of(error))
            return 0
        if await self._dead_letters.handled(letter.id, f"system:{NAME}"):
            log.info("dead_letter_handled", letter=str(letter.id), tasks=made)
        return made

    async def _wait_for_consumers(self, stop: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._grace_seconds):
                while self._connection.up:
                    if await is_set_within(stop, LOOK_UP_SECONDS):
                        return
