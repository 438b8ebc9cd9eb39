"""The process's one connection to NATS, which may be down at any time, the start included.

Invariant: nothing waits for a broken connection. Publishing while it is down fails at once, and
nothing is kept back to be sent late.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Final, Self, TypeAlias

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

log = structlog.get_logger(__name__)

CONNECT_SECONDS: Final = 2
"""For one attempt, and how long a start waits for NATS before it goes on without."""
REQUEST_SECONDS: Final = 2.0
CONFIRM_SECONDS: Final = 1.0
"""How long a subscription waits for the server to know of it, before it goes on unconfirmed."""
UNANSWERED_SECONDS: Final = 60
"""When a PING counts as lost: long after a silent connection was given up."""
RECONNECT_SECONDS: Final = 0.1
PING_SECONDS: Final = 3
"""A half-open connection is given up after three silent intervals."""
SAY_AGAIN_SECONDS: Final = 30.0
PENDING_BYTES: Final = 1_000_000
"""Unsent bytes beyond which a live message is dropped instead of queued."""

Handler: TypeAlias = Callable[[Msg], Awaitable[None]]

LOST: Final = (nats.errors.Error, OSError, TimeoutError, EOFError, ValueError, KeyError)
"""What any call may raise while NATS is away; also what JetStream answers when it refuses.

The last three come out of the client when an answer is cut off or is none.
"""


class NatsRefused(RuntimeError):
    """NATS refuses the credentials in its URL."""


class NatsUrlInvalid(RuntimeError):
    """The URL of NATS cannot be read."""


class NatsConnection:
    """A connection that comes back by itself, for ever; an async context manager."""

    def __init__(self, url: str, *, name: str, on_closed: Callable[[], None]) -> None:
        """Describe the connection; nothing is opened yet.

        Args:
            url: `nats://token@host:port`, several separated by commas. A secret: never logged.
            name: Shown in the server's list of connections.
            on_closed: Called when the connection ended for good without being asked to; the
                process must then end, for it would receive nothing until restarted.
        """
        self.origin = secrets.token_hex(8)
        """Names this connection in what it sends, so that it knows its own messages."""
        self.generation = 0
        """Raised by every connection made, the first included."""
        self._servers = [part.strip() for part in url.split(",")]
        self._name = name
        self._on_closed = on_closed
        self._client = Client()
        self._found = asyncio.Event()
        self._refused: Exception | None = None
        self._closing = False
        self._said: dict[str, float] = {}
        self._early: dict[object, tuple[str, Handler, AsyncExitStack]] = {}
        self._reconnected: set[Callable[[], None]] = set()
        self._connecting: asyncio.Task[None] | None = None
        self._confirming: set[asyncio.Task[None]] = set()

    @property
    def up(self) -> bool:
        """Whether NATS is connected, as far as is known."""
        return self.generation > 0 and self._client.is_connected

    @property
    def choked(self) -> bool:
        """Whether so much waits to be sent that live messages are better dropped."""
        return self._client.pending_data_size > PENDING_BYTES

    @property
    def client(self) -> Client:
        """The client.

        Raises:
            nats.errors.Error: NATS is not connected.
        """
        if not self.up:
            raise nats.errors.ConnectionReconnectingError
        return self._client

    @property
    def streams(self) -> JetStreamContext:
        """JetStream; every request has a time limit. Raises as `client` does."""
        return self.client.jetstream(timeout=REQUEST_SECONDS)

    async def __aenter__(self) -> Self:
        """Connect; when NATS does not answer soon, go on and connect later.

        Raises:
            NatsRefused: the credentials are wrong: waiting would not help.
            NatsUrlInvalid: the URL cannot be read.
        """
        self._connecting = asyncio.create_task(self._connect())
        found = asyncio.create_task(self._found.wait())
        await asyncio.wait(
            {self._connecting, found},
            timeout=CONNECT_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        found.cancel()
        if self._refused is not None:
            await self._close()
            raise NatsRefused("NATS refuses the credentials in its URL: correct BP_NATS_URL")
        if self._connecting.done() and (error := self._connecting.exception()) is not None:
            if isinstance(error, nats.errors.Error):
                # The cause may quote the URL, which holds the token.
                raise NatsUrlInvalid(
                    "the URL of NATS cannot be read: BP_NATS_URL must look like "
                    "nats://token@host:4222"
                ) from None
            raise error
        if not self.up:
            log.warning("nats_not_there_yet", consequence="work is found by polling the log")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close; what was not sent yet is lost, as it may be."""
        await self._close()

    async def wait_up(self, seconds: float) -> bool:
        """Wait until NATS is connected, at most so long; whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._found.wait()
                while not self.up:  # noqa: ASYNC110 - the client has no event for it.
                    await asyncio.sleep(RECONNECT_SECONDS / 2)
        return self.up

    @contextlib.asynccontextmanager
    async def subscribe(self, subject: str, handler: Handler) -> AsyncIterator[None]:
        """Call the handler for every message under a subject, across reconnections.

        Once inside, every message arrives: the server has confirmed the subscription. When NATS is
        away, or was never reached, messages arrive once it is there. A handler must not raise.
        """
        key, stack = object(), AsyncExitStack()
        try:
            if self.generation == 0:
                self._early[key] = (subject, handler, stack)
            else:
                await self._subscribe(subject, handler, stack)
                await self.settle()
            yield
        finally:
            self._early.pop(key, None)
            with contextlib.suppress(*LOST):
                await stack.aclose()

    async def settle(self) -> None:
        """Wait until the server knows of every subscription made before; not when it is away."""
        if not self.up:
            return
        # An answer to a PING that nobody waits for any more ends the client's reading: whoever
        # loses patience here, or is cancelled, leaves the PING to be answered.
        confirming = asyncio.create_task(self._confirm())
        self._confirming.add(confirming)
        confirming.add_done_callback(self._confirming.discard)
        await asyncio.wait({confirming}, timeout=CONFIRM_SECONDS)

    async def _confirm(self) -> None:
        with contextlib.suppress(*LOST):
            # The client's PING overtakes what still waits for its sender, a SUB among it: the
            # first answer says that those were sent, only the second that they were read.
            for _ in range(2):
                await self.client.flush(timeout=UNANSWERED_SECONDS)

    @contextlib.contextmanager
    def told(self, reconnected: Callable[[], None]) -> Iterator[None]:
        """Call back after every reconnection, while the context lasts."""
        self._reconnected.add(reconnected)
        try:
            yield
        finally:
            self._reconnected.discard(reconnected)

    async def _connect(self) -> None:
        await self._client.connect(
            servers=self._servers,
            name=self._name,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_client_closed,
            connect_timeout=CONNECT_SECONDS,
            reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]  # Any number will do.
            max_reconnect_attempts=-1,
            ping_interval=PING_SECONDS,
            pending_size=0,  # Nothing is kept back for later while the connection is down.
        )
        self.generation += 1
        log.info("nats_found", name=self._name)
        while self._early:
            key, (subject, handler, stack) = next(iter(self._early.items()))
            await self._subscribe(subject, handler, stack)
            if self._early.pop(key, None) is None:  # Given up while we subscribed.
                await stack.aclose()
        self._found.set()

    async def _subscribe(self, subject: str, handler: Handler, stack: AsyncExitStack) -> None:
        subscription = await self._client.subscribe(subject, cb=handler)
        stack.push_async_callback(subscription.unsubscribe)

    async def _close(self) -> None:
        self._closing = True
        if self._connecting is not None and not self._connecting.done():
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        with contextlib.suppress(*LOST):
            await self._client.close()
        for confirming in self._confirming:
            confirming.cancel()
        if self._confirming:
            await asyncio.wait(self._confirming)

    async def _on_error(self, error: Exception) -> None:
        if self.generation == 0 and "authorization violation" in str(error).lower():
            self._refused = error
            self._found.set()
        kind, now = type(error).__name__, time.monotonic()
        # A server that is away fails ten times a second: say so now and then only.
        if now - self._said.get(kind, -SAY_AGAIN_SECONDS) >= SAY_AGAIN_SECONDS:
            self._said[kind] = now
            log.warning("nats_error", kind=kind, detail=str(error)[:200])

    async def _on_disconnected(self) -> None:
        if not self._closing:
            log.warning("nats_lost", consequence="work is found by polling the log")

    async def _on_reconnected(self) -> None:
        self.generation += 1
        self._said.clear()
        log.info("nats_found_again")
        for reconnected in list(self._reconnected):
            reconnected()

    async def _on_client_closed(self) -> None:
        if not self._closing:
            log.critical("nats_closed", consequence="this process ends")
            self._on_closed()
