"""A server that sends exactly the bytes a test wants, also those that no good server would send.

A request that the provider refuses is refused here too, before any scripted answer.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any, Self

from msgspec import Struct

from infrastructure.demo_model.provider_rules import refusal_of


class Sent(Struct):
    """What to answer to one request."""

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""
    then: str = "end"
    """`end`: properly; `abort`: by a reset; `hang`: not at all, until the caller leaves."""
    silent: bool = False
    """Whether not even the head is sent."""


class Received(Struct):
    """What a request said."""

    path: str
    headers: dict[str, str]
    body: Any


class ModelServer:
    """Answers one scripted answer after the other."""

    def __init__(self, *answers: Sent) -> None:
        self.answers = list(answers)
        self.received: list[Received] = []
        self._serving: list[asyncio.Task[None]] = []
        self.left = asyncio.Event()
        """Set when a caller went away from a hanging answer."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.append(task)
        try:
            await self._answer(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])
        }
        length = int(headers.get("content-length", 0))
        body = json.loads(await reader.readexactly(length)) if length else None
        self.received.append(Received(lines[0].split(" ")[1], headers, body))
        refused = refusal_of(body) if isinstance(body, dict) else None
        if refused is not None:
            self.answers.insert(0, failure(400, "invalid_request_error", refused))
        sent = self.answers.pop(0)
        if not sent.silent:
            writer.write(_head(sent))
            if sent.body:
                writer.write(b"%x\r\n%b\r\n" % (len(sent.body), sent.body))
            await writer.drain()
        if sent.then == "hang":
            await reader.read()
            self.left.set()
        if sent.then == "abort":
            writer.transport.abort()
            return
        if sent.then == "end":
            writer.write(b"0\r\n\r\n")
            await writer.drain()


def _head(sent: Sent) -> bytes:
    headers = {
        "content-type": "text/event-stream" if sent.status == 200 else "application/json",
        "request-id": "req_1",
        "transfer-encoding": "chunked",
        "connection": "close",
        **sent.headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {sent.status} X\r\n{lines}\r\n".encode()


def sse(kind: str, **data: Any) -> bytes:
    """One event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


USAGE = {
    "input_tokens": 10,
    "output_tokens": 1,
    "cache_read_input_tokens": 7,
    "cache_creation_input_tokens": 3,
}
START = sse("message_start", message={"id": "m", "model": "claude-real", "usage": USAGE})


def text(index: int, *parts: str, close: bool = True) -> bytes:
    """A block of text."""
    return _block(index, {"type": "text", "text": ""}, "text_delta", "text", parts, close=close)


def tool(index: int, *parts: str, close: bool = True) -> bytes:
    """A call of `write_files`."""
    start = {"type": "tool_use", "id": f"t{index}", "name": "write_files", "input": {}}
    return _block(index, start, "input_json_delta", "partial_json", parts, close=close)


def _block(
    index: int, start: dict[str, Any], kind: str, field: str, parts: tuple[str, ...], *, close: bool
) -> bytes:
    deltas = [
        sse("content_block_delta", index=index, delta={"type": kind, field: part}) for part in parts
    ]
    end = [sse("content_block_stop", index=index)] if close else []
    return b"".join([sse("content_block_start", index=index, content_block=start), *deltas, *end])


def end(stop_reason: str = "end_turn", output: int = 42) -> bytes:
    """The end of an answer."""
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return sse("message_delta", delta=delta, usage={"output_tokens": output}) + sse("message_stop")


def failure(status: int, kind: str, message: str = "No.", **more: Any) -> Sent:
    """An answer that is an error."""
    headers: dict[str, str] = more.pop("headers", {})
    error = {"type": kind, "message": message, **more}
    body = json.dumps({"type": "error", "error": error}).encode()
    return Sent(status=status, headers=headers, body=body)
