"""A worker's last files in memory: what an agent stores, the next agents read at once.

Invariant: only what the store took or gave is here, never more than so many bytes. The hash in the
key names the content, so that nothing here can be out of date.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from application.ports import ArtifactStore

BYTES_AT_MOST: Final = 16 * 2**20
"""A few dozen implementations of the usual size."""


class RecentFiles:
    """An `ArtifactStore` before another one."""

    def __init__(self, store: ArtifactStore, *, at_most: int = BYTES_AT_MOST) -> None:
        """Take the store, and how many bytes to keep."""
        self._store = store
        self._at_most = at_most
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    async def put(self, key: str, body: bytes) -> None:
        """Store, then keep."""
        await self._store.put(key, body)
        self._keep(key, body)

    async def get(self, key: str) -> bytes:
        """The bytes, from here or from the store. Raises as the store does."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        body = await self._store.get(key)
        self._keep(key, body)
        return body

    async def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        """Forget everything under `tenant/feature/`, and delete it but what is to be kept."""
        for key in [key for key in self._kept if key.startswith(prefix)]:
            self._bytes -= len(self._kept.pop(key))
        return await self._store.delete_prefix(prefix, *((keep,) if keep else ()))

    async def ready(self) -> bool:
        """Whether the store answers."""
        return await self._store.ready()

    def _keep(self, key: str, body: bytes) -> None:
        self._bytes += len(body) - len(self._kept.pop(key, b""))
        self._kept[key] = body
        while self._bytes > self._at_most:
            self._bytes -= len(self._kept.popitem(last=False)[1])
