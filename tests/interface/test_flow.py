"""Answers that go on end well in every case: slow, stuck, broken and cancelled."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from interface.http.flow import QUEUED_CHUNKS, Ending, Flow, Pipe, Put
from tests.interface.world import Person, World


def flow_of(pipe: Pipe, **ending: Any) -> Any:
    """The response as an application of its own."""
    flow = Flow(pipe, Ending(**ending), media_type="text/plain", headers={})
    return flow.to_asgi_response()


async def never() -> Any:
    await asyncio.Event().wait()


class Ended:
    """What a producer notes of its end; its clean-up takes a while, and may."""

    def __init__(self) -> None:
        self.cleaned = False
        self.released = 0

    def release(self) -> None:
        self.released += 1

    async def produce(self, put: Put) -> None:
        try:
            while True:
                await put(b"x" * 1000)
        finally:
            await asyncio.sleep(0.01)
            self.cleaned = True


async def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interface.http.flow.SEND_SECONDS", 0.05)
    ended = Ended()
    taken = 0

    async def send(_: Any) -> None:
        nonlocal taken
        taken += 1
        if taken > 3:
            await never()

    async with asyncio.timeout(5):
        await flow_of(Pipe(ended.produce, ended.release))({}, never, send)
    assert (ended.cleaned, ended.released) == (True, 1)


async def test_a_client_that_goes_away_ends_the_producer_with_its_clean_up() -> None:
    ended = Ended()

    async def receive() -> Any:
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        await asyncio.sleep(0.001)

    async with asyncio.timeout(5):
        await flow_of(Pipe(ended.produce, ended.release))({}, receive, send)
    assert (ended.cleaned, ended.released) == (True, 1)


async def test_a_cancelled_request_cleans_up_too() -> None:
    ended = Ended()

    async def send(_: Any) -> None:
        await asyncio.sleep(0.001)

    request = asyncio.create_task(flow_of(Pipe(ended.produce, ended.release))({}, never, send))
    await asyncio.sleep(0.05)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert (ended.cleaned, ended.released) == (True, 1)


async def test_a_producer_is_never_far_ahead_of_its_client() -> None:
    put_so_far = 0

    async def produce(put: Put) -> None:
        nonlocal put_so_far
        while True:
            await put(b"x")
            put_so_far += 1

    pipe = Pipe(produce, lambda: None)
    await asyncio.sleep(0.05)
    assert put_so_far == QUEUED_CHUNKS
    await pipe.close()


async def test_time_is_up_with_a_last_word() -> None:
    sent: list[bytes] = []

    async def produce(put: Put) -> None:
        await put(b"one ")
        await never()

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    await flow_of(Pipe(produce, lambda: None), seconds=0.05, farewell=b"bye")({}, never, send)
    assert b"".join(sent) == b"one bye"


async def test_a_download_that_breaks_does_not_look_whole(ann: Person, world: World) -> None:
    feature = await ann.finished()

    async def breaking(*_: object) -> Any:
        for _ in range(QUEUED_CHUNKS + 1):
            yield b"PK"
        raise RuntimeError("the disk is gone")

    object.__setattr__(world.services, "archive", breaking)
    with pytest.raises(httpx2.RemoteProtocolError):
        await ann.ask("GET", f"/api/features/{feature}/download")
    assert world.services.places.taken == 0


async def test_a_body_that_does_not_come_is_not_waited_for(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interface.http.body.BODY_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(ann.url).port)
    head = (
        "POST /api/features HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: {ann.headers['Authorization']}\r\nContent-Length: 100\r\n\r\n{{"
    )
    writer.write(head.encode())
    async with asyncio.timeout(5):
        line = await reader.readline()
    assert b" 408 " in line
    writer.close()
    await writer.wait_closed()
