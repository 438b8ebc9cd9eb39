"""Just enough HTTP/1.1 to serve one SDK, to cut a stream and to reset a connection.

Invariant: nothing is read past a stated limit.
"""

import asyncio

from msgspec import Struct

from infrastructure.demo_model.wire import encode

BODY_LIMIT_BYTES = 32 * 1024 * 1024
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


class Incoming(Struct, frozen=True):
    """A request with its whole body."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def key(self) -> str:
        """The API key it carries."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        return self.headers.get("x-api-key", "") or bearer


class TooLarge(Exception):
    """The body is larger than the provider takes (32 MB)."""


async def receive(reader: asyncio.StreamReader) -> Incoming | None:
    """Read one request; None when the peer has closed the connection.

    Raises:
        TooLarge: the body is larger than `BODY_LIMIT_BYTES`; it was not read.
        ValueError: it is not HTTP.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as wrong:
        raise ValueError("The headers are too long.") from wrong
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    length = int(headers.get("content-length", "0"))
    if length > BODY_LIMIT_BYTES:
        raise TooLarge
    try:
        body = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    return Incoming(method, target.split("?")[0], headers, body)


class Outgoing:
    """The answering side of a connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.request_id = ""

    def _head(self, status: int, kind: str, more: dict[str, str]) -> bytes:
        headers = {"content-type": kind, "request-id": self.request_id, **more}
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def answer(self, status: int, body: object, **more: str) -> None:
        """Send a JSON body; underscores in header names become hyphens."""
        data = encode(body)
        named = {name.replace("_", "-"): value for name, value in more.items()}
        length = {"content-length": str(len(data)), **named}
        self._writer.write(self._head(status, "application/json", length) + data)
        await self._writer.drain()

    async def begin(self) -> None:
        """Begin a stream of events."""
        chunked = {"cache-control": "no-cache", "transfer-encoding": "chunked"}
        self._writer.write(self._head(200, "text/event-stream; charset=utf-8", chunked))
        await self._writer.drain()

    async def piece(self, data: bytes) -> None:
        """Send a part of the stream."""
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()

    async def end(self) -> None:
        """End the stream as HTTP does."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def reset(self) -> None:
        """Drop the connection without a word."""
        self._writer.transport.abort()
