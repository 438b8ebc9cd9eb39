"""HTTP connections that must be of use: uvicorn itself waits for ever, whatever comes or does not.

A connection waits for its client in one of five ways, each with an end that no trickle moves: for a
head, for a body, for the next request, for the client to take an answer, and for the client to end.

Invariant: as long as it is the client's turn, a deadline runs that only the whole of what is waited
for stops, or a pace that is kept; and while it is ours, the application has a deadline of its own.
"""

import re
from asyncio import TimerHandle, Transport
from enum import Enum, auto
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from interface.crowd import Crowd
from interface.limits import (
    BODY_SECONDS,
    HEAD_BYTES,
    HEAD_SECONDS,
    HEADERS,
    IDLE_SECONDS,
    LINGER_SECONDS,
    PACE_BYTES_PER_SECOND,
    PACE_SECONDS,
    PIPELINED,
    PROXY_IDLE_SECONDS,
    SEND_SECONDS,
)
from interface.line import TransportLine
from interface.refused import (
    BODY_TOO_SLOW,
    HEAD_TOO_LARGE,
    MALFORMED,
    NO_HOST,
    TOO_MANY_PIPELINED,
    WrittenRefusal,
)

__all__ = ["HEAD_BYTES", "PatientProtocol"]

_HOST: Final = re.compile(rb"[A-Za-z0-9._~%:\[\]-]{1,255}")
SLICE_BYTES: Final = 4_096
"""Given to the parser at a time, which says what it found and not where."""
_LINE_BYTES: Final = 4
"""Of a header line, beside its name and value: the colon, the blank and the end of the line."""


class Refusing(Exception):
    """The parser has nothing more to read: what came was refused."""


class Turn(Enum):
    """What is waited for."""

    NOBODY = auto()
    HEAD = auto()
    BODY = auto()
    NEXT = auto()
    END = auto()


class PatientProtocol(HttpToolsProtocol):
    """A connection with one client."""

    head_seconds: float = HEAD_SECONDS
    idle_seconds: float = IDLE_SECONDS
    proxy_idle_seconds: float = PROXY_IDLE_SECONDS
    body_seconds: float = BODY_SECONDS + PACE_SECONDS
    """Longer than the application waits, whose answer says more."""
    pace_seconds: float = PACE_SECONDS
    pace_bytes_per_second: float = PACE_BYTES_PER_SECOND
    send_seconds: float = SEND_SECONDS
    linger_seconds: float = LINGER_SECONDS

    def __init__(self, *args: Any, crowd: Crowd | None = None, **named: Any) -> None:  # noqa: ANN401 - as uvicorn gives them.
        super().__init__(*args, **named)
        self._crowd = crowd or Crowd()
        self._is_in = False
        self._is_told = False
        self._line: TransportLine = None  # type: ignore[assignment]  # As its base, until connected.
        self._turn = Turn.NOBODY
        self._due: TimerHandle | None = None
        self._head_bytes = 0
        self._headers = 0
        self._in_head = False
        self._body_bytes = 0
        self._body_windows = 0
        self._silent_bytes = 0
        self._answering: RequestResponseCycle | None = None
        self._deaf = False
        self._last_word: WrittenRefusal | None = None

    # What happens to the connection.

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # As its base.
        """Let the client in and wait for its first head, or refuse it."""
        super().connection_made(transport)
        self._line = TransportLine(
            transport,
            self.loop,
            self._finish,
            seconds=self.send_seconds,
            bytes_per_second=self.pace_bytes_per_second,
        )
        self.transport = self._line  # type: ignore[assignment]  # All that uvicorn uses of it.
        refused = self._crowd.enter(self._host)
        if refused is None:
            self._is_in = True
            self._wait(Turn.HEAD, self.head_seconds)
        elif self._crowd.answers():
            self._is_told = True
            self._say(refused)
        else:
            self._deaf = True
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting, and tell whoever answers, though other requests wait behind."""
        self._stop_waiting()
        if self._is_in:
            self._crowd.leave(self._host)
        elif self._is_told:
            self._crowd.answered()
        self._line.lost()
        if self._under_way is not None:
            _part(self._under_way)
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, a little at a time: what is too much is noticed before it is read."""
        for begin in range(0, len(data), SLICE_BYTES):
            if self._deaf:
                return
            self._read(data[begin : begin + SLICE_BYTES])

    def _read(self, data: bytes) -> None:
        self._silent_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nothing else is spoken here: it is answered as it stands, and is the last.
            self.cycle.keep_alive = False
            self._deaf = True
        except httptools.HttpParserError:
            if not self._deaf:
                self._reject(MALFORMED)
        if self._deaf:
            return
        if self._silent_bytes > HEAD_BYTES:
            self._reject(HEAD_TOO_LARGE if self._in_head else MALFORMED)
        elif self._is_reading and self._turn is Turn.NOBODY:
            self._body_bytes = self._body_windows = 0
            self._wait(Turn.BODY, self.pace_seconds)

    def pause_writing(self) -> None:
        """The client takes less than it gets."""
        super().pause_writing()
        self._line.watch()

    def resume_writing(self) -> None:
        """The client has taken nearly all of it."""
        super().resume_writing()
        self._line.rest()

    def shutdown(self) -> None:
        """The server stops: what is asked already is answered, more is not waited for."""
        if self._under_way is None:
            self._finish()
        else:
            self.cycle.keep_alive = False

    # What the parser finds.

    def on_message_begin(self) -> None:
        """Another request begins; only now does the time between two end."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._headers = self._silent_bytes = 0
        if self._turn is not Turn.HEAD:
            self._wait(Turn.HEAD, self.head_seconds)

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        super().on_url(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or what comes like one behind a body, where it says nothing to anybody."""
        if self._in_head:
            super().on_header(name, value)
        self._headers += 1
        self._count_head(len(name) + len(value) + _LINE_BYTES)

    def on_headers_complete(self) -> None:
        """The head is there: it is looked at before the application sees it."""
        self._in_head = False
        self._stop_waiting()
        hosts = [value for name, value in self.headers if name == b"host"]
        wants = self.parser.get_http_version() != "1.0"
        if len(hosts) > 1 or (wants and not hosts) or not all(map(_HOST.fullmatch, hosts)):
            self._reject(NO_HOST)
            raise Refusing
        if len(self.pipeline) >= PIPELINED:
            self._reject(TOO_MANY_PIPELINED)
            raise Refusing
        super().on_headers_complete()
        # uvicorn reads no further while a request waits, and would not see its client leave.
        self.flow.resume_reading()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._silent_bytes = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._silent_bytes = 0
        if self._turn is Turn.BODY:
            self._stop_waiting()
        super().on_message_complete()

    # What the application does.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - an ASGI application.
        """Let the application answer; an answer to what is not read yet is the last one."""
        self._answering = cycle

        async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            async def told(message: Any) -> None:  # noqa: ANN401
                if message["type"] == "http.response.start" and cycle.more_body:
                    cycle.keep_alive = False
                await send(message)

            await app(scope, receive, told)

        super()._start_asgi_task(cycle, answer)

    def on_response_complete(self) -> None:
        """The answer is written: begin with the next request, or wait for one."""
        self.server_state.total_requests += 1
        if self._line.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last_word is not None:
            self._say(self._last_word)
        elif self._turn is Turn.NOBODY:
            proxy = self._crowd.is_proxy(self._host)
            self._wait(Turn.NEXT, self.proxy_idle_seconds if proxy else self.idle_seconds)

    # How it ends.

    @property
    def _host(self) -> str | None:
        """Where the connection comes from."""
        return self.client[0] if self.client else None

    @property
    def _under_way(self) -> RequestResponseCycle | None:
        """The request that is being answered."""
        cycle = self._answering
        return None if cycle is None or cycle.response_complete else cycle

    @property
    def _is_reading(self) -> bool:
        """Whether a body is on its way that the application has not answered yet."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and cycle.more_body and not self._in_head

    def _count_head(self, size: int) -> None:
        """Count what was found of a head, and of what comes like one behind a body."""
        self._silent_bytes = 0
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES or self._headers > HEADERS:
            self._reject(HEAD_TOO_LARGE)
            raise Refusing

    def _reject(self, refused: WrittenRefusal) -> None:
        """Refuse what came and read no further, after answering earlier requests."""
        self._deaf = True
        self._stop_waiting()
        under_way = self._under_way
        if self.pipeline and self.pipeline[0][0].more_body:
            self.pipeline.popleft()
        elif under_way is not None and under_way.more_body:
            _part(under_way)
            if under_way.response_started:
                self._finish()
                return
            under_way = None
        if under_way is not None:
            self._last_word = refused
        else:
            self._say(refused)

    def _say(self, refused: WrittenRefusal) -> None:
        self._line.write(refused.answer(self.server_state.default_headers))
        self._deaf = True
        self._finish()

    def _finish(self) -> None:
        """Write the end. What the client is still sending is thrown away for a moment first.

        Closed with something unread, the answer might be lost on its way.
        """
        if self._line.is_closing():
            return
        unread = self._deaf or self._in_head or self._is_reading
        self._deaf = True
        if unread:
            self.flow.resume_reading()
            self._wait(Turn.END, self.linger_seconds)
        else:
            self._stop_waiting()
        self._line.end(later=unread)

    # How long it may last.

    def _wait(self, turn: Turn, seconds: float) -> None:
        self._stop_waiting()
        self._turn = turn
        self._due = self.loop.call_later(seconds, self._time_is_up)

    def _stop_waiting(self) -> None:
        self._turn = Turn.NOBODY
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _time_is_up(self) -> None:
        turn = self._turn
        self._stop_waiting()
        match turn:
            case Turn.BODY:
                self._look_at_body()
            case Turn.END:
                self._line.cut()
            case _:
                self._line.end()

    def _look_at_body(self) -> None:
        """Go on as long as the body keeps its pace, and for so long."""
        self._body_windows += 1
        enough = self._body_bytes >= self.pace_bytes_per_second * self.pace_seconds
        lasted = self._body_windows * self.pace_seconds
        # While it is not read here, the client cannot send.
        if (enough or self.flow.read_paused) and lasted < self.body_seconds:
            self._body_bytes = 0
            self._wait(Turn.BODY, self.pace_seconds)
        else:
            self._reject(BODY_TOO_SLOW)


def _part(cycle: RequestResponseCycle) -> None:
    """Tell the application that nobody waits for its answer any more."""
    cycle.disconnected = True
    cycle.message_event.set()
