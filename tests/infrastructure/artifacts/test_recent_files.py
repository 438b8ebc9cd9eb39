"""A worker's last files: read without the store, bounded, and forgotten with their feature."""

import asyncio
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from application.delivery.artifact_keys import artifact_key, artifact_prefix
from application.ports import ArtifactMissing
from infrastructure.artifacts import FolderStore, RecentFiles

TENANT = UUID("019a0000-0000-7000-8000-000000000001")
FEATURE = UUID("019a0000-0000-7000-8000-00000000000a")


def key_of(body: bytes) -> str:
    return artifact_key(TENANT, FEATURE, sha256(body).hexdigest())


def drop(folder: Path, body: bytes) -> None:
    (folder / key_of(body)).unlink()


async def test_what_was_stored_or_read_is_read_again_without_the_store(tmp_path: Path):
    async with FolderStore(tmp_path) as store:
        recent = RecentFiles(store)
        await recent.put(key_of(b"mine"), b"mine")
        await store.put(key_of(b"theirs"), b"theirs")
        assert await recent.get(key_of(b"theirs")) == b"theirs"
        for body in (b"mine", b"theirs"):
            drop(tmp_path, body)
            assert await recent.get(key_of(body)) == body
        assert await recent.ready()


async def test_no_more_is_kept_than_fits_and_the_least_used_goes_first(tmp_path: Path):
    async with FolderStore(tmp_path) as store:
        recent = RecentFiles(store, at_most=10)
        for body in (b"aaaa", b"bbbb"):
            await recent.put(key_of(body), body)
        await recent.put(key_of(b"aaaa"), b"aaaa")
        assert await recent.get(key_of(b"aaaa")) == b"aaaa"
        await recent.put(key_of(b"cccc"), b"cccc")
        for body in (b"aaaa", b"bbbb", b"cccc"):
            drop(tmp_path, body)
        assert await recent.get(key_of(b"aaaa")) == b"aaaa"
        assert await recent.get(key_of(b"cccc")) == b"cccc"
        with pytest.raises(ArtifactMissing):
            await recent.get(key_of(b"bbbb"))


async def test_a_deleted_features_files_are_forgotten(tmp_path: Path):
    async with FolderStore(tmp_path) as store:
        recent = RecentFiles(store)
        await recent.put(key_of(b"mine"), b"mine")
        assert await recent.delete_prefix(artifact_prefix(TENANT, FEATURE)) == 1
        with pytest.raises(ArtifactMissing):
            await recent.get(key_of(b"mine"))


async def test_a_file_that_is_missing_spoils_nothing_for_those_asked_for_with_it(tmp_path: Path):
    async with FolderStore(tmp_path, packs=False) as store:
        bodies = [f"file {n}".encode() for n in range(20)]
        await asyncio.gather(*(store.put(key_of(body), body) for body in bodies))
        drop(tmp_path, bodies[3])
        found = await asyncio.gather(
            *(store.get(key_of(body)) for body in bodies), return_exceptions=True
        )
        assert isinstance(found.pop(3), ArtifactMissing)
        assert found == bodies[:3] + bodies[4:]
