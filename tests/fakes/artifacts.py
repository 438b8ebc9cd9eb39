"""The object store, in memory."""

from collections.abc import Collection

from application.ports import ArtifactMissing
from infrastructure.artifacts.keys import checked_body, checked_key, checked_prefix


class MemoryArtifacts:
    """The port `ArtifactStore`: files by hash, in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, key: str, body: bytes) -> None:
        checked_key(key)
        self.kept[key] = checked_body(key, body)

    async def get(self, key: str) -> bytes:
        if checked_key(key) not in self.kept:
            raise ArtifactMissing
        return checked_body(key, self.kept[key])

    async def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        checked_prefix(prefix)
        kept = {prefix + digest for digest in keep}
        gone = [key for key in self.kept if key.startswith(prefix) and key not in kept]
        for key in gone:
            del self.kept[key]
        return len(gone)

    async def ready(self) -> bool:
        return True
