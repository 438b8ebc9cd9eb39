"""The zip of a finished feature, streamed: the same files give the same bytes, every time."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

from stream_zip import ZIP_32, Method, async_stream_zip

from application.download import Download

# The format keeps no time zone; one fixed time, so that the bytes depend on the files alone.
EPOCH: Final = datetime(1980, 1, 1)  # noqa: DTZ001
MODE: Final = 0o100644
CHUNK_BYTES: Final = 65_536


class ZipArchive:
    """Zips what a download gives."""

    def __init__(self, download: Download) -> None:
        self._download = download

    async def __call__(
        self, tenant_id: UUID, feature_id: UUID, version: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The zip's bytes, of the feature as it is or as it was at a version.

        Raises:
            NotFound, NotNow: as for the download, before the first byte.
        """
        entries = await self._download.entries(tenant_id, feature_id, version)
        async for chunk in async_stream_zip(_members(entries), chunk_size=CHUNK_BYTES):
            yield chunk


async def _members(
    entries: AsyncIterator[tuple[str, bytes]],
) -> AsyncIterator[tuple[str, datetime, int, Method, AsyncIterator[bytes]]]:
    async for path, body in entries:
        yield path, EPOCH, MODE, ZIP_32, _one(body)


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body
