"""Wake-ups without content, to this process at once and to the others over core NATS.

Invariant: nobody waits for a signal to arrive, and nobody counts signals: several are one, and a
lost one costs a poll.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, Self

import structlog
from nats.aio.msg import Msg

from application.running.outage import Outage
from application.running.waiting import is_set_within
from infrastructure.nats.connection import LOST, NatsConnection

log = structlog.get_logger(__name__)

FOLD_SECONDS: Final = 0.002
"""Signals within this time reach other processes as one."""


class SignalSubscription:
    """Whether the signal was given since this was last asked."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for the signal, at most so long; whether it was given."""
        if not await is_set_within(self._event, seconds):
            return False
        self._event.clear()
        return True

    def __aiter__(self) -> Self:
        """Iterate over the signals, for ever."""
        return self

    async def __anext__(self) -> None:
        """Wait for the signal; may be cancelled without harm."""
        await self._event.wait()
        self._event.clear()


class Signal:
    """A signal that all processes share by its subject; an async context manager.

    Without a connection it reaches this process only.
    """

    def __init__(self, connection: NatsConnection | None, subject: str) -> None:
        """Take the subject.

        `poke` says that the log has grown, `work` that tasks were made, `cancel` that tasks were
        taken away.
        """
        self._connection = connection
        self._subject = subject
        self._listeners: set[SignalSubscription] = set()
        self._notified = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to pass signals on."""
        if self._connection is not None:
            self._sender = asyncio.create_task(self._pass_on(self._connection))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop passing signals on."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait({self._sender})

    def notify(self) -> None:
        """Wake every listener. Never raises, never waits."""
        self._notify_here()
        self._notified.set()

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[SignalSubscription]:
        """Receive the signals of all processes."""
        subscription = SignalSubscription()
        self._listeners.add(subscription)
        try:
            if self._connection is None:
                yield subscription
            else:
                async with self._connection.subscribe(self._subject, self._on_message):
                    yield subscription
        finally:
            self._listeners.discard(subscription)

    def _notify_here(self) -> None:
        for subscription in self._listeners:
            subscription.notify()

    async def _on_message(self, message: Msg) -> None:
        if self._connection is not None and message.data != self._connection.origin.encode():
            self._notify_here()

    async def _pass_on(self, connection: NatsConnection) -> None:
        outage = Outage(log, "signal_not_sent", subject=self._subject)
        while True:
            await self._notified.wait()
            self._notified.clear()
            try:
                if not connection.choked:
                    await connection.client.publish(self._subject, connection.origin.encode())
                outage.over()
            except LOST:
                pass  # Others look for themselves now and then.
            except Exception as error:  # noqa: BLE001 - a defect loses this signal only.
                outage.on(error)
            await asyncio.sleep(FOLD_SECONDS)
