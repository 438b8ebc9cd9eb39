"""Wake-ups without content, to this process at once and to the others over core NATS.

Invariant: a ring is never waited for and never counted: several are one, a lost one costs a poll.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, Self

import structlog
from nats.aio.msg import Msg

from application.running.outage import Outage
from application.waiting import is_set_within
from infrastructure.nats.connection import LOST, NatsConnection

log = structlog.get_logger(__name__)

FOLD_SECONDS: Final = 0.002
"""Rings within this time reach other processes as one."""


class SignalSubscription:
    """Whether a bell rang since it was last asked."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a ring, at most so long; whether there was one."""
        if not await is_set_within(self._event, seconds):
            return False
        self._event.clear()
        return True

    def __aiter__(self) -> Self:
        """Iterate over the rings, for ever."""
        return self

    async def __anext__(self) -> None:
        """Wait for a ring; may be cancelled without harm."""
        await self._event.wait()
        self._event.clear()


class Signal:
    """A bell that all processes share by its subject; an async context manager.

    Without a link it rings in this process only.
    """

    def __init__(self, link: NatsConnection | None, subject: str) -> None:
        """Name the bell: `poke` when the log has grown, `work` when tasks were made.

        And `cancel` when some were taken away.
        """
        self._link = link
        self._subject = subject
        self._listeners: set[SignalSubscription] = set()
        self._notified = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to pass rings on."""
        if self._link is not None:
            self._sender = asyncio.create_task(self._pass_on(self._link))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop passing rings on."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait({self._sender})

    def notify(self) -> None:
        """Wake every listener. Never raises, never waits."""
        self._notify_here()
        self._notified.set()

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[SignalSubscription]:
        """Hear the rings of all processes."""
        heard = SignalSubscription()
        self._listeners.add(heard)
        try:
            if self._link is None:
                yield heard
            else:
                async with self._link.subscribe(self._subject, self._on_message):
                    yield heard
        finally:
            self._listeners.discard(heard)

    def _notify_here(self) -> None:
        for heard in self._listeners:
            heard.notify()

    async def _on_message(self, message: Msg) -> None:
        if self._link is not None and message.data != self._link.origin.encode():
            self._notify_here()

    async def _pass_on(self, link: NatsConnection) -> None:
        outage = Outage(log, "bell_not_heard_elsewhere", subject=self._subject)
        while True:
            await self._notified.wait()
            self._notified.clear()
            try:
                if not link.choked:
                    await link.client.publish(self._subject, link.origin.encode())
                outage.over()
            except LOST:
                pass  # Others look for themselves now and then.
            except Exception as error:  # noqa: BLE001 - a defect mutes this ring, not the bell.
                outage.on(error)
            await asyncio.sleep(FOLD_SECONDS)
