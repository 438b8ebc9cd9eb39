"""Writes to a client, and watches whether the client takes it.

Invariant: a client that takes less than the least pace is cut off, also once the end is written.
"""

from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections.abc import Callable


class TransportLine:
    """The transport as uvicorn sees it: whoever closes it ends the connection in our way."""

    def __init__(
        self,
        transport: Transport,
        loop: AbstractEventLoop,
        close: Callable[[], None],
        *,
        seconds: float,
        bytes_per_second: float,
    ) -> None:
        """Write to a transport.

        Args:
            transport: Where the client is.
            loop: Whose time it is.
            close: Ends the connection.
            seconds: How long the client is given between two looks.
            bytes_per_second: What it must have taken by then.
        """
        self._transport = transport
        self._loop = loop
        self._close = close
        self._seconds = seconds
        self._pace = bytes_per_second
        self._ended = False
        self._looking: TimerHandle | None = None
        self._untaken = 0

    # As uvicorn uses a transport.

    def write(self, data: bytes) -> None:
        """Write, unless the end was written already."""
        if not self._ended:
            self._transport.write(data)

    def close(self) -> None:
        """End the connection."""
        self._close()

    def is_closing(self) -> bool:
        """Whether the end was written, or the line is broken."""
        return self._ended or self._transport.is_closing()

    # As the connection does.

    def end(self, *, later: bool = False) -> None:
        """Write the end; `later` leaves what the client says still to be read, until it is cut."""
        self._ended = True
        if later and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()
        self.watch()

    def cut(self) -> None:
        """Read nothing more either."""
        self._transport.close()

    def lost(self) -> None:
        """Nobody is there any more."""
        self._ended = True
        self.rest(whatever=True)

    def watch(self) -> None:
        """Look, after a while, at how much of what is written was taken."""
        if self._looking is None:
            self._untaken = self._transport.get_write_buffer_size()
            self._looking = self._loop.call_later(self._seconds, self._look)

    def rest(self, *, whatever: bool = False) -> None:
        """Nearly all is taken: there is nothing to look at, as long as there is no end to take."""
        if self._looking is not None and (whatever or not self._ended):
            self._looking.cancel()
            self._looking = None

    def _look(self) -> None:
        self._looking = None
        left = self._transport.get_write_buffer_size()
        if left and self._untaken - left < self._pace * self._seconds:
            self._transport.abort()
        elif left or self._ended:
            self.watch()
