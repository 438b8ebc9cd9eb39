"""Announces every event of the log in the stream, once and in order.

Invariant: the relay's position is the last message of the stream and stands nowhere else. Each
message is accepted only directly behind the one it follows, so that any number of relays, killed
at any point, write the same stream.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

import structlog
from nats.js import JetStreamContext
from nats.js.api import PubAck, RawStreamMsg
from nats.js.errors import NotFoundError

from application.ports import Unavailable
from application.pulse import Pulse
from infrastructure.jetstream import stream
from infrastructure.jetstream.announcement import Header, Headers, encode, subject_of
from infrastructure.jetstream.bell import Bell, Heard
from infrastructure.jetstream.link import LOST, Link

log = structlog.get_logger(__name__)

PAGE: Final = 256
"""Events announced with one wait for all their acknowledgements."""
PUBLISH_SECONDS: Final = 2.0
POLL_SECONDS: Final = (0.02, 0.25)
"""The first wait for a grown log, and the longest after finding it as it was."""
PAUSE_SECONDS: Final = (0.1, 2.0)
STAND_BACK_SECONDS: Final = (0.3, 0.9)
LATE_SECONDS: Final = 15.0


class Beaten(Exception):
    """Another relay was faster: leave the lead to it for a moment."""


class Relay:
    """One of any number of relays; whoever is beaten to a message stands back for a moment."""

    def __init__(
        self,
        link: Link,
        headers: Headers,
        *,
        floor: Callable[[], Awaitable[int]],
        poke: Bell,
        limits: stream.Limits = stream.DEFAULT_LIMITS,
    ) -> None:
        """Connect the log with the stream.

        Args:
            link: The connection to NATS.
            headers: The log, behind the fence.
            floor: Where to begin when the stream is empty (new, wiped, or all expired): a
                position up to which every due step has its task, such as the reconciler's; 0
                announces the whole log again, which is harmless, for task ids are derived from
                events, and only costs time.
            poke: Rings when the log has grown.
            limits: What the stream may take.
        """
        self._link = link
        self._headers = headers
        self._floor = floor
        self._poke = poke
        self._limits = limits
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
        async with self._poke.listen() as poked:
            while not stop.is_set():
                before = self.published
                try:
                    await self._lead(poked, stop)
                except Beaten:
                    self.pulse.beat()
                    await _sleep(random.uniform(*STAND_BACK_SECONDS), stop)  # noqa: S311 - jitter.
                except (*LOST, Unavailable) as error:
                    if self._link.up:
                        log.warning("relay_interrupted", cause=_cause(error), at=self.position)
                    pause = PAUSE_SECONDS[0] if self.published > before else pause * 2
                    pause = min(pause, PAUSE_SECONDS[1])
                    await self._pause(pause, stop)

    async def _pause(self, seconds: float, stop: asyncio.Event) -> None:
        if self._link.up:
            await _sleep(seconds, stop)
        else:
            await self._link.wait_up(0.25)

    async def _lead(self, poked: Heard, stop: asyncio.Event) -> None:
        generation, streams = self._link.generation, self._link.streams
        sequence, self.position = await self._place(streams)
        log.debug("relay_leads", position=self.position, sequence=sequence)
        wait = POLL_SECONDS[0]
        while not stop.is_set() and self._link.generation == generation:
            page = await self._headers.after(self.position, PAGE)
            self.lag = len(page)
            if page:
                await self._announce(streams, sequence, page)
                self.pulse.beat()
                sequence += len(page)
                wait = POLL_SECONDS[0]
            else:
                self.pulse.beat()
                wait = POLL_SECONDS[0] if await poked.wait(wait) else min(wait * 2, POLL_SECONDS[1])

    async def _place(self, streams: JetStreamContext) -> tuple[int, int]:
        """Find the stream's last sequence and the position in the log that it stands for."""
        info = await stream.ensure(streams, self._limits)
        last = info.state.last_seq
        if info.state.messages:
            try:
                message = await streams.get_msg(stream.NAME, seq=last)
            except NotFoundError:  # It expired in between.
                return last, await self._floor()
            position = await self._known(message)
            if position is not None:
                return last, position
            log.error("stream_is_not_of_this_log", stream=stream.NAME, consequence="rebuilt")
            last = (await stream.rebuild(streams, self._limits)).state.last_seq
        return last, await self._floor()

    async def _known(self, message: RawStreamMsg) -> int | None:
        """Tell the position of a message, if the log holds its event there.

        It does not after the database was restored to an earlier time, or replaced.
        """
        headers = message.headers or {}
        try:
            position, event_id = int(headers["Bp-Seq"]), UUID(headers["Nats-Msg-Id"])
        except (KeyError, ValueError):
            return None
        found = await self._headers.after(position - 1, 1)
        return position if found and found[0].event_id == event_id else None

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
        self.position, self.lag = page[-1].position, 0


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


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
