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
