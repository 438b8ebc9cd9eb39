"""The pace that a connection asks for, on a clock of the test's own."""

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from interface.crowd import Crowd
from interface.patient import PatientProtocol

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"


class Timer:
    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """What a protocol asks of an event loop, at a time of the test's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + seconds, call))
        return self.timers[-1]

    def create_task(self, work: Any, **_: Any) -> asyncio.Future[None]:
        work.close()
        return asyncio.get_running_loop().create_future()

    def forward(self, seconds: float) -> None:
        self.now += seconds
        while due := [t for t in self.timers if t.at <= self.now and not t.cancelled]:
            first = min(due, key=lambda timer: timer.at)
            self.timers.remove(first)
            first.call()


class Transport:
    """What a protocol asks of a transport; the client takes what the test says."""

    def __init__(self) -> None:
        self.written = b""
        self.untaken = 0
        self.ended = ""

    def write(self, data: bytes) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.ended = self.ended or "eof"

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def is_closing(self) -> bool:
        return self.ended in ("closed", "aborted")

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def get_extra_info(self, _: str) -> None:
        return None

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def connected() -> tuple[PatientProtocol, Transport, Clock]:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    clock, transport = Clock(), Transport()
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
    protocol = PatientProtocol(config, ServerState(), {}, clock, crowd=Crowd())
    protocol.connection_made(transport)  # type: ignore[arg-type]  # As much of one as is asked of.
    return protocol, transport, clock


async def test_a_head_has_ten_seconds_however_it_comes() -> None:
    protocol, transport, clock = connected()
    for n in range(10):
        assert transport.ended == ""
        protocol.data_received(POST[n : n + 1])
        clock.forward(1)
    assert (transport.ended, transport.written) == ("closed", b"")


async def test_a_body_keeps_a_pace_of_a_kilobyte_a_second() -> None:
    protocol, transport, clock = connected()
    protocol.data_received(POST)
    for _ in range(2):
        clock.forward(9)
        protocol.data_received(b"x" * 10_240)
        clock.forward(1)
        assert transport.written == b""
    clock.forward(9)
    protocol.data_received(b"x" * 10_239)
    assert transport.written == b""
    clock.forward(1)
    assert transport.written.startswith(b"HTTP/1.1 408 ")
    assert transport.ended == "eof"


async def test_a_body_has_forty_seconds_at_any_pace() -> None:
    protocol, transport, clock = connected()
    protocol.data_received(POST)
    for _ in range(39):
        clock.forward(1)
        protocol.data_received(b"x" * 2_000)
        assert transport.written == b""
    clock.forward(1)
    assert transport.written.startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_is_not_read_here_is_not_late() -> None:
    protocol, transport, clock = connected()
    protocol.data_received(POST)
    protocol.data_received(b"x" * 65_537)
    clock.forward(10)
    assert protocol.flow.read_paused
    clock.forward(10)
    assert transport.written == b""


async def test_whoever_takes_a_kilobyte_a_second_is_not_left() -> None:
    protocol, transport, clock = connected()
    protocol.data_received(GET)
    transport.untaken = 200_000
    protocol.pause_writing()
    for _ in range(3):
        transport.untaken -= 30 * 1_024
        clock.forward(30)
        assert transport.ended == ""
    transport.untaken -= 30 * 1_024 - 1
    clock.forward(30)
    assert transport.ended == "aborted"


async def test_whoever_has_taken_nearly_all_is_not_watched_any_more() -> None:
    protocol, transport, clock = connected()
    protocol.data_received(GET)
    transport.untaken = 200_000
    protocol.pause_writing()
    transport.untaken = 10_000
    protocol.resume_writing()
    clock.forward(1_000)
    assert transport.ended == ""


async def test_after_the_end_nothing_more_is_taken_than_the_pace_allows() -> None:
    _, transport, clock = connected()
    transport.untaken = 100
    clock.forward(10)
    assert transport.ended == "closed"
    clock.forward(29)
    assert transport.ended == "closed"
    clock.forward(1)
    assert transport.ended == "aborted"
