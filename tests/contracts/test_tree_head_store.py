"""What every store of tree heads promises, asked of the folder and of S3 alike."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from application.ports import ArtifactMissing, Unavailable
from application.transparency.ports import TreeHeadStore
from infrastructure.artifacts import S3Store, open_store
from infrastructure.artifacts.tree_heads import FolderTreeHeads
from tests.object_store import object_store

BUCKET = "evidence"
NOTE = "origin\n1\nroot\n\n\u2014 origin signature\n".encode()


@pytest.fixture(scope="module")
def s3_endpoint(servers: None) -> Iterator[str]:
    with object_store() as (host, port):
        yield f"http://{host}:{port}"


def bucket(endpoint: str, name: str = BUCKET) -> S3Store:
    secret = "any will do for moto"  # noqa: S105
    return S3Store(
        name,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="test",
        secret_access_key=secret,
    )


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.servers)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TreeHeadStore]:
    if request.param == "folder":
        async with open_store((tmp_path / "files").as_uri()) as files:
            yield files.tree_heads()
        return
    async with bucket(request.getfixturevalue("s3_endpoint")) as files:
        client = files._client  # noqa: SLF001 - the contract begins with an empty bucket.
        await client.create_bucket(Bucket=BUCKET)
        found = await client.list_objects_v2(Bucket=BUCKET)
        for entry in found.get("Contents", ()):
            await client.delete_object(Bucket=BUCKET, Key=entry["Key"])
        await client.put_object(Bucket=BUCKET, Key="checkpoints/readme.txt", Body=b"not ours")
        await client.put_object(Bucket=BUCKET, Key="checkpointz", Body=b"not ours")
        yield files.tree_heads()


async def test_what_is_stored_reads_back(store: TreeHeadStore) -> None:
    assert await store.put_new(7, NOTE)
    assert await store.get(7) == NOTE


async def test_nothing_is_ever_overwritten(store: TreeHeadStore) -> None:
    assert await store.put_new(7, NOTE)
    assert not await store.put_new(7, b"another")
    assert not await store.put_new(7, NOTE)
    assert await store.get(7) == NOTE


async def test_of_many_at_once_one_is_stored(store: TreeHeadStore) -> None:
    notes = [str(number).encode() for number in range(8)]
    done = await asyncio.gather(*(store.put_new(7, note) for note in notes))
    assert done.count(True) == 1
    assert await store.get(7) == notes[done.index(True)]


async def test_sizes_are_listed_in_order_after_a_given_one(
    store: TreeHeadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.artifacts.tree_heads.PAGE", 3)
    assert await store.list() == []
    sizes = [1, 2, 9, 10, 99, 100, 10**18, 10**18 + 1]
    for size in reversed(sizes):
        await store.put_new(size, NOTE)
    assert await store.list() == sizes
    assert await store.list(9) == sizes[3:]
    assert await store.list(10**18 + 1) == []


async def test_a_tree_head_that_is_not_there_is_missing(store: TreeHeadStore) -> None:
    with pytest.raises(ArtifactMissing):
        await store.get(3)


async def test_a_folder_keeps_no_half_written_notes_and_shows_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "checkpoints"
    store = FolderTreeHeads(folder)
    await store.put_new(1, NOTE)
    await store.put_new(1, NOTE)
    assert [path.name for path in folder.iterdir()] == ["00000000000000000001"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_file_in_the_place_of_the_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_bytes(b"")
    store = FolderTreeHeads(tmp_path / "checkpoints")
    with pytest.raises(Unavailable, match="folder of tree heads"):
        await store.put_new(1, NOTE)
    with pytest.raises(Unavailable, match="folder of tree heads"):
        await store.list()
    with pytest.raises(Unavailable, match="folder of tree heads"):
        await store.get(1)


async def test_a_bucket_that_is_missing_or_refuses_is_unavailable(s3_endpoint: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for files in (bucket(closed), bucket(s3_endpoint, "another")):
            async with files:
                store = files.tree_heads()
                with pytest.raises(Unavailable, match="the object store"):
                    await store.put_new(1, NOTE)
                with pytest.raises(Unavailable, match="the object store"):
                    await store.list()
