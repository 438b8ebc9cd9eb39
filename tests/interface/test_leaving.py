"""A server that is told to stop: whom it still takes, and what it still answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from interface.server import listen, serve

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Served:
    """A server of one slow and many quick answers."""

    def __init__(self) -> None:
        self.stop, self.left, self.go = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.ready, self.asked = asyncio.Event(), asyncio.Event()
        self.listener = listen("127.0.0.1", 0)
        self.address = self.listener.getsockname()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        if scope["path"] == "/slow":
            self.asked.set()
            await self.go.wait()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async def ask(self, path: bytes = b"/") -> bytes:
        """All that comes for one question, until the connection ends."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(ASK.replace(b" / ", b" " + path + b" "))
        answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    one = Served()
    leave = one.left.wait
    serving = asyncio.create_task(
        serve(one, one.listener, one.stop, one.ready.set, leave=leave)  # type: ignore[arg-type]
    )
    async with asyncio.timeout(60):
        await one.ready.wait()
        yield one
        one.left.set()
        one.go.set()
        await serving


@pytest.mark.servers
async def test_connections_are_taken_as_long_as_it_is_leaving_and_each_is_the_last() -> None:
    async with served() as one:
        kept_reader, kept_writer = await asyncio.open_connection(*one.address)
        kept_writer.write(ASK)
        first = await kept_reader.readuntil(b"ok")
        assert b"connection: close" not in first
        one.stop.set()
        await asyncio.sleep(0)
        while b"connection: close" not in (answer := await one.ask()):
            await asyncio.sleep(0)
        assert answer.endswith(b"ok")
        kept_writer.write(ASK)
        last = await kept_reader.read()
        assert b"connection: close" in last
        assert last.endswith(b"ok"), "what was open before is answered, and then let go"
        kept_writer.close()
        one.left.set()
        with suppress(ConnectionError):
            while True:
                await one.ask()


@pytest.mark.servers
async def test_an_answer_under_way_is_finished_after_nobody_is_let_in_any_more() -> None:
    async with served() as one:
        slow = asyncio.create_task(one.ask(b"/slow"))
        await one.asked.wait()
        one.stop.set()
        one.left.set()
        while not one.go.is_set():
            try:
                await one.ask()
            except ConnectionError:
                one.go.set()
        assert (await slow).endswith(b"ok")
