"""HTTP connections whose request must arrive in time: uvicorn itself waits for ever.

Invariant: a connection without a complete request head is closed after `HEAD_SECONDS`, or when its
head has grown past `HEAD_BYTES`.
"""

from asyncio import TimerHandle, Transport
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 10.0
HEAD_BYTES: Final = 64 * 1024


class PatientProtocol(HttpToolsProtocol):
    """A connection that may be slow once its request's head is there, and not before."""

    head_seconds: float = HEAD_SECONDS

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401  # As uvicorn gives them.
        super().__init__(*args, **named)
        self._due: TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # As its base.
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head that is not complete."""
        if self._due is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._due is not None and self._head_bytes > HEAD_BYTES:
            self._give_up()

    def on_message_begin(self) -> None:
        """Another request on this connection begins."""
        super().on_message_begin()
        if self._due is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._stop_waiting()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._head_bytes = 0
        self._due = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.close()
