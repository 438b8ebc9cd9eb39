"""The zip of a finished feature, streamed: the same files give the same bytes, every time.

Invariant: no more than a batch of files is held beside the zip's own buffers, and compressing
happens in a thread, which asks for whole batches: what costs time is going back and forth.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version as version_of
from typing import Final
from uuid import UUID

from stream_zip import ZIP_32, Method, stream_zip

from application.delivery.download import Download
from application.delivery.kit import EXECUTABLE as PROGRAMS
from application.delivery.parcel import Parcel

# One fixed time, so that the bytes depend on the files alone. The format knows no earlier day than
# 1 January 1980, and unpacked files have it in local time: in every zone it is a day later.
EPOCH: Final = datetime(1980, 1, 3, tzinfo=UTC)
MODE: Final = 0o100644
EXECUTABLE: Final = 0o100755
CHUNK_BYTES: Final = 65_536
BATCH_BYTES: Final = 1 << 20
PACKER: Final = f"stream-zip {version_of('stream-zip')}, zlib {zlib.ZLIB_RUNTIME_VERSION}"
"""What makes other bytes of the same files, should it change."""

Entry = tuple[str, bytes]


class ZipArchive:
    """Zips what a download gives."""

    def __init__(self, download: Download) -> None:
        self._download = download

    async def __call__(
        self, tenant_id: UUID, feature_id: UUID, version: int | None = None
    ) -> Parcel:
        """The zip of the feature as it is, or as it was at a version.

        Raises:
            NotFound, NotNow: as for the download.
        """
        contents = await self._download.of(tenant_id, feature_id, version)
        named = f"{contents.fingerprint} {PACKER}"
        name = sha256(named.encode()).hexdigest()
        return Parcel(contents.called, name, lambda: _zipped(contents.entries()))


async def _zipped(entries: AsyncIterator[Entry]) -> AsyncGenerator[bytes, None]:
    """The zip's bytes."""
    loop = asyncio.get_running_loop()

    def members() -> Iterator[tuple[str, datetime, int, Method, tuple[bytes]]]:
        while batch := asyncio.run_coroutine_threadsafe(_batch(entries), loop).result():
            for path, body in batch:
                yield path, EPOCH, _mode(path), ZIP_32, (body,)

    pieces = iter(stream_zip(members(), chunk_size=CHUNK_BYTES))
    while chunk := await asyncio.to_thread(_chunk, pieces):
        yield chunk


def _mode(path: str) -> int:
    """Programs at the top of the folder are for starting; nothing else is marked as one."""
    return EXECUTABLE if path.partition("/")[2] in PROGRAMS else MODE


def _chunk(pieces: Iterator[bytes]) -> bytes:
    """The next bytes, in a piece that is worth sending; none at the end."""
    chunk = bytearray()
    for piece in pieces:
        chunk += piece
        if len(chunk) >= CHUNK_BYTES:
            break
    return bytes(chunk)


async def _batch(entries: AsyncIterator[Entry]) -> list[Entry]:
    """The next files, a megabyte or a little more; none at the end."""
    batch: list[Entry] = []
    size = 0
    async for entry in entries:
        batch.append(entry)
        size += len(entry[1])
        if size >= BATCH_BYTES:
            break
    return batch
