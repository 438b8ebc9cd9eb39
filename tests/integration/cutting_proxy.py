"""A proxy before PostgreSQL's socket that cuts, swallows or lets through.

Invariant: an answer that is cut off was complete at the server: what it answers is done.
"""

import asyncio
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

READY_FOR_QUERY = b"Z\x00\x00\x00\x05I"
NAME = ".s.PGSQL.5432"


class CuttingProxy:
    """One listening socket in a folder of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        parts = conninfo_to_dict(url)
        self._server = Path(str(parts["host"])) / f".s.PGSQL.{parts.get('port', 5432)}"
        self._folder = folder
        self.url = make_conninfo(url, host=str(folder), port=5432)
        self.cut_after_query_with: bytes | None = None
        """Cut the connection instead of answering the next query that has these bytes."""
        self.swallow = False
        """Take everything, answer nothing."""
        self.cuts = 0
        self._deaf: set[asyncio.Event] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def deafen(self) -> int:
        """Make every connection there is half-open, and take new ones; how many there were.

        So it looks when the peer's machine is gone, or a firewall between has forgotten: what is
        sent goes nowhere, and nobody says that it does.
        """
        for connection in self._deaf:
            connection.set()
        return len(self._deaf)

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_unix_server(self._client, str(self._folder / NAME))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        for writer in [*self._writers]:
            writer.close()
        while self._writers:
            await asyncio.sleep(0.001)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(str(self._server))
        ends = {writer, server_writer}
        self._writers |= ends
        armed, deaf = asyncio.Event(), asyncio.Event()
        self._deaf.add(deaf)
        pipes = [
            asyncio.create_task(self._upwards(reader, server_writer, armed, deaf)),
            asyncio.create_task(self._downwards(server_reader, writer, armed, deaf)),
        ]
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
        self._deaf.discard(deaf)
        for end in ends:
            end.close()
            with suppress(OSError):
                await end.wait_closed()
        self._writers -= ends

    async def _upwards(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        armed: asyncio.Event,
        deaf: asyncio.Event,
    ) -> None:
        while data := await reader.read(65536):
            if self.swallow or deaf.is_set():
                continue
            if self.cut_after_query_with is not None and self.cut_after_query_with in data:
                self.cut_after_query_with = None
                armed.set()
            writer.write(data)
            await writer.drain()

    async def _downwards(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        armed: asyncio.Event,
        deaf: asyncio.Event,
    ) -> None:
        while data := await reader.read(65536):
            if deaf.is_set():
                continue
            if armed.is_set():
                if READY_FOR_QUERY in data:
                    self.cuts += 1
                    return
                continue
            if not self.swallow:
                writer.write(data)
                await writer.drain()


class CutShort:
    """A proxy before any server that lets so many bytes of its answers through, then ends them.

    `mode` says how: `end` closes the connection, `reset` resets it, `noise` sends bytes that are no
    answer instead of the rest.
    """

    def __init__(self, server: tuple[str, int] | Path, folder: Path | None = None) -> None:
        """Stand before a TCP port, or a socket, whose stand-in is put into `folder`."""
        self._server = server
        self._folder = folder
        self.after: int | None = None
        """Bytes of each connection's answers that get through; None lets all through."""
        self.mode = "end"
        self.passed = 0
        """The most bytes that one connection was answered."""
        self.cuts = 0
        """How many connections were cut."""
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        if isinstance(self._server, Path):
            assert self._folder is not None
            self._listener = await asyncio.start_unix_server(
                self._client, str(self._folder / self._server.name)
            )
        else:
            self._listener = await asyncio.start_server(self._client, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        self.drop()
        while self._writers:
            await asyncio.sleep(0.001)

    def drop(self) -> None:
        """End every connection: whoever comes again is answered as far as `after` says."""
        for writer in [*self._writers]:
            writer.transport.abort()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._server, Path):
            answers, asked = await asyncio.open_unix_connection(str(self._server))
        else:
            answers, asked = await asyncio.open_connection(*self._server)
        ends = {writer, asked}
        self._writers |= ends
        pipes = [
            asyncio.create_task(self._asks(reader, asked)),
            asyncio.create_task(self._answers(answers, writer)),
        ]
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
        for end in ends:
            end.close()
            with suppress(OSError):
                await end.wait_closed()
        self._writers -= ends

    async def _asks(self, reader: asyncio.StreamReader, asked: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            asked.write(data)
            await asked.drain()

    async def _answers(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.after
        passed = 0
        while data := await answers.read(65536):
            rest = data if left is None else data[:left]
            writer.write(rest)
            passed += len(rest)
            self.passed = max(self.passed, passed)
            if left is not None and (left := left - len(rest)) <= 0:
                self.cuts += 1
                if self.mode == "noise":
                    writer.write(NOISE)
                await writer.drain()
                if self.mode == "reset":
                    writer.transport.abort()
                return
            await writer.drain()


NOISE = b'\x00\xff{]<//>\r\n\r\n"%s\n\x80' * 40
