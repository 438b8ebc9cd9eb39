"""Stored files in a bucket of an S3-compatible store (Amazon S3, Cloudflare R2, …).

Invariant: every call ends within 30 seconds, whatever the other side does, and at most 16 are on
their way at once. Whatever the other side answers, or stops answering, is `Unavailable` or one of
the port's other words: no exception of a client leaves this module.

aioboto3 takes a second to import, so that it is imported when a bucket is opened and not before.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any, Final, Self

from application.ports import ArtifactDamaged, ArtifactMissing, Unavailable
from application.running.recent import Recent
from application.running.single_flight import SingleFlight
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
    Index,
    PackDamaged,
    PlaceInPack,
    as_object,
    grouped,
    index_of,
)
from infrastructure.artifacts.tree_heads import (
    DESTROYED,
    PREFIX,
    ConditionRefused,
    KeyTaken,
    S3TreeHeads,
    advanced,
)
from infrastructure.batcher import Batcher

CALL_SECONDS: Final = 30.0
READY_SECONDS: Final = 3.0
TRIES: Final = 3
AT_ONCE: Final = 16
LARGEST_BYTES: Final = 64 << 20
"""More than any stored file has."""
DELETED_AT_ONCE: Final = 1000
"""As many as one request of the protocol takes."""
LONGEST_CODE: Final = 100
REMEMBERED_FEATURES: Final = 1_000
"""Of so many it is remembered what their packs hold; each is a few kilobytes."""
NO_FILE: Final = b""
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_TAKEN: Final = frozenset({"PreconditionFailed", "412"})
"""How a store answers that an object, which must be new, is there."""
_UNCONDITIONAL: Final = frozenset(
    {"NotImplemented", "501", "InvalidArgument", "InvalidRequest", "400"}
)
"""How stores that know no conditions refuse a request with one."""


class S3Store:
    """Files in one bucket, by one client that stays open. Use it as an asynchronous context."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        call_seconds: float = CALL_SECONDS,
        tries: int = TRIES,
        packs: bool = True,
    ) -> None:
        """Take bucket and endpoint; without credentials, those of the machine's role are used.

        A call ends after `call_seconds`, and is tried so many times within them. With `packs`,
        files of one feature that come together are one object.
        """
        self._bucket = bucket
        self._address = {"endpoint_url": endpoint, "region_name": region}
        self._credentials = {
            "aws_access_key_id": access_key_id,
            "aws_secret_access_key": secret_access_key,
        }
        self._call_seconds = call_seconds
        self._tries = tries
        self._places = asyncio.Semaphore(AT_ONCE)
        self._open = AsyncExitStack()
        self._client: Any = None
        self._failures: tuple[type[Exception], ...] = ()
        self._notes: dict[str, S3TreeHeads] = {}
        self._packs = packs
        self._puts = Batcher[tuple[str, bytes], Unavailable | None](
            self._put_all, under_way=AT_ONCE
        )
        self._held: Recent[str, Mapping[str, Index | None]] = Recent(REMEMBERED_FEATURES)
        """What the packs of a feature hold, by its prefix and each pack's key."""
        self._looking: SingleFlight[Mapping[str, Index | None]] = SingleFlight()

    async def __aenter__(self) -> Self:
        """Open the client. Nothing is asked of the store yet; see `ready`."""
        aioboto3 = await asyncio.to_thread(import_module, "aioboto3")
        config = import_module("aiobotocore.config").AioConfig(
            connect_timeout=2,
            read_timeout=self._call_seconds,
            max_pool_connections=AT_ONCE,
            retries={"mode": "standard", "total_max_attempts": self._tries},
            # Where the bucket is, its URL says, and no variable or file of the machine's.
            ignore_configured_endpoint_urls=True,
            # R2 knows no trailing checksums; get() checks SHA-256 itself.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._failures = _failures()
        session = aioboto3.Session()
        self._client = await self._open.enter_async_context(
            session.client("s3", config=config, **self._address, **self._credentials)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client and its connections."""
        self._client = None
        await self._open.aclose()

    async def put(self, key: str, body: bytes) -> None:
        """Store. A repeat writes the same bytes again, which also mends a damaged object."""
        checked_body(checked_key(key), body)
        refused = await self._puts((key, body))
        if refused is not None:
            raise refused

    async def _put_all(self, files: Sequence[tuple[str, bytes]]) -> Sequence[Unavailable | None]:
        groups = grouped(files, apart=not self._packs)
        outcomes = await asyncio.gather(*(self._put_together(group) for group in groups))
        of_key = {
            key: outcome for outcome, group in zip(outcomes, groups, strict=True) for key in group
        }
        return [of_key[key] for key, _ in files]

    async def _put_together(self, group: Mapping[str, bytes]) -> Unavailable | None:
        key, body = as_object(group)
        try:
            await self._put_object(key, body)
        except Unavailable as refused:
            return refused
        if is_pack(key):
            self._held.forget(_prefix_of(key))  # Whoever reads one of these looks again.
        return None

    async def _put_object(self, key: str, body: bytes) -> None:
        async with self._call(self._call_seconds):
            await self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType="application/octet-stream",
            )

    async def get(self, key: str) -> bytes:
        """Read, alone or out of a pack. Raises ArtifactMissing or ArtifactDamaged."""
        prefix, digest = _prefix_of(checked_key(key)), key.rpartition("/")[2]
        known = self._held.find(prefix)
        if known is not None:
            # What a process has seen in a pack is there, unless it is damaged or deleted by now.
            async for body in self._taken_out(known, digest):
                if has_hash(key, body):
                    return body
        damaged = False
        try:
            return checked_body(key, await self._get_object(key))
        except ArtifactMissing:
            pass
        except ArtifactDamaged:
            damaged = True
        known = await self._looking.do(prefix, lambda: self._look(prefix))
        async for body in self._taken_out(known, digest):
            if has_hash(key, body):
                return body
            damaged = True
        if damaged:
            raise ArtifactDamaged(f"the stored file {key} is not what its hash says")
        raise ArtifactMissing(f"the stored file {key} is not there")

    async def _get_object(self, key: str, place: PlaceInPack | None = None) -> bytes:
        """An object, or a part of it. Raises ArtifactMissing, and ArtifactDamaged if too large."""
        part = {"Range": f"bytes={place.offset}-{place.offset + place.size - 1}"} if place else {}
        async with self._call(self._call_seconds, missing=key):
            answer = await self._client.get_object(Bucket=self._bucket, Key=key, **part)
            async with answer["Body"] as stream:
                # A body larger than any file is not what was stored, and is not read.
                large = (answer.get("ContentLength") or 0) > LARGEST_BYTES
                body: bytes = b"" if large else await stream.read()
        if large:
            raise ArtifactDamaged(f"the stored file {key} is not what its hash says")
        return body

    async def _taken_out(
        self, packs: Mapping[str, Index | None], digest: str
    ) -> AsyncIterator[bytes]:
        """What packs hold of a file; of one whose index cannot be read, what is no file."""
        for pack, held in packs.items():
            if held is None:
                yield NO_FILE
            elif digest in held:
                place = held[digest]
                with contextlib.suppress(ArtifactMissing):  # Deleted meanwhile.
                    yield await self._get_object(pack, place) if place.size else b""

    async def _look(self, prefix: str) -> Mapping[str, Index | None]:
        """What a feature's packs hold, as they are now."""
        known = self._held.find(prefix) or {}
        found: dict[str, Index | None] = {}
        last = ""
        while keys := [each["Key"] for each in await self._keys_after(last, prefix)]:
            for key in filter(is_pack, keys):
                with contextlib.suppress(ArtifactMissing):
                    found[key] = known.get(key) or await self._index(key)
            last = advanced(last, keys[-1])
        self._held.keep(prefix, found)
        return found

    async def _index(self, pack: str) -> Index | None:
        try:
            return index_of(await self._get_object(pack, PlaceInPack(0, HEAD_BYTES)))
        except PackDamaged:
            return None

    async def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        """Delete all objects of a feature but those with these hashes; how many that were."""
        checked_prefix(prefix)
        kept = {prefix + digest for digest in keep}
        deleted, last = 0, ""
        self._held.forget(prefix)
        while keys := await self._keys_after(last, prefix):
            # Going on after the last name ends in any case, also where listings lag behind.
            last = advanced(last, keys[-1]["Key"])
            gone = [key for key in keys if key["Key"] not in kept]
            for key in [key for key in gone if is_pack(key["Key"])]:
                held = await self._index_or_none(key["Key"])
                if held is None and keep:
                    gone.remove(key)  # What is to be kept may be in there.
                elif held is not None:
                    await self._take_out(key["Key"], held, keep)
                    deleted += len(held.keys() - set(keep)) - 1
            if gone:
                await self._delete(gone)
                deleted += len(gone)
        return deleted

    async def _index_or_none(self, pack: str) -> Index | None:
        try:
            return await self._index(pack)
        except ArtifactMissing:
            return {}

    async def _take_out(self, pack: str, held: Index, keep: Collection[str]) -> None:
        """Let files of a pack stand alone, as they are: it is about to be deleted."""
        for digest in held.keys() & set(keep):
            alone = _prefix_of(pack) + digest
            try:
                await self._get_object(alone)
            except ArtifactMissing:
                place = held[digest]
                body = await self._get_object(pack, place) if place.size else b""
                await self._put_object(alone, body)

    async def _delete(self, keys: list[Mapping[str, str]]) -> None:
        async with self._call(self._call_seconds):
            answer = await self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
            )
            refused = [error.get("Code") for error in answer.get("Errors") or ()]
        if refused:
            raise Unavailable("the object store", f"{refused[0]} on deleting")

    async def ready(self) -> bool:
        """Tell whether the bucket answers."""
        try:
            async with self._call(READY_SECONDS):
                await self._client.head_bucket(Bucket=self._bucket)
        except Unavailable:
            return False
        return True

    def tree_heads(self) -> S3TreeHeads:
        """The signed tree heads of the log, in the same bucket. For an open store."""
        return self._numbered(PREFIX)

    def destroyed(self) -> S3TreeHeads:
        """Signed notes of what was destroyed, likewise."""
        return self._numbered(DESTROYED)

    async def names(self) -> AsyncIterator[str]:
        """The keys of all stored files, feature by feature."""
        last = ""
        while keys := [found["Key"] for found in await self._keys_after(last, "")]:
            for key in keys:
                if is_key(key):
                    yield key
                elif is_pack(key):
                    for digest in await self._index_or_none(key) or ():
                        yield _prefix_of(key) + digest
            last = keys[-1]

    def _numbered(self, prefix: str) -> S3TreeHeads:
        def call(missing: str = "", *, new: bool = False) -> AbstractAsyncContextManager[None]:
            return self._call(self._call_seconds, missing=missing, new=new)

        if prefix not in self._notes:
            self._notes[prefix] = S3TreeHeads(self._client, self._bucket, call, prefix)
        return self._notes[prefix]

    async def _keys_after(self, last: str, prefix: str) -> list[Mapping[str, str]]:
        async with self._call(self._call_seconds):
            page = await self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=prefix, StartAfter=last, MaxKeys=DELETED_AT_ONCE
            )
            return [{"Key": found["Key"]} for found in page.get("Contents", ())]

    @asynccontextmanager
    async def _call(
        self, seconds: float, *, missing: str = "", new: bool = False
    ) -> AsyncIterator[None]:
        """Bound a call in number and time, and say in our words how it failed."""
        try:
            async with asyncio.timeout(seconds), self._places:
                yield
        except TimeoutError:
            raise Unavailable("the object store", f"no answer in {seconds:g} s") from None
        except self._failures as error:
            code = _code(error)
            if missing and code in _MISSING:
                raise ArtifactMissing(f"the stored file {missing} is not there") from None
            if new and code in _TAKEN:
                raise KeyTaken from None
            if new and code in _UNCONDITIONAL:
                raise ConditionRefused from None
            raise Unavailable("the object store", code) from None


def _prefix_of(key: str) -> str:
    return key.rpartition("/")[0] + "/"


def _failures() -> tuple[type[Exception], ...]:
    """What the client raises when the other side refuses, is away, or answers what is no answer.

    Beside botocore's own: aiohttp's for a body that is cut off, sockets', and those of parsers.
    """
    errors = import_module("botocore.exceptions")
    return (
        errors.ClientError,
        errors.BotoCoreError,
        errors.HTTPClientError,
        import_module("botocore.parsers").ResponseParserError,
        import_module("aiohttp").ClientError,
        import_module("aiohttp.http_exceptions").HttpProcessingError,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        RecursionError,
        TypeError,
        AttributeError,
    )


def _code(error: Exception) -> str:
    """Read the store's error code; its message may hold what was signed."""
    response = getattr(error, "response", None)
    told = response.get("Error") if isinstance(response, dict) else None
    if isinstance(told, dict):
        return str(told.get("Code", "no code"))[:LONGEST_CODE]
    return type(error).__name__
