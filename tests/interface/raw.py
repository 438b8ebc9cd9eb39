"""A real server in a thread, in the service's own event loop, and plain sockets to it.

The time that a test is about is short, all others are long: so it waits for a condition, and how
fast the machine is decides nothing.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

from interface.crowd import Crowd
from interface.patient import PatientProtocol
from interface.refused import WrittenRefusal
from interface.server import listen, serve

PATIENCE = 30.0
"""Seconds after which something that must happen never will; no test passes or fails by it."""


QUICK = 0.05


class Calm(PatientProtocol):
    """Never in a hurry, so that a test which expects an answer gets it on any machine."""

    head_seconds = idle_seconds = body_seconds = pace_seconds = send_seconds = 1_000.0
    linger_seconds = QUICK


class QuickHead(Calm):
    """Waits for a head as long as a test does, and for all else in peace."""

    head_seconds = QUICK


class QuickBody(Calm):
    """The same for a body."""

    pace_seconds = QUICK
    body_seconds = 3 * QUICK


class QuickTaking(Calm):
    """The same for whoever takes an answer, and leaves it lying."""

    send_seconds = idle_seconds = QUICK


class Watched(Crowd):
    """A crowd that remembers how many were let in."""

    came = 0

    def enter(self, host: str | None) -> WrittenRefusal | None:
        refused = super().enter(host)
        self.came += refused is None
        return refused


class Server:
    """Where it listens, and who is there."""

    def __init__(self, address: tuple[str, int], crowd: Watched) -> None:
        self.address = address
        self.crowd = crowd

    def connect(self, source: str = "127.0.0.1", receive_bytes: int = 0) -> socket.socket:
        client = socket.socket()
        client.settimeout(PATIENCE)
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.bind((source, 0))
        client.connect(self.address)
        return client

    def ask(self, request: bytes, **where: Any) -> bytes:
        """All that is answered to these bytes, to the end of the connection."""
        with self.connect(**where) as client:
            client.sendall(request)
            return rest_of(client)

    def wait_until_left(self, came: int = 0) -> None:
        """Wait until nobody is connected any more, after so many have been."""
        until(lambda: self.crowd.came >= came, "somebody came")
        until(lambda: self.crowd.open == 0, "everybody has left")


@contextmanager
def serving_raw(
    app: Any,
    protocol: type[PatientProtocol] = Calm,
    *,
    crowd: Watched | None = None,
    trusted_proxies: str = "",
) -> Iterator[Server]:
    listener = listen("127.0.0.1", 0)
    address, crowd = listener.getsockname(), crowd or Watched()
    begun, ended = threading.Event(), threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def work() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        await serve(
            app,
            listener,
            stop,
            begun.set,
            trusted_proxies=trusted_proxies,
            crowd=crowd,
            protocol=protocol,
        )

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(work())
        finally:
            ended.set()
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait(PATIENCE)
    try:
        assert not ended.is_set()
        yield Server(address, crowd)
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def until(true: Callable[[], Any], what: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, f"never came to pass: {what}"
        time.sleep(0.005)


def rest_of(client: socket.socket) -> bytes:
    """What comes until the other side ends the connection, in order or not."""
    came = bytearray()
    try:
        while piece := client.recv(65_536):
            came += piece
    except ConnectionResetError:
        pass
    return bytes(came)


def answer_of(client: socket.socket, ending: bytes) -> bytes:
    """What comes up to these bytes."""
    came = bytearray()
    while not came.endswith(ending):
        piece = client.recv(1)
        assert piece, f"ended after {bytes(came)!r}"
        came += piece
    return bytes(came)


def trickle(client: socket.socket, drop: bytes, drops: int = 2_000) -> int:
    """Send a little now and then until the other side has had enough; how often it was sent."""
    for sent in range(drops):
        try:
            client.sendall(drop)
        except OSError:
            return sent
        time.sleep(0.01)
    raise AssertionError("the connection lives on, by what does nothing")
