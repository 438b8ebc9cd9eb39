"""Answers that go on: bytes from one producer task to one client, with an end for every case.

Invariant: whatever ends first, the producer, the client, the process or the time, the producer is
cancelled once and awaited to its end, and the place it held is free again. The producer runs in a
task of its own, so that its clean-up may await: in the request's own task a client that goes away
would cancel every such await again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

from litestar.response import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from interface.http.middleware import asks_for_head
from interface.limits import SEND_SECONDS

Put = Callable[[bytes], Awaitable[None]]
Produce = Callable[[Put], Coroutine[Any, Any, None]]

QUEUED_CHUNKS: Final = 32
CLEANUP_SECONDS: Final = 5.0


class ClientStuck(Exception):
    """The client takes nothing any more."""


class Pipe:
    """The producer and what it has put so far, at most `QUEUED_CHUNKS` ahead of the client."""

    def __init__(self, produce: Produce, release: Callable[[], None]) -> None:
        """Start the producer; `release` is called when it is through, however that comes."""
        self._room = asyncio.Semaphore(QUEUED_CHUNKS)
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._began = asyncio.Event()
        self.task = asyncio.create_task(produce(self.put))
        self.task.add_done_callback(lambda _: self._chunks.put_nowait(None))
        self.task.add_done_callback(lambda _: release())
        # Whoever pumps raises it again; without a pump it is the asker who was told.
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def put(self, chunk: bytes) -> None:
        """Add a chunk; wait while the client is too far behind."""
        await self._room.acquire()
        self._chunks.put_nowait(chunk)
        self._began.set()

    async def begun(self) -> None:
        """Wait for the first chunk, so that a refusal before it can still be a plain answer.

        Raises what the producer raised; then, and when cancelled, the pipe is closed.
        """
        first = asyncio.create_task(self._began.wait())
        try:
            await asyncio.wait({first, self.task}, return_when=asyncio.FIRST_COMPLETED)
            if self.task.done():
                self.task.result()
        except BaseException:
            await self.close()
            raise
        finally:
            first.cancel()

    async def get(self) -> bytes | None:
        """The next chunk; None after the last."""
        chunk = await self._chunks.get()
        self._room.release()
        return chunk

    async def close(self) -> None:
        """Cancel the producer and wait for its clean-up, even while being cancelled."""
        self.task.cancel()
        await asyncio.shield(asyncio.wait({self.task}, timeout=CLEANUP_SECONDS))


class Ending:
    """What ends a flow besides its producer, and what is said then."""

    def __init__(
        self,
        stopping: asyncio.Event | None = None,
        *,
        seconds: float | None = None,
        farewell: bytes = b"",
        ping_seconds: float | None = None,
        ping: bytes = b"",
    ) -> None:
        """Take the process' last moment, the longest time, the last words, and the ping."""
        self.stopping = stopping
        self.seconds = seconds
        self.farewell = farewell
        self.ping_seconds = ping_seconds
        self.ping = ping


class StreamedResponse(Response[bytes]):
    """A response whose body is a pipe."""

    def __init__(
        self,
        pipe: Pipe,
        ending: Ending,
        *,
        media_type: str,
        headers: Mapping[str, str],
        status_code: int = 200,
    ) -> None:
        """Take a running pipe."""
        super().__init__(b"", status_code=status_code, media_type=media_type, headers=dict(headers))
        self._pipe = pipe
        self._ending = ending

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:  # noqa: ANN401
        """The response as the server takes it."""
        return _StreamedAnswer(
            self._pipe,
            self._ending,
            status_code=self.status_code,
            media_type=str(self.media_type),
            headers=self.headers,
        )


class _StreamedAnswer(ASGIResponse):
    __slots__ = ("_ending", "_pipe")

    _should_set_content_length = False

    def __init__(self, pipe: Pipe, ending: Ending, **rest: Any) -> None:  # noqa: ANN401
        super().__init__(**rest)
        self._pipe = pipe
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it, or as much as there is time and a client for."""
        ending = self._ending
        if asks_for_head(scope):
            try:
                await self.start_response(send)
                await _send(send, b"", more=False)
            finally:
                await self._pipe.close()
            return
        pumping = asyncio.create_task(self._pump(send))
        others = [asyncio.create_task(_gone(receive))]
        if ending.stopping is not None:
            others.append(asyncio.create_task(_set(ending.stopping)))
        try:
            await self.start_response(send)
            await asyncio.wait(
                {pumping, *others}, timeout=ending.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if pumping.done():
                with contextlib.suppress(ClientStuck):
                    pumping.result()
            elif not others[0].done():
                pumping.cancel()
                await asyncio.wait({pumping}, timeout=SEND_SECONDS)
                with contextlib.suppress(ClientStuck):
                    await _send(send, ending.farewell, more=False)
        finally:
            for task in (pumping, *others):
                task.cancel()
            await self._pipe.close()
            await asyncio.gather(pumping, *others, return_exceptions=True)

    async def _pump(self, send: Send) -> None:
        """Pass on all that is put. Raises what the producer raised, so that the line breaks."""
        while True:
            try:
                async with asyncio.timeout(self._ending.ping_seconds):
                    chunk = await self._pipe.get()
            except TimeoutError:
                await _send(send, self._ending.ping)
                continue
            if chunk is None:
                break
            await _send(send, chunk)
        self._pipe.task.result()
        await _send(send, b"", more=False)


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await send({"type": "http.response.body", "body": body, "more_body": more})
    except TimeoutError:
        raise ClientStuck from None


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _set(event: asyncio.Event) -> None:
    await event.wait()
