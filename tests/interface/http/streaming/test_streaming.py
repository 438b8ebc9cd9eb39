"""Answers that go on end well in every case: slow, stuck, broken and cancelled."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from application.delivery.parcel import Parcel
from interface.http.streaming.streaming import QUEUED_CHUNKS, Ending, Pipe, Put, StreamedResponse
from tests.interface.world import Person, World, settled


def flow_of(pipe: Pipe, **ending: Any) -> Any:
    """The response as an application of its own."""
    flow = StreamedResponse(pipe, Ending(**ending), media_type="text/plain", headers={})
    return flow.to_asgi_response()


async def never() -> Any:
    await asyncio.Event().wait()


def taking(under_way: asyncio.Event) -> Any:
    """A client that takes everything, and says so once some of the body is there."""
    taken = 0

    async def send(_: Any) -> None:
        nonlocal taken
        taken += 1
        if taken > 2 * QUEUED_CHUNKS:
            under_way.set()
        await asyncio.sleep(0)

    return send


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
            for _ in range(20):  # It gives way often, and is still waited for.
                await asyncio.sleep(0)
            self.cleaned = True


async def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interface.http.streaming.streaming.SEND_SECONDS", 0.05)
    ended = Ended()
    taken = 0

    async def send(_: Any) -> None:
        nonlocal taken
        taken += 1
        if taken > 3:
            await never()

    await flow_of(Pipe(ended.produce, ended.release))({}, never, send)
    assert (ended.cleaned, ended.released) == (True, 1)


async def test_a_client_that_goes_away_ends_the_producer_with_its_clean_up() -> None:
    ended = Ended()

    under_way = asyncio.Event()

    async def receive() -> Any:
        await under_way.wait()
        return {"type": "http.disconnect"}

    await flow_of(Pipe(ended.produce, ended.release))({}, receive, taking(under_way))
    assert (ended.cleaned, ended.released) == (True, 1)


async def test_a_cancelled_request_cleans_up_too() -> None:
    ended = Ended()

    under_way = asyncio.Event()
    flow = flow_of(Pipe(ended.produce, ended.release))
    request = asyncio.create_task(flow({}, never, taking(under_way)))
    await under_way.wait()
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
    for taken in range(3):
        for _ in range(10 * QUEUED_CHUNKS):  # As many turns as would take it further, if it could.
            await asyncio.sleep(0)
        assert put_so_far == QUEUED_CHUNKS + taken
        await pipe.get()
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

    async def chunks() -> Any:
        for _ in range(QUEUED_CHUNKS + 1):
            yield b"PK"
        raise RuntimeError("the disk is gone")

    async def breaking(*_: object) -> Parcel:
        return Parcel("x", "0" * 64, chunks)

    object.__setattr__(world.services, "archive", breaking)
    with pytest.raises(httpx2.RemoteProtocolError):
        await ann.ask("GET", f"/api/features/{feature}/download")
    await settled(world)


async def test_a_body_that_does_not_come_is_not_waited_for(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interface.http.requests.body.BODY_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(ann.url).port)
    head = (
        "POST /api/features HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: {ann.headers['Authorization']}\r\nContent-Length: 100\r\n\r\n{{"
    )
    writer.write(head.encode())
    line = await reader.readline()
    assert b" 408 " in line
    writer.close()
    await writer.wait_closed()
