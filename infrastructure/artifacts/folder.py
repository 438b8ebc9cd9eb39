"""Stored files in a folder of this machine, for one machine or a shared file system.

Invariant: a file is there completely or not at all, and once `put` returns, a power cut does not
take it away: written aside, synced, renamed, and the folder synced. Files of one feature that come
together are one object (`packs`), and one wait for the disk.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from application.ports import ArtifactMissing, Unavailable
from infrastructure.artifacts.keys import (
    checked_body,
    checked_key,
    checked_prefix,
    has_hash,
    is_key,
    is_pack,
)
from infrastructure.artifacts.packs import (
    HEAD_BYTES,
    SUFFIX,
    Index,
    PackDamaged,
    PlaceInPack,
    as_object,
    grouped,
    index_of,
)
from infrastructure.artifacts.tree_heads import DESTROYED, PREFIX, FolderTreeHeads
from infrastructure.batcher import Batcher

_ASIDE: Final = "incoming"
_ABANDONED_AFTER_SECONDS: Final = 3600
_TRIES: Final = 5
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class FolderStore:
    """Files under one root, each tenant and feature in a folder of its own (mode 0700)."""

    def __init__(self, root: Path, *, packs: bool = True) -> None:
        """Take the root, made when the store is opened; whether files may share an object."""
        self._root = root
        self._packs = packs
        self._aside = root / _ASIDE
        # Calls that arrive together go to one thread, and wait for the disk together.
        self._puts = Batcher[tuple[str, bytes], None](self._put_all)
        self._gets = Batcher[str, bytes | None](self._get_all)

    async def __aenter__(self) -> Self:
        """Make the root, and drop what a killed process left half-written."""
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held open."""

    async def put(self, key: str, body: bytes) -> None:
        """Store durably. A repeat writes the same bytes again, which also mends a damaged file."""
        checked_body(checked_key(key), body)
        with _as_unavailable():
            await self._puts((key, body))

    async def get(self, key: str) -> bytes:
        """Read. Raises ArtifactMissing or ArtifactDamaged."""
        checked_key(key)
        with _as_unavailable():
            body = await self._gets(key)
        if body is None:
            raise ArtifactMissing(f"the stored file {key} is not there")
        return checked_body(key, body)

    async def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        """Delete all files of a feature but those with these hashes; how many that were.

        Of a pack, what is kept is taken out first, as it is.
        """
        with _as_unavailable():
            folder = self._root / checked_prefix(prefix)
            return await asyncio.to_thread(self._delete, folder, frozenset(keep))

    async def ready(self) -> bool:
        """Tell whether a file can be written."""
        return await asyncio.to_thread(self._probe)

    def tree_heads(self) -> FolderTreeHeads:
        """The signed tree heads of the log, in a folder beside the tenants'."""
        return FolderTreeHeads(self._root / PREFIX)

    def destroyed(self) -> FolderTreeHeads:
        """Signed notes of what was destroyed, in another."""
        return FolderTreeHeads(self._root / DESTROYED)

    async def names(self) -> AsyncIterator[str]:
        """The keys of all stored files, feature by feature."""
        for tenant in await asyncio.to_thread(_entries, self._root):
            for feature in await asyncio.to_thread(_entries, tenant):
                for file in await asyncio.to_thread(_entries, feature):
                    key = f"{tenant.name}/{feature.name}/{file.name}"
                    if is_key(key):
                        yield key
                    elif is_pack(key):
                        for digest in await asyncio.to_thread(_index, file) or ():
                            yield f"{tenant.name}/{feature.name}/{digest}"

    def _open(self) -> None:
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._aside.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Unavailable("the artifact folder", f"{self._root}: {error.strerror}") from error
        for draft in self._aside.iterdir():
            with contextlib.suppress(OSError):  # What stays there is in nobody's way.
                if time.time() - draft.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
                    draft.unlink()

    async def _put_all(self, files: Sequence[tuple[str, bytes]]) -> Sequence[None]:
        objects = [as_object(group) for group in grouped(files, apart=not self._packs)]
        await asyncio.to_thread(self._write, [(self._root / key, body) for key, body in objects])
        return [None] * len(files)

    async def _get_all(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return await asyncio.to_thread(lambda: [self._find(key) for key in keys])

    def _find(self, key: str) -> bytes | None:
        """The bytes of a file, alone or out of a pack; if none are right, those that are not."""
        wrong: bytes | None = None
        path = self._root / key
        for body in (_read(path), *_taken_out(path)):
            if body is not None and has_hash(key, body):
                return body
            wrong = wrong if body is None else body
        return wrong

    def _write(self, files: Sequence[tuple[Path, bytes]]) -> None:
        drafts = self._drafts([body for _, body in files])
        try:
            for draft, (path, _) in zip(drafts, files, strict=True):
                self._place(draft, path)
        except BaseException:
            for draft in drafts:
                draft.unlink(missing_ok=True)
            raise
        for folder in {path.parent for path, _ in files}:
            _sync_folder(folder)

    def _place(self, draft: Path, path: Path) -> None:
        # A deletion of the same feature may take the folder away between the two steps.
        for _ in range(_TRIES):
            with contextlib.suppress(FileNotFoundError):
                _make_folders(path.parent)
                draft.replace(path)
                return
        raise Unavailable("the artifact folder", "the feature is being deleted")

    def _drafts(self, bodies: Sequence[bytes]) -> list[Path]:
        """Files beside their place, synced: all written first, so that one wait serves many."""
        drafts: list[Path] = []
        with contextlib.ExitStack() as opened:
            try:
                descriptors = []
                for body in bodies:
                    draft = self._aside / f"{os.getpid()}-{secrets.token_hex(8)}"
                    descriptor = os.open(draft, _NEW, 0o600)
                    opened.callback(os.close, descriptor)
                    drafts.append(draft)
                    descriptors.append(descriptor)
                    _write_whole(descriptor, body)
                for descriptor in descriptors:
                    os.fsync(descriptor)
            except BaseException:
                for draft in drafts:
                    draft.unlink(missing_ok=True)
                raise
        return drafts

    def _delete(self, folder: Path, keep: Collection[str]) -> int:
        try:
            files = [path for path in folder.iterdir() if path.name not in keep]
        except FileNotFoundError:
            return 0
        deleted = 0
        for file in [file for file in files if file.suffix == SUFFIX]:
            held = _index(file)
            if held is None and keep:
                files.remove(file)  # What is to be kept may be in there.
            elif held is not None:
                self._take_out(file, {d: held[d] for d in held.keys() & keep})
                deleted += len(held.keys() - keep) - 1
        deleted += len(files)
        refused: list[OSError] = []
        for file in files:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:  # The others are removed all the same.
                refused.append(error)
        _sync_folder(folder)
        if refused:
            raise refused[0]
        # Both folders stay when a file or another feature came meanwhile.
        with contextlib.suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()
        return deleted

    def _take_out(self, pack: Path, places: Index) -> None:
        """Let files of a pack stand alone, as they are: it is about to be deleted."""
        alone = {pack.parent / digest: place for digest, place in places.items()}
        taken = [
            (path, _read_part(pack, place)) for path, place in alone.items() if not path.exists()
        ]
        if taken:
            self._write(taken)

    def _probe(self) -> bool:
        try:
            self._drafts([b"ready"])[0].unlink()
        except OSError:
            return False
        return True


def _entries(parent: Path) -> list[Path]:
    try:
        return sorted(parent.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Unavailable("the artifact folder", error.strerror or "") from error


@contextlib.contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("the artifact folder", error.strerror or "") from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _taken_out(path: Path) -> Iterator[bytes]:
    """What the packs beside a file's place hold of it."""
    for pack in _entries(path.parent):
        if pack.suffix == SUFFIX:
            held = _index(pack)
            if held is None:
                yield b""  # It may have been in there: that is not the same as missing.
            elif path.name in held:
                yield _read_part(pack, held[path.name])


def _index(pack: Path) -> Index | None:
    """What a pack holds; None if its beginning is no index."""
    try:
        with pack.open("rb") as file:
            return index_of(file.read(HEAD_BYTES))
    except FileNotFoundError:  # Deleted meanwhile, with all that it held.
        return {}
    except PackDamaged:
        return None


def _read_part(pack: Path, place: PlaceInPack) -> bytes:
    try:
        with pack.open("rb") as file:
            file.seek(place.offset)
            return file.read(place.size)
    except FileNotFoundError:
        return b""


def _write_whole(descriptor: int, body: bytes) -> None:
    left = memoryview(body)
    while left:
        left = left[os.write(descriptor, left) :]


def _make_folders(folder: Path) -> None:
    for made in (folder.parent, folder):
        try:
            made.mkdir(mode=0o700)
        except FileExistsError:
            continue
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # Deleted meanwhile, with all that it held.
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
