"""Where the bytes of a feature's files are: under its own name, or under that of an ancestor.

Invariant: a fork copies no file. An ancestor that is deleted hands its files over before they are
removed there; so at every moment one of the places has the bytes. Files that cannot be handed over
stay where they are until the next try; files that no fork names are removed all the same.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol
from uuid import UUID

from application.delivery.artifact_keys import artifact_key, artifact_prefix
from application.features import Features
from application.ports import ArtifactDamaged, ArtifactMissing, ArtifactStore
from domain.errors import NotFound
from domain.events import FileWritten, ImplementationCompleted, told

FILES_AT_ONCE: Final = 8
"""How many of a feature's files are read side by side."""


class Descendants(Protocol):
    """Forks of forks, as the log knows them."""

    async def descendants(self, tenant_id: UUID, feature_id: UUID) -> "list[UUID]":
        """The living features that descend from this one, at whatever distance."""


class FilesKept(Exception):
    """Files of a deleted feature stay: a living fork names them, and they are damaged.

    Put the right bytes back from a backup, or delete the fork.
    """

    def __init__(self, hashes: Iterable[str]) -> None:
        named = sorted(hashes)
        super().__init__(
            "A living fork names files that are damaged, and cannot be given them: put the right "
            f"bytes back, or delete the fork. Kept: {len(named)}, the first is {named[0]}."
        )


async def read_stored(
    artifacts: ArtifactStore, tenant_id: UUID, feature_id: UUID, file: FileWritten
) -> bytes:
    """The bytes of a feature's file, checked against its hash.

    Raises:
        ArtifactMissing: none of the places has them.
        ArtifactDamaged: they are not those of the hash.
    """
    for ancestor in reversed(file.also_in):  # Whoever stored it first is named last.
        try:
            return await artifacts.get(artifact_key(tenant_id, ancestor, file.sha256))
        except ArtifactMissing:
            continue
    return await artifacts.get(artifact_key(tenant_id, feature_id, file.sha256))


async def read_all_stored(
    artifacts: ArtifactStore, tenant_id: UUID, feature_id: UUID, files: Iterable[FileWritten]
) -> list[bytes]:
    """The bytes of several files, in their order, some read side by side. Raises as for one."""
    turn = asyncio.Semaphore(FILES_AT_ONCE)

    async def body(file: FileWritten) -> bytes:
        async with turn:
            return await read_stored(artifacts, tenant_id, feature_id, file)

    return list(await asyncio.gather(*map(body, files)))


async def read_what_is_there(
    artifacts: ArtifactStore, tenant_id: UUID, feature_id: UUID, files: Iterable[FileWritten]
) -> dict[str, bytes]:
    """The bytes of several files, by hash, without those that are missing or damaged."""
    turn = asyncio.Semaphore(FILES_AT_ONCE)

    async def body(file: FileWritten) -> bytes | None:
        async with turn:
            try:
                return await read_stored(artifacts, tenant_id, feature_id, file)
            except (ArtifactMissing, ArtifactDamaged):
                return None

    wanted = {file.sha256: file for file in files}
    bodies = await asyncio.gather(*map(body, wanted.values()))
    return {sha256: one for sha256, one in zip(wanted, bodies, strict=True) if one is not None}


async def remove_stored(
    artifacts: ArtifactStore,
    features: Features,
    forks: Descendants,
    tenant_id: UUID,
    feature_id: UUID,
) -> int:
    """Remove all files of a deleted feature, once its living descendants have what they name.

    May be cut short and done again. How many objects were removed.

    Raises:
        FilesKept: all are removed but these.
        Unreadable: which files a fork names cannot be read here; nothing was removed.
        Unavailable: the store or the database does not answer.
    """
    kept: set[str] = set()
    for fork_id in await forks.descendants(tenant_id, feature_id):
        for file in await _named(features, tenant_id, fork_id):
            if feature_id in file.also_in:
                try:
                    await _hand_over(artifacts, tenant_id, feature_id, fork_id, file.sha256)
                except ArtifactDamaged:
                    kept.add(file.sha256)
    prefix = artifact_prefix(tenant_id, feature_id)
    if not kept:
        return await artifacts.delete_prefix(prefix)
    await artifacts.delete_prefix(prefix, kept)
    raise FilesKept(kept)


async def _named(features: Features, tenant_id: UUID, fork_id: UUID) -> Iterable[FileWritten]:
    try:
        history = await features.history(tenant_id, fork_id)
    except NotFound:  # It was deleted in the meantime: it names nothing any more.
        return ()
    events = (told(recorded.event) for recorded in history)
    made = [event for event in events if isinstance(event, ImplementationCompleted)]
    return {(f.sha256, f.also_in): f for event in made for f in event.files}.values()


async def _hand_over(
    artifacts: ArtifactStore, tenant_id: UUID, feature_id: UUID, fork_id: UUID, sha256: str
) -> None:
    try:
        body = await artifacts.get(artifact_key(tenant_id, feature_id, sha256))
    except ArtifactMissing:  # Another ancestor stores it.
        return
    await artifacts.put(artifact_key(tenant_id, fork_id, sha256), body)
