"""Signed tree heads beside the artifacts, under a key space of their own: `checkpoints/{size}`.

Invariant: what is stored once is never overwritten, whoever asks; two that store the same size at
the same moment store one of the two.
"""

import asyncio
import os
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

from application.ports import ArtifactMissing, Unavailable
from application.transparency.ports import StoreUnfit

PREFIX: Final = "checkpoints/"
PROBE: Final = "probes/conditional-writes"
"""An object of no meaning, by which it is tried whether the store keeps what it has."""
DESTROYED: Final = "destroyed/"
"""Notes of what was destroyed, numbered and kept as tree heads are."""
PAGE: Final = 1000
TOO_LARGE: Final = 100_000
"""More bytes than any note has: what is larger is not read whole, and refused by its reader."""

_NAME: Final = re.compile(r"\d{20}", re.ASCII)

Call = Callable[..., AbstractAsyncContextManager[None]]


class KeyTaken(Exception):
    """There is an object of this name already."""


class ConditionRefused(Exception):
    """The store does not take a request with a condition."""


class FolderTreeHeads:
    """Tree heads in a folder of their own, each a file that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made with the first tree head."""
        self._folder = folder

    async def fit(self) -> bool:
        """A file system gives a name once."""
        return True

    async def put_new(self, size: int, note: bytes) -> bool:
        """Store durably. False, and nothing stored, when there is one of this size already."""
        return await asyncio.to_thread(self._put_new, self._folder / name_of(size), note)

    async def list(self, after: int = 0) -> Sequence[int]:
        """The sizes of all stored tree heads above `after`, smallest first."""
        return await asyncio.to_thread(self._list, after)

    async def get(self, size: int) -> bytes:
        """Read one. Raises ArtifactMissing."""
        try:
            return await asyncio.to_thread(_read, self._folder / name_of(size))
        except FileNotFoundError:
            raise ArtifactMissing(f"the tree head of {size} events is not there") from None
        except OSError as error:
            raise Unavailable("the folder of tree heads", error.strerror or "") from error

    def _list(self, after: int) -> Sequence[int]:
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unavailable("the folder of tree heads", error.strerror or "") from error
        return sorted(int(n) for n in names if _NAME.fullmatch(n) and int(n) > after)

    def _put_new(self, path: Path, note: bytes) -> bool:
        draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(note)
                    file.flush()
                    os.fsync(descriptor)
                return _linked(draft, path)
            finally:
                draft.unlink()
        except OSError as error:
            raise Unavailable("the folder of tree heads", error.strerror or "") from error


class S3TreeHeads:
    """Tree heads in the bucket of the artifacts, by conditional writes (`If-None-Match: *`)."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - untyped.
        bucket: str,
        call: Call,
        prefix: str = PREFIX,
    ) -> None:
        """Take an open client, its bucket, what bounds each call, and the key space."""
        self._client = client
        self._bucket = bucket
        self._call = call
        self._prefix = prefix
        self._fit: bool | None = None

    async def fit(self) -> bool:
        """Whether the bucket refuses to overwrite, tried out with an object of no meaning.

        Some stores answer 501 to the condition, and some pass over it, which would be worse.
        """
        if self._fit is None:
            self._fit = await self._tried()
        return self._fit

    async def _tried(self) -> bool:
        try:
            for _ in range(2):
                async with self._call(new=True):
                    await self._put(PROBE, b"", IfNoneMatch="*")
        except KeyTaken:
            return True
        except ConditionRefused:
            async with self._call():
                await self._put(PROBE, b"")
        return False

    async def _put(self, key: str, body: bytes, **condition: str) -> None:
        await self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=body,
            ContentType="text/plain; charset=utf-8",
            **condition,
        )

    async def put_new(self, size: int, note: bytes) -> bool:
        """Store. False, and nothing stored, when there is one of this size already."""
        try:
            async with self._call(new=True):
                await self._put(self._prefix + name_of(size), note, IfNoneMatch="*")
        except KeyTaken:
            return False
        except ConditionRefused:
            raise StoreUnfit from None
        return True

    async def list(self, after: int = 0) -> Sequence[int]:
        """The sizes of all stored tree heads above `after`, smallest first."""
        sizes: list[int] = []
        last = self._prefix + name_of(after)
        while True:
            async with self._call():
                page = await self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=self._prefix, StartAfter=last, MaxKeys=PAGE
                )
                keys = [str(found["Key"]) for found in page.get("Contents", ())]
            if not keys:
                return sizes
            names = (key.removeprefix(self._prefix) for key in keys)
            sizes += [int(name) for name in names if _NAME.fullmatch(name)]
            last = advanced(last, keys[-1])

    async def get(self, size: int) -> bytes:
        """Read one. Raises ArtifactMissing."""
        key = self._prefix + name_of(size)
        async with self._call(missing=key):
            answer = await self._client.get_object(Bucket=self._bucket, Key=key)
            async with answer["Body"] as stream:
                body: bytes = await stream.read() if answer["ContentLength"] < TOO_LARGE else b""
        return body


def advanced(last: str, newest: str) -> str:
    """Where a listing goes on. Raises Unavailable for a store that does not go on at all."""
    if newest <= last:
        raise Unavailable("the object store", "its listing begins anew each time")
    return newest


def name_of(size: int) -> str:
    """The last part of a tree head's key: its size in twenty digits, so that names sort."""
    return f"{size:020d}"


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(TOO_LARGE)


def _linked(draft: Path, path: Path) -> bool:
    """Give the draft its name: that fails when it is taken, and never shows half a file."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    _sync(path.parent)
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
