"""A standing request for a consumer's messages: they arrive as soon as they are there.

The client's own `fetch` waits to fill its batch, and learns of a restarted server only by its
time-out. Invariant: every message received is either handed out or given back.
"""

import asyncio
import contextlib
import json
from collections import deque
from typing import Final, Self

import structlog
from nats.aio.msg import Msg

from infrastructure.nats import stream
from infrastructure.nats.connection import LOST, NatsConnection

log = structlog.get_logger(__name__)

BATCH: Final = 256
EXPIRES_SECONDS: Final = 30.0
HEARTBEAT_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 2.5
"""Without a heartbeat for so long, the request is taken for lost."""
ANSWERED: Final = "$JS.ACK."
"""Where a consumer's message is answered; what has no such place is none of ours."""
_HEARTBEAT, _CONFLICT = "100", "409"
_ENDED: Final = frozenset({"404", "408"})


class PullLost(Exception):
    """The consumer, its stream or JetStream is gone."""


class Pull:
    """A consumer's messages; an async context manager."""

    def __init__(self, connection: NatsConnection, consumer: str) -> None:
        """Name the consumer; nothing is requested yet."""
        self._connection = connection
        self._consumer = consumer
        self._inbox = ""
        self._arrived: deque[Msg] = deque()
        self._something = asyncio.Event()
        self._outstanding = 0
        self._reset = False
        self._stack = contextlib.AsyncExitStack()
        self._answered_at = 0.0

    async def __aenter__(self) -> Self:
        """Open an inbox for what will arrive."""
        self._inbox = self._connection.client.new_inbox()
        await self._stack.enter_async_context(
            self._connection.subscribe(self._inbox, self._on_message)
        )
        self._stack.enter_context(self._connection.told(self._on_reconnected))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give back what arrived and was not handed out."""
        await self._stack.aclose()
        with contextlib.suppress(*LOST):
            for message in self._arrived:
                if not _status(message) and message.reply.startswith(ANSWERED):
                    await message.nak()
        self._arrived.clear()

    async def next(self, seconds: float) -> list[Msg]:
        """Wait for messages, at most so long.

        Raises:
            PullLost: the consumer or JetStream is gone: ensure both, and pull anew.
            nats.errors.Error: NATS is away.
        """
        now = asyncio.get_running_loop().time()
        if self._reset or (self._outstanding > 0 and now - self._answered_at > SILENT_SECONDS):
            self._reset, self._outstanding = False, 0
        if self._outstanding <= 0:
            await self._request()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._something.wait()
        self._something.clear()
        messages: list[Msg] = []
        while self._arrived:
            message = self._arrived.popleft()
            status = _status(message)
            if not status and not message.reply.startswith(ANSWERED):
                log.warning("message_cannot_be_answered", consumer=self._consumer)
            elif not status:
                self._outstanding -= 1
                messages.append(message)
            elif status in _ENDED:
                self._outstanding = 0
            elif status != _HEARTBEAT:
                # What came before it is redelivered by the server, and harmless twice.
                await self._give_back(messages)
                raise PullLost(_reason(message))
        return messages

    async def keep(self) -> None:
        """Tell the server that what arrived and waits here is still being worked on."""
        for message in self._arrived:
            if not _status(message) and message.reply.startswith(ANSWERED):
                await message.in_progress()

    async def _give_back(self, messages: list[Msg]) -> None:
        self._arrived.extendleft(reversed(messages))

    async def _request(self) -> None:
        body = {
            "batch": BATCH,
            "expires": int(EXPIRES_SECONDS * 1e9),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
        }
        await self._connection.client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{stream.NAME}.{self._consumer}",
            json.dumps(body).encode(),
            reply=self._inbox,
        )
        self._outstanding = BATCH
        self._answered_at = asyncio.get_running_loop().time()

    async def _on_message(self, message: Msg) -> None:
        self._answered_at = asyncio.get_running_loop().time()
        if _status(message) == _HEARTBEAT:
            return
        self._arrived.append(message)
        self._something.set()

    def _on_reconnected(self) -> None:
        # The server forgot the request together with the connection that made it.
        self._reset = True
        self._something.set()


def _status(message: Msg) -> str:
    return (message.headers or {}).get("Status", "") if not message.data else ""


def _reason(message: Msg) -> str:
    headers = message.headers or {}
    return f"{headers.get('Status', '')} {headers.get('Description', '')}".strip()
