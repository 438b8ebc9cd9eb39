"""Announces every event of the log in the stream, once and in order.

Invariant: the relay's position is the last message of the stream and stands nowhere else. Each
message is accepted only directly behind the one it follows, so that any number of relays, killed
at any point, write the same stream. With every page the event that was announced last is read
again: a stream that announces what the log does not hold is emptied and filled anew.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

import structlog
from nats.js import JetStreamContext
from nats.js.api import PubAck, RawStreamMsg
from nats.js.errors import NotFoundError

from application.ports import Unavailable
from application.running.outage import Outage
from application.running.pulse import Pulse
from application.running.waiting import is_set_within
from infrastructure.nats import stream
from infrastructure.nats.announcement import Header, Headers, encode, subject_of
from infrastructure.nats.connection import LOST, NatsConnection
from infrastructure.nats.delivery import HIGHEST_POSITION
from infrastructure.nats.signals import Signal, SignalSubscription

log = structlog.get_logger(__name__)

PAGE: Final = 256
"""Events announced with one wait for all their acknowledgements."""
PUBLISH_SECONDS: Final = 2.0
POLL_SECONDS: Final = (0.02, 0.25)
"""The first wait for a grown log, and the longest after finding it as it was."""
LOST_NAMED: Final = 1_000
"""So many announcements of events that are in no log are looked at, from the last one back."""
PAUSE_SECONDS: Final = (0.1, 2.0)
STAND_BACK_SECONDS: Final = (0.3, 0.9)
LATE_SECONDS: Final = 15.0


class Beaten(Exception):
    """Another relay was faster: leave the lead to it for a moment."""


class SetBack(Exception):
    """The log does not hold the event that was announced last."""


class Relay:
    """One of any number of relays; whoever is beaten to a message stands back for a moment."""

    def __init__(
        self,
        connection: NatsConnection,
        headers: Headers,
        *,
        floor: Callable[[], Awaitable[int]],
        log_grown: Signal,
        limits: stream.StreamLimits = stream.DEFAULT_LIMITS,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect the log with the stream.

        Args:
            connection: The connection to NATS.
            headers: The log, behind the high-water mark.
            floor: Where to begin when the stream is empty (new, wiped, or all expired): a
                position up to which every due step has its task, such as the reconciler's; 0
                announces the whole log again, which is harmless, for task ids are derived from
                events, and only costs time.
            log_grown: Notified when the log has grown.
            limits: What the stream may take.
            doubt: Told when the log seems to be set back.
        """
        self._connection = connection
        self._headers = headers
        self._floor = floor
        self._log_grown = log_grown
        self._limits = limits
        self._doubt = doubt
        self._last: UUID | None = None
        """The event at `position`, unless that is the floor."""
        self.position = 0
        """Position of the last event known to be announced."""
        self.lag = 0
        """Events read but not yet announced; a full page means that there may be more."""
        self.published = 0
        """Events announced by this process."""
        self.pulse = Pulse("relay", within_seconds=LATE_SECONDS)

    async def run(self, stop: asyncio.Event) -> None:
        """Announce until told to stop, through every outage of NATS and the database."""
        pause = PAUSE_SECONDS[0]
        outage = Outage(log, "relay_interrupted")
        async with self._log_grown.listen() as subscription:
            while not stop.is_set():
                before = self.published
                try:
                    await self._lead(subscription, stop, outage)
                except SetBack:
                    self._doubt()  # And look for the place again, which empties the stream.
                except Beaten:
                    self.pulse.beat()
                    await is_set_within(stop, random.uniform(*STAND_BACK_SECONDS))  # noqa: S311 - jitter.
                except Exception as error:  # noqa: BLE001 - a defect, too, is waited out: it is told.
                    if self._connection.up:
                        lost = isinstance(error, (*LOST, Unavailable))
                        outage.on(Unavailable("JetStream", _cause(error)) if lost else error)
                    pause = PAUSE_SECONDS[0] if self.published > before else pause * 2
                    pause = min(pause, PAUSE_SECONDS[1])
                    await self._pause(pause, stop)

    async def _pause(self, seconds: float, stop: asyncio.Event) -> None:
        if self._connection.up:
            await is_set_within(stop, seconds)
        else:
            await self._connection.wait_up(0.25)

    async def _lead(
        self, subscription: SignalSubscription, stop: asyncio.Event, outage: Outage
    ) -> None:
        generation, streams = self._connection.generation, self._connection.streams
        sequence, self.position, self._last = await self._place(streams)
        log.debug("relay_leads", position=self.position, sequence=sequence)
        wait = POLL_SECONDS[0]
        while not stop.is_set() and self._connection.generation == generation:
            page = await self._page()
            self.lag = len(page)
            if page:
                await self._announce(streams, sequence, page)
                sequence += len(page)
                wait = POLL_SECONDS[0]
            self.pulse.beat()
            outage.over()
            if page:
                continue
            notified = await subscription.wait(wait)
            wait = POLL_SECONDS[0] if notified else min(wait * 2, POLL_SECONDS[1])

    async def _page(self) -> Sequence[Header]:
        """The next events behind the last announced one, if that is still there. Raises SetBack."""
        if self._last is None:
            page = await self._headers.after(self.position, PAGE)
            if not page and await self._floor() < self.position:
                raise SetBack
            return page
        page = await self._headers.after(self.position - 1, PAGE + 1)
        if not page or (page[0].position, page[0].event_id) != (self.position, self._last):
            raise SetBack
        return page[1:]

    async def _place(self, streams: JetStreamContext) -> tuple[int, int, UUID | None]:
        """Find the stream's last sequence, and the position and event that it stands for."""
        info = await stream.ensure(streams, self._limits)
        last = info.state.last_seq
        if info.state.messages:
            try:
                message = await streams.get_msg(stream.NAME, seq=last)
            except NotFoundError:  # It expired in between.
                return last, await self._floor(), None
            known = await self._known(message)
            if known is not None:
                return last, *known
            await self._name_lost(streams, info.state.first_seq, last)
            last = (await stream.rebuild(streams, self._limits)).state.last_seq
        return last, await self._floor(), None

    async def _known(self, message: RawStreamMsg) -> tuple[int, UUID] | None:
        """Tell the position and event of a message, if the log holds that event there.

        It does not after the database was restored to an earlier time, or replaced.
        """
        headers = message.headers or {}
        try:
            position, event_id = int(headers["Bp-Seq"]), UUID(headers["Nats-Msg-Id"])
        except (KeyError, ValueError):
            return None
        if not 0 < position <= HIGHEST_POSITION:
            return None
        found = await self._headers.after(position - 1, 1)
        if found and (found[0].position, found[0].event_id) == (position, event_id):
            return position, event_id
        return None

    async def _name_lost(self, streams: JetStreamContext, first: int, last: int) -> None:
        """Say which announcements are of no log, before they are gone."""
        lost: list[tuple[str, str]] = []
        for sequence in range(last, max(first, last - LOST_NAMED + 1) - 1, -1):
            with contextlib.suppress(NotFoundError):
                message = await streams.get_msg(stream.NAME, seq=sequence)
                if await self._known(message) is not None:
                    break
                headers = message.headers or {}
                lost.append((headers.get("Bp-Seq", "?"), headers.get("Nats-Msg-Id", "?")))
        log.error(
            "stream_is_not_of_this_log",
            stream=stream.NAME,
            announced_and_lost=len(lost),
            first=" ".join(lost[-1]) if lost else "",
            last=" ".join(lost[0]) if lost else "",
            consequence="rebuilt",
        )

    async def _announce(self, streams: JetStreamContext, last: int, page: Sequence[Header]) -> None:
        """Publish a page directly behind sequence `last`.

        Raises:
            Beaten: another relay announced some of it.
        """
        answers = await asyncio.gather(
            *(_publish(streams, last + place, header) for place, header in enumerate(page)),
            return_exceptions=True,
        )
        # A page overtaken by another relay's may still get its end in: each answer counts.
        ours = [place for place, answer in enumerate(answers, start=1) if _is_new(answer)]
        self.published += len(ours)
        failure = next((answer for answer in answers if isinstance(answer, BaseException)), None)
        if failure is not None and not stream.wrong_last_sequence(failure):
            raise failure
        if len(ours) < len(page):
            raise Beaten from failure
        self.position, self._last, self.lag = page[-1].position, page[-1].event_id, 0


def _is_new(answer: PubAck | BaseException) -> bool:
    return isinstance(answer, PubAck) and not answer.duplicate


async def _publish(streams: JetStreamContext, last: int, header: Header) -> PubAck:
    return await streams.publish(
        subject_of(header),
        encode(header),
        timeout=PUBLISH_SECONDS,
        headers={
            "Nats-Msg-Id": str(header.event_id),
            "Nats-Expected-Last-Sequence": str(last),
            "Bp-Seq": str(header.position),
            "Bp-Version": str(header.version),
        },
    )


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
