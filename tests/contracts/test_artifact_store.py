"""What every artifact store promises, asked of memory, of the folder and of S3 alike."""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import pytest

from application.delivery.artifact_keys import artifact_key, artifact_prefix
from application.ports import ArtifactDamaged, ArtifactMissing, ArtifactStore, Unavailable
from infrastructure.artifacts import (
    FolderStore,
    KeyRefused,
    S3Store,
    StoreUrlRefused,
    open_store,
)
from infrastructure.artifacts.packs import packed
from tests.fakes import MemoryArtifacts
from tests.object_store import object_store

TENANT = UUID("019a0000-0000-7000-8000-000000000001")
OTHER_TENANT = UUID("019a0000-0000-7000-8000-000000000002")
FEATURE = UUID("019a0000-0000-7000-8000-00000000000a")
OTHER_FEATURE = UUID("019a0000-0000-7000-8000-00000000000b")
BODY = b"export const answer = 42;\n"
BUCKET = "artifacts"
KEY = "any key will do for moto"

Damage = Callable[[str, bytes], Awaitable[None]]


def key_of(body: bytes, tenant: UUID = TENANT, feature: UUID = FEATURE) -> str:
    return artifact_key(tenant, feature, hashlib.sha256(body).hexdigest())


@pytest.fixture(scope="module")
def s3_endpoint(servers: None) -> Iterator[str]:
    with object_store() as (host, port):
        yield f"http://{host}:{port}"


def s3_store(endpoint: str, bucket: str = BUCKET) -> S3Store:
    options = urlencode({"endpoint": endpoint, "region": "us-east-1"})
    store = open_store(f"s3://{bucket}?{options}", access_key_id="test", secret_access_key=KEY)
    assert isinstance(store, S3Store)
    return store


@pytest.fixture(params=["memory", "folder", pytest.param("s3", marks=pytest.mark.servers)])
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[ArtifactStore, Damage]]:
    """A store, and a way to change stored bytes behind its back."""
    if request.param == "memory":
        memory = MemoryArtifacts()

        async def replace(key: str, body: bytes) -> None:
            memory.kept[key] = body

        yield memory, replace
    elif request.param == "folder":
        root = tmp_path / "with space" / "files"
        async with open_store(root.as_uri()) as folder:

            async def damage(key: str, body: bytes) -> None:
                await asyncio.to_thread((root / key).write_bytes, body)

            yield folder, damage
    else:
        async with s3_store(request.getfixturevalue("s3_endpoint")) as bucket:
            client = bucket._client  # noqa: SLF001 - the contract needs a way past the store.
            await client.create_bucket(Bucket=BUCKET)

            async def damage(key: str, body: bytes) -> None:
                await client.put_object(Bucket=BUCKET, Key=key, Body=body)

            yield bucket, damage
            for tenant in (TENANT, OTHER_TENANT):
                for feature in (FEATURE, OTHER_FEATURE):
                    await bucket.delete_prefix(artifact_prefix(tenant, feature))


@pytest.fixture
def store(opened: tuple[ArtifactStore, Damage]) -> ArtifactStore:
    return opened[0]


async def test_what_was_put_comes_back(store: ArtifactStore) -> None:
    for body in (BODY, b"", bytes(range(256)) * 4096):
        await store.put(key_of(body), body)
        assert await store.get(key_of(body)) == body


async def test_putting_the_same_again_changes_nothing(store: ArtifactStore) -> None:
    for _ in range(3):
        await store.put(key_of(BODY), BODY)
    assert await store.get(key_of(BODY)) == BODY
    assert await store.delete_prefix(artifact_prefix(TENANT, FEATURE)) == 1


async def test_many_puts_of_one_key_at_once_leave_one_whole_file(store: ArtifactStore) -> None:
    body = b"x" * 200_000
    await asyncio.gather(*(store.put(key_of(body), body) for _ in range(40)))
    assert await store.get(key_of(body)) == body
    assert await store.delete_prefix(artifact_prefix(TENANT, FEATURE)) == 1


async def test_what_was_never_put_is_missing(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactMissing):
        await store.get(key_of(BODY))


@pytest.mark.parametrize("changed", [b"", BODY[:-1], BODY + b"\n", b"something else"])
async def test_changed_bytes_are_never_given_out(
    opened: tuple[ArtifactStore, Damage], changed: bytes
) -> None:
    store, damage = opened
    await store.put(key_of(BODY), BODY)
    await damage(key_of(BODY), changed)
    with pytest.raises(ArtifactDamaged):
        await store.get(key_of(BODY))


async def test_putting_again_mends_a_damaged_file(
    opened: tuple[ArtifactStore, Damage],
) -> None:
    store, damage = opened
    await store.put(key_of(BODY), BODY)
    await damage(key_of(BODY), b"rot")
    await store.put(key_of(BODY), BODY)
    assert await store.get(key_of(BODY)) == BODY


async def test_bytes_that_are_not_those_of_the_key_are_not_stored(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactDamaged):
        await store.put(key_of(BODY), b"something else")
    with pytest.raises(ArtifactMissing):
        await store.get(key_of(BODY))


async def test_deleting_a_feature_leaves_all_others(store: ArtifactStore) -> None:
    bodies = [f"file {number}".encode() for number in range(12)]
    owners = [(TENANT, FEATURE), (TENANT, OTHER_FEATURE), (OTHER_TENANT, FEATURE)]
    for tenant, feature in owners:
        for body in bodies:
            await store.put(key_of(body, tenant, feature), body)
    assert await store.delete_prefix(artifact_prefix(TENANT, FEATURE)) == len(bodies)
    for body in bodies:
        with pytest.raises(ArtifactMissing):
            await store.get(key_of(body))
        for tenant, feature in owners[1:]:
            assert await store.get(key_of(body, tenant, feature)) == body
    assert await store.delete_prefix(artifact_prefix(TENANT, FEATURE)) == 0


async def test_deleting_while_files_arrive_breaks_neither(store: ArtifactStore) -> None:
    bodies = [f"late {number}".encode() for number in range(20)]
    prefix = artifact_prefix(TENANT, FEATURE)
    await asyncio.gather(
        *(store.put(key_of(body), body) for body in bodies),
        *(store.delete_prefix(prefix) for _ in range(5)),
    )
    await store.delete_prefix(prefix)
    for body in bodies:
        with pytest.raises(ArtifactMissing):
            await store.get(key_of(body))


async def put_together(store: ArtifactStore, bodies: list[bytes], feature: UUID = FEATURE) -> None:
    await asyncio.gather(*(store.put(key_of(body, feature=feature), body) for body in bodies))


TOGETHER = [b"", *(f"file {number}".encode() * 100 for number in range(19))]


async def test_files_that_come_together_come_back_one_by_one(store: ArtifactStore) -> None:
    await put_together(store, TOGETHER)
    await put_together(store, TOGETHER[:3], OTHER_FEATURE)
    for body in TOGETHER:
        assert await store.get(key_of(body)) == body
    with pytest.raises(ArtifactMissing):
        await store.get(key_of(TOGETHER[5], feature=OTHER_FEATURE))
    with pytest.raises(ArtifactMissing):
        await store.get(key_of(BODY))
    assert await store.delete_prefix(artifact_prefix(TENANT, FEATURE)) == len(TOGETHER)
    for body in TOGETHER:
        with pytest.raises(ArtifactMissing):
            await store.get(key_of(body))
    assert await store.get(key_of(TOGETHER[2], feature=OTHER_FEATURE)) == TOGETHER[2]


async def test_of_files_that_came_together_some_can_be_kept(store: ArtifactStore) -> None:
    await put_together(store, TOGETHER)
    await store.put(key_of(BODY), BODY)
    keep = [hashlib.sha256(body).hexdigest() for body in (TOGETHER[0], TOGETHER[7], BODY)]
    prefix = artifact_prefix(TENANT, FEATURE)
    assert await store.delete_prefix(prefix, keep) == len(TOGETHER) - 2
    for body in (TOGETHER[0], TOGETHER[7], BODY):
        assert await store.get(key_of(body)) == body
    with pytest.raises(ArtifactMissing):
        await store.get(key_of(TOGETHER[6]))
    assert await store.delete_prefix(prefix) == 3


PLACES = ("folder", pytest.param("s3", marks=pytest.mark.servers))


@pytest.mark.parametrize("opened", PLACES, indirect=True)
async def test_what_came_together_is_one_object_and_its_damage_is_told(
    opened: tuple[ArtifactStore, Damage],
) -> None:
    store, damage = opened
    assert isinstance(store, FolderStore | S3Store)
    await put_together(store, TOGETHER)
    name, pack = packed({hashlib.sha256(body).hexdigest(): body for body in TOGETHER})
    key = artifact_prefix(TENANT, FEATURE) + name
    assert {each async for each in store.names()} == {key_of(body) for body in TOGETHER}
    last = max(TOGETHER, key=lambda body: hashlib.sha256(body).hexdigest())
    await damage(key, pack[:-1] + b"x")
    with pytest.raises(ArtifactDamaged):
        await store.get(key_of(last))
    assert await store.get(key_of(TOGETHER[3])) == TOGETHER[3]
    await store.put(key_of(last), last)  # Alone, which mends it.
    assert await store.get(key_of(last)) == last
    kept = [hashlib.sha256(TOGETHER[3]).hexdigest()]
    for rot in (b"rot", pack[:20], pack.replace(b'",', b'";', 1)):
        await damage(key, rot)
        with pytest.raises(ArtifactDamaged):
            await _anew(store).get(key_of(TOGETHER[3]))
        # Whatever is to be kept may be in there: it stays.
        await store.delete_prefix(artifact_prefix(TENANT, FEATURE), kept)
        with pytest.raises(ArtifactDamaged):
            await store.get(key_of(TOGETHER[3]))
    await damage(key, pack)
    assert await store.get(key_of(TOGETHER[3])) == TOGETHER[3]
    assert await store.delete_prefix(artifact_prefix(TENANT, FEATURE)) == len(TOGETHER)
    assert [each async for each in store.names()] == []


def _anew(store: FolderStore | S3Store) -> FolderStore | S3Store:
    """The same store as a process sees it that has read nothing yet."""
    if isinstance(store, S3Store):
        store._held.clear()  # noqa: SLF001 - as a new process begins.
    return store


async def test_files_stand_apart_where_processes_read_no_packs(tmp_path: Path) -> None:
    async with FolderStore(tmp_path / "files", packs=False) as store:
        await put_together(store, TOGETHER)
    found = [path.name for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert sorted(found) == sorted(hashlib.sha256(body).hexdigest() for body in TOGETHER)


async def test_many_files_that_come_together_cost_the_disk_few_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    async with FolderStore(tmp_path / "files") as store:
        await put_together(store, TOGETHER)
        assert len(synced) == 4  # The object, its folder, and the two folders that are new.
        await put_together(store, [body + b"!" for body in TOGETHER])
        assert len(synced) == 6


REFUSED_KEYS = [
    "",
    "file",
    "../../etc/passwd",
    f"/{TENANT}/{FEATURE}/{'a' * 64}",
    f"{TENANT}/{FEATURE}/../{'a' * 64}",
    f"{TENANT}/{FEATURE}/{'A' * 64}",
    f"{TENANT}/{FEATURE}/{'a' * 63}",
    f"{TENANT}/{FEATURE}/{'a' * 64}\n",
    f"{TENANT}/{FEATURE}/{'a' * 64}\0",
    f"{TENANT}/{FEATURE}//{'a' * 64}",
    f"{TENANT}\\{FEATURE}\\{'a' * 64}",
    f"{str(TENANT).upper()}/{FEATURE}/{'a' * 64}".replace("019A", "019B"),
    f"{TENANT}/{'a' * 64}",
    f"{TENANT}/{FEATURE}/",
]


@pytest.mark.parametrize("key", REFUSED_KEYS, ids=range(len(REFUSED_KEYS)))
async def test_a_key_that_is_none_is_refused_everywhere(store: ArtifactStore, key: str) -> None:
    with pytest.raises(KeyRefused):
        await store.put(key, BODY)
    with pytest.raises(KeyRefused):
        await store.get(key)


@pytest.mark.parametrize(
    "prefix",
    ["", "/", f"{TENANT}/", f"{TENANT}/{FEATURE}", f"{TENANT}/../", f"{TENANT}/{FEATURE}/aa"],
)
async def test_only_a_whole_feature_can_be_deleted(store: ArtifactStore, prefix: str) -> None:
    with pytest.raises(KeyRefused):
        await store.delete_prefix(prefix)


async def test_an_open_store_is_ready(store: ArtifactStore) -> None:
    assert await store.ready()


async def test_a_hash_that_is_none_makes_a_key_that_is_refused(store: ArtifactStore) -> None:
    for wrong in ("", "xy" * 32, "AB" * 32, "../" + "a" * 61):
        with pytest.raises(KeyRefused):
            await store.get(artifact_key(TENANT, FEATURE, wrong))


async def test_a_folder_is_private_and_keeps_no_half_written_files(tmp_path: Path) -> None:
    async with FolderStore(tmp_path / "files") as store:
        await store.put(key_of(BODY), BODY)
    found = list((tmp_path / "files").rglob("*"))
    assert [path.name for path in found if path.is_file()] == [hashlib.sha256(BODY).hexdigest()]
    assert {path.stat().st_mode & 0o777 for path in found if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in found if path.is_file()} == {0o600}


async def test_a_folder_that_cannot_be_written_is_not_ready(tmp_path: Path) -> None:
    async with FolderStore(tmp_path / "files") as store:
        (tmp_path / "files" / "incoming").rmdir()
        assert not await store.ready()
        with pytest.raises(Unavailable):
            await store.put(key_of(BODY), BODY)


async def test_a_file_in_the_place_of_the_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "files").write_bytes(b"")
    with pytest.raises(Unavailable, match="the artifact folder"):
        async with FolderStore(tmp_path / "files"):
            pass


@pytest.mark.servers
async def test_a_bucket_that_refuses_connections_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with s3_store(endpoint) as store:
            assert not await store.ready()
            with pytest.raises(Unavailable, match="the object store"):
                await store.get(key_of(BODY))


@pytest.mark.servers
async def test_a_bucket_that_never_answers_is_given_up_in_time() -> None:
    gone = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    async with S3Store(
        BUCKET,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="test",
        secret_access_key=KEY,
        call_seconds=0.3,
    ) as store:
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable, match="no answer in"):
                await store.put(key_of(BODY), BODY)
    gone.set()
    server.close()
    await server.wait_closed()


async def test_a_feature_with_more_files_than_one_request_takes_is_deleted_whole(
    s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.artifacts.s3.DELETED_AT_ONCE", 5)
    async with s3_store(s3_endpoint) as store:
        await store._client.create_bucket(Bucket=BUCKET)  # noqa: SLF001
        bodies = [f"one of many {number}".encode() for number in range(12)]
        for body in bodies:
            await store.put(key_of(body), body)
        await store.put(key_of(BODY, feature=OTHER_FEATURE), BODY)
        assert await store.delete_prefix(artifact_prefix(TENANT, FEATURE)) == len(bodies)
        assert await store.delete_prefix(artifact_prefix(TENANT, OTHER_FEATURE)) == 1


async def test_a_missing_bucket_is_not_ready(s3_endpoint: str) -> None:
    async with s3_store(s3_endpoint, "another-bucket") as store:
        assert not await store.ready()
        with pytest.raises(Unavailable, match="NoSuchBucket"):
            await store.put(key_of(BODY), BODY)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "files",
        "/absolute",
        "file://host/folder",
        "file:relative",
        "file:///",
        "s3://",
        "s3://UPPER",
        "s3://bucket/with/path",
        "s3://bucket?endpoint=ftp://host",
        "s3://bucket?endpoint=nonsense",
        "s3://bucket?endpont=http://host",
        "s3://bucket?endpoint=http://a&endpoint=http://b",
        "s3://bucket?region",
        "s3://bucket:hunter2@host",
        "http://host/bucket",
        "s3://[",
    ],
)
def test_a_wrong_address_is_one_clear_error(url: str) -> None:
    with pytest.raises(StoreUrlRefused, match="expected file:///") as refused:
        open_store(url)
    assert "hunter2" not in str(refused.value)


def test_half_of_the_credentials_are_refused() -> None:
    with pytest.raises(StoreUrlRefused, match="or neither"):
        open_store("s3://bucket", access_key_id="AKIA")
