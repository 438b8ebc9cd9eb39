"""Connections that take their time."""

import asyncio
import contextlib

import pytest
import uvicorn

from interface.patient import HEAD_BYTES, PatientProtocol
from interface.server import listen


class Impatient(PatientProtocol):
    head_seconds = 0.05


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def served(protocol):
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        await serving
        listener.close()


@pytest.mark.parametrize("beginning", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_does_not_come_ends_the_connection(beginning):
    async with served(Impatient) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(beginning)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_a_head_without_end_ends_the_connection():
    async with served(PatientProtocol) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * (HEAD_BYTES + 1))
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_a_request_that_comes_in_time_is_answered_and_so_is_the_next():
    async with served(Impatient) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(10):
                assert b"200" in await reader.readuntil(b"ok")
        writer.close()
