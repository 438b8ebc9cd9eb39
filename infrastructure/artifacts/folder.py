"""Stored files in a folder of this machine, for one machine or a shared file system.

Invariant: a file is there completely or not at all, and once `put` returns, a power cut does not
take it away: written aside, synced, renamed, and the folder synced.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from application.ports import ArtifactMissing, Unavailable
from infrastructure.artifacts.keys import checked_body, checked_key, checked_prefix

_ASIDE: Final = "incoming"
_ABANDONED_AFTER_SECONDS: Final = 3600
_TRIES: Final = 5


class FolderStore:
    """Files under one root, each tenant and feature in a folder of its own (mode 0700)."""

    def __init__(self, root: Path) -> None:
        """Take the root; it is made when the store is opened."""
        self._root = root
        self._aside = root / _ASIDE

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
            await asyncio.to_thread(self._write, self._root / key, body)

    async def get(self, key: str) -> bytes:
        """Read. Raises ArtifactMissing or ArtifactDamaged."""
        path = self._root / checked_key(key)
        with _as_unavailable():
            try:
                body = await asyncio.to_thread(path.read_bytes)
            except FileNotFoundError:
                raise ArtifactMissing(f"the stored file {key} is not there") from None
        return checked_body(key, body)

    async def delete_prefix(self, prefix: str) -> int:
        """Delete all files of a feature; how many there were."""
        with _as_unavailable():
            return await asyncio.to_thread(self._delete, self._root / checked_prefix(prefix))

    async def ready(self) -> bool:
        """Tell whether a file can be written."""
        return await asyncio.to_thread(self._probe)

    def _open(self) -> None:
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._aside.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Unavailable("the artifact folder", f"{self._root}: {error.strerror}") from error
        for draft in self._aside.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
                    draft.unlink()

    def _write(self, path: Path, body: bytes) -> None:
        draft = self._draft(body)
        try:
            self._place(draft, path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def _place(self, draft: Path, path: Path) -> None:
        # A deletion of the same feature may take the folder away between the two steps.
        for _ in range(_TRIES):
            with contextlib.suppress(FileNotFoundError):
                _make_folders(path.parent)
                draft.replace(path)
                return
        raise Unavailable("the artifact folder", "the feature is being deleted")

    def _draft(self, body: bytes) -> Path:
        draft = self._aside / f"{os.getpid()}-{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(descriptor)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return draft

    def _delete(self, folder: Path) -> int:
        try:
            files = list(folder.iterdir())
        except FileNotFoundError:
            return 0
        for file in files:
            file.unlink(missing_ok=True)
        _sync_folder(folder)
        # Both folders stay when a file or another feature came meanwhile.
        with contextlib.suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()
        return len(files)

    def _probe(self) -> bool:
        try:
            self._draft(b"ready").unlink()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("the artifact folder", error.strerror or "") from error


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
