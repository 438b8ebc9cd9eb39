"""Stored files in a folder of this machine, for one machine or a shared file system.

Invariant: a file is there completely or not at all, and once `put` returns, a power cut does not
take it away: written aside, synced, renamed, and the folder synced.
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
from infrastructure.artifacts.keys import checked_body, checked_key, checked_prefix, is_key
from infrastructure.artifacts.tree_heads import DESTROYED, PREFIX, FolderTreeHeads
from infrastructure.batcher import Batcher

_ASIDE: Final = "incoming"
_ABANDONED_AFTER_SECONDS: Final = 3600
_TRIES: Final = 5
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class FolderStore:
    """Files under one root, each tenant and feature in a folder of its own (mode 0700)."""

    def __init__(self, root: Path) -> None:
        """Take the root; it is made when the store is opened."""
        self._root = root
        self._aside = root / _ASIDE
        # Calls that arrive together go to one thread, and wait for the disk together.
        self._puts = Batcher[tuple[Path, bytes], None](self._put_all)
        self._gets = Batcher[Path, bytes | None](self._get_all)

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
            await self._puts((self._root / key, body))

    async def get(self, key: str) -> bytes:
        """Read. Raises ArtifactMissing or ArtifactDamaged."""
        path = self._root / checked_key(key)
        with _as_unavailable():
            body = await self._gets(path)
        if body is None:
            raise ArtifactMissing(f"the stored file {key} is not there")
        return checked_body(key, body)

    async def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        """Delete all files of a feature but those with these hashes; how many that were."""
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
                    if is_key(key := f"{tenant.name}/{feature.name}/{file.name}"):
                        yield key

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

    async def _put_all(self, files: Sequence[tuple[Path, bytes]]) -> Sequence[None]:
        await asyncio.to_thread(self._write, files)
        return [None] * len(files)

    async def _get_all(self, paths: Sequence[Path]) -> Sequence[bytes | None]:
        return await asyncio.to_thread(lambda: [_read(path) for path in paths])

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
        return len(files)

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
