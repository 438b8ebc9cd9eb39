"""Stored files in a bucket of an S3-compatible store (Amazon S3, Cloudflare R2, …).

Invariant: every call ends within 30 seconds, whatever the other side does, and at most 16 are on
their way at once. Whatever the other side answers, or stops answering, is `Unavailable` or one of
the port's other words: no exception of a client leaves this module.

aioboto3 takes a second to import, so that it is imported when a bucket is opened and not before.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any, Final, Self

from application.ports import ArtifactDamaged, ArtifactMissing, Unavailable
from infrastructure.artifacts.keys import checked_body, checked_key, checked_prefix, is_key
from infrastructure.artifacts.tree_heads import (
    DESTROYED,
    PREFIX,
    ConditionRefused,
    KeyTaken,
    S3TreeHeads,
    advanced,
)

CALL_SECONDS: Final = 30.0
READY_SECONDS: Final = 3.0
TRIES: Final = 3
AT_ONCE: Final = 16
LARGEST_BYTES: Final = 64 << 20
"""More than any stored file has."""
DELETED_AT_ONCE: Final = 1000
"""As many as one request of the protocol takes."""
LONGEST_CODE: Final = 100
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
    ) -> None:
        """Take bucket and endpoint; without credentials, those of the machine's role are used.

        A call ends after `call_seconds`, and is tried so many times within them.
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
        async with self._call(self._call_seconds):
            await self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType="application/octet-stream",
            )

    async def get(self, key: str) -> bytes:
        """Read. Raises ArtifactMissing or ArtifactDamaged."""
        checked_key(key)
        async with self._call(self._call_seconds, missing=key):
            answer = await self._client.get_object(Bucket=self._bucket, Key=key)
            async with answer["Body"] as stream:
                # A body larger than any file is not what was stored, and is not read.
                large = (answer.get("ContentLength") or 0) > LARGEST_BYTES
                body: bytes = b"" if large else await stream.read()
        if large:
            raise ArtifactDamaged(f"the stored file {key} is not what its hash says")
        return checked_body(key, body)

    async def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> int:
        """Delete all objects of a feature but those with these hashes; how many that were."""
        checked_prefix(prefix)
        kept = {prefix + digest for digest in keep}
        deleted, last = 0, ""
        while keys := await self._keys_after(last, prefix):
            # Going on after the last name ends in any case, also where listings lag behind.
            last = advanced(last, keys[-1]["Key"])
            gone = [key for key in keys if key["Key"] not in kept]
            if gone:
                await self._delete(gone)
                deleted += len(gone)
        return deleted

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
