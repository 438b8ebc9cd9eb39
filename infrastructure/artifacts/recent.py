"""A worker's last files in memory: what an agent stores, the next agents read at once.

Invariant: only what the store took or gave is here, never more than so many bytes. The hash in the
key names the content, so that nothing here can be out of date.
"""

from collections.abc import Collection
from typing import Final

from application.ports import ArtifactStore
from application.running.recent import Recent

BYTES_AT_MOST: Final = 16 * 2**20
"""A few dozen implementations of the usual size."""


class RecentFiles:
    """An `ArtifactStore` before another one."""

    def __init__(self, store: ArtifactStore, *, at_most: int = BYTES_AT_MOST) -> None:
        """Take the store, and how many bytes to keep."""
        self._store = store
        self._kept: Recent[str, bytes] = Recent(at_most, len)

    async def put(self, key: str, body: bytes) -> None:
        """Store, then keep."""
        await self._store.put(key, body)
        self._kept.keep(key, body)

    async def get(self, key: str) -> bytes:
        """The bytes, from here or from the store. Raises as the store does."""
        kept = self._kept.find(key)
        if kept is not None:
            return kept
        body = await self._store.get(key)
        self._kept.keep(key, body)
        return body

    async def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        """Forget everything under `tenant/feature/`, and delete it but what is to be kept."""
        self._kept.forget_all(lambda key: key.startswith(prefix))
        return await self._store.delete_prefix(prefix, *((keep,) if keep else ()))

    async def ready(self) -> bool:
        """Whether the store answers."""
        return await self._store.ready()
