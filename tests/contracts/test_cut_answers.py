"""No exception of a client leaves its adapter, wherever a server's answer ends or turns to noise.

Each adapter speaks its real protocol to a real server, through a proxy that cuts.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from uuid_utils.compat import uuid7

from application.delivery.artifact_keys import artifact_key, artifact_prefix
from application.ports import (
    ArtifactDamaged,
    ArtifactMissing,
    Metadata,
    ModelError,
    ModelRequest,
    Unavailable,
)
from domain import events as e
from domain.status import Agent
from infrastructure.anthropic.model import AnthropicModel
from infrastructure.artifacts import S3Store
from infrastructure.event_log import PostgresEventLog
from infrastructure.nats import NatsConnection, NatsLive, Signal, consumers, stream
from infrastructure.nats.connection import LOST
from infrastructure.nats.progress import announced_upto
from infrastructure.nats.pull import Pull, PullLost
from infrastructure.postgres.database import Database
from tests.integration.cutting_proxy import CutShort
from tests.integration.logs import new, new_ring
from tests.model_server import START, ModelServer, Sent, end, text
from tests.object_store import object_store

pytestmark = pytest.mark.servers

MODES: Final = ("end", "reset", "noise")
PLACES: Final = (0, 9, 150, 500)
"""Bytes of an answer that arrive: none, within the first line, the head, the body."""
TENANT, FEATURE = UUID(int=1), UUID(int=2)
BODY: Final = b"export const answer = 42;\n" * 40
BUCKET: Final = "artifacts"

Ask = Callable[[], Awaitable[Any]]


async def every_cut(
    proxy: CutShort, asks: Sequence[Ask], allowed: tuple[type[Exception], ...]
) -> int:
    """Ask everything with every cut; how many askings failed, each in a way that is allowed."""
    failed = 0
    for mode in MODES:
        for place in PLACES:
            proxy.mode, proxy.after = mode, place
            for ask in asks:
                proxy.drop()
                try:
                    await ask()
                except allowed:
                    failed += 1
    proxy.after = None
    return failed


@pytest.fixture(scope="module")
def s3_port() -> Iterator[int]:
    with object_store() as (_, port):
        yield port


def s3(port: int) -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=f"http://127.0.0.1:{port}",
        region="us-east-1",
        access_key_id="test",
        secret_access_key="any will do",  # noqa: S106
        call_seconds=5.0,
        tries=1,
    )


async def test_an_object_store_that_cuts_its_answers_is_unavailable(s3_port: int) -> None:
    key = artifact_key(TENANT, FEATURE, hashlib.sha256(BODY).hexdigest())
    async with CutShort(("127.0.0.1", s3_port)) as proxy, s3(proxy.port) as store:
        await store._client.create_bucket(Bucket=BUCKET)  # noqa: SLF001
        await store.put(key, BODY)
        tree_heads = store.tree_heads()
        await tree_heads.put_new(1, b"a note")
        asks = [
            lambda: store.get(key),
            lambda: store.put(key, BODY),
            lambda: store.delete_prefix(artifact_prefix(TENANT, UUID(int=9))),
            tree_heads.list,
            lambda: tree_heads.get(1),
            lambda: tree_heads.put_new(2, b"a note"),
        ]
        allowed = (Unavailable, ArtifactMissing, ArtifactDamaged)
        assert await every_cut(proxy, asks, allowed) > len(MODES) * len(PLACES)
        proxy.after, proxy.mode = 300, "end"
        assert await store.ready() in (True, False)
        proxy.after = None
        proxy.drop()
        assert await store.get(key) == BODY


async def test_a_body_that_is_cut_off_is_unavailable_and_not_damaged(s3_port: int) -> None:
    key = artifact_key(TENANT, FEATURE, hashlib.sha256(BODY).hexdigest())
    async with CutShort(("127.0.0.1", s3_port)) as proxy, s3(proxy.port) as store:
        with suppress(Exception):
            await store._client.create_bucket(Bucket=BUCKET)  # noqa: SLF001
        await store.put(key, BODY)
        proxy.drop()
        proxy.passed = 0
        await store.get(key)
        proxy.after = proxy.passed - 10
        for mode in ("end", "reset"):
            proxy.mode = mode
            proxy.drop()
            with pytest.raises(Unavailable, match="the object store"):
                await store.get(key)


NO_ANSWERS: Final = (
    (200, {}, b""),
    (200, {}, b"<html>A captive portal</html>"),
    (200, {"content-encoding": "gzip"}, b"not compressed"),
    (200, {"last-modified": "soon"}, b"<a/>"),
    (204, {}, b""),
    (404, {}, b"\xff\xfe"),
    (500, {}, b"<a>" * 2_000),
    (200, {}, b"null"),
    (200, {}, b"data: " + b"[" * 50_000 + b"\n\n"),
)
"""Well-formed HTTP that is no answer of the protocol spoken over it."""


@asynccontextmanager
async def answering(status: int, headers: dict[str, str], body: bytes) -> AsyncIterator[int]:
    """A server that says this to whatever it is asked; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            told = {"content-length": str(len(body)), "connection": "close", **headers}
            lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=range(len(NO_ANSWERS)))
async def test_what_is_no_answer_is_a_word_of_the_port(
    answer: tuple[int, dict[str, str], bytes],
) -> None:
    key = artifact_key(TENANT, FEATURE, hashlib.sha256(BODY).hexdigest())
    async with answering(*answer) as port, s3(port) as store:
        tree_heads = store.tree_heads()
        asks: list[Ask] = [
            lambda: store.get(key),
            lambda: store.put(key, BODY),
            lambda: store.delete_prefix(artifact_prefix(TENANT, FEATURE)),
            tree_heads.list,
            lambda: tree_heads.get(1),
            lambda: tree_heads.put_new(1, b"a note"),
            store.ready,
        ]
        for ask in asks:
            with suppress(Unavailable, ArtifactMissing, ArtifactDamaged):
                await ask()
        model = AnthropicModel(f"http://127.0.0.1:{port}", idle_seconds=2.0)
        with pytest.raises(ModelError):
            await ask_model(model)
        assert await model.check_key("sk-ant-x") in (True, False, None)
        await model.close()


async def ask_model(model: AnthropicModel) -> None:
    await model.ask(
        ModelRequest("claude", 100, (), ({"role": "user", "content": "x"},)),
        "sk-ant-x",
        idempotency_key="k",
        on_text=lambda _: None,
        on_draft=lambda _: None,
        on_progress=lambda: None,
    )


async def test_nats_that_cuts_its_answers_is_lost(nats_url: str) -> None:
    parsed = urlsplit(nats_url)
    async with (
        CutShort((str(parsed.hostname), int(parsed.port or 4222))) as proxy,
        AsyncExitStack() as opened,
    ):
        url = f"nats://{parsed.username}@127.0.0.1:{proxy.port}"
        nats = await opened.enter_async_context(
            NatsConnection(url, name="cut", on_closed=lambda: None)
        )
        log_grown = await opened.enter_async_context(Signal(nats, "poke"))
        live = NatsLive(nats, log_grown)
        await stream.ensure(nats.streams, stream.DEFAULT_LIMITS)
        await consumers.ensure(nats.streams, Agent.SPEC)

        async def pull() -> None:
            async with Pull(nats, consumers.name_of(Agent.SPEC)) as pulled:
                await pulled.next(0.05)

        async def listen() -> None:
            async with log_grown.listen():
                pass

        asks: list[Ask] = [
            lambda: stream.ensure(nats.streams, stream.DEFAULT_LIMITS),
            lambda: consumers.ensure(nats.streams, Agent.SPEC),
            lambda: nats.streams.publish("evt.a.b.c", b"{}", timeout=0.5),
            lambda: nats.streams.get_msg(stream.NAME, seq=1),
            pull,
            listen,
        ]
        never: list[Ask] = [
            lambda: live.say(TENANT, FEATURE, {"kind": "delta", "text": "x"}),
            lambda: live.applied(TENANT, FEATURE, 1, 1),
            lambda: announced_upto(nats),
        ]
        for mode in MODES:
            for place in (0, 30, 600, 1500):
                proxy.mode, proxy.after = mode, place
                proxy.drop()
                log_grown.notify()
                for ask in asks:
                    with suppress(*LOST, PullLost):
                        async with asyncio.timeout(3):
                            await ask()
                for ask in never:
                    await ask()
        proxy.after = None
        proxy.drop()
        assert await nats.wait_up(10)
        async with asyncio.timeout(10):
            while True:
                try:
                    await stream.ensure(nats.streams, stream.DEFAULT_LIMITS)
                    break
                except LOST:
                    await asyncio.sleep(0.05)


@asynccontextmanager
async def before_postgres(url: str, folder: Path) -> AsyncIterator[tuple[CutShort, str]]:
    parts = conninfo_to_dict(url)
    socket = Path(str(parts["host"])) / f".s.PGSQL.{parts.get('port', 5432)}"
    async with CutShort(socket, folder) as proxy:
        yield proxy, make_conninfo(url, host=str(folder))


async def test_a_database_that_cuts_its_answers_is_unavailable(
    database: str, tmp_path: Path
) -> None:
    origin, feature = Metadata(uuid7(), "user:x", uuid7()), uuid7()
    async with (
        before_postgres(database, tmp_path) as (proxy, url),
        PostgresEventLog(url, "bp_worker", new_ring()) as log,
        Database(url, "bp_worker", max_size=2) as pool,
    ):
        await log.append(feature, new(e.FeatureCreated("A")), expected=0, origin=origin)

        async def system() -> None:
            async with pool.system() as connection:
                cursor = await connection.execute("SELECT repeat('x', 3000)")
                await cursor.fetchall()

        async def tenant() -> None:
            async with pool.tenant(origin.tenant_id) as connection:
                await connection.execute("SELECT 1")

        asks: list[Ask] = [
            lambda: pool.call("SELECT repeat('x', 3000)"),
            system,
            tenant,
            lambda: log.read(origin.tenant_id, feature),
            lambda: log.entries(origin.tenant_id, feature),
        ]
        for mode in MODES:
            for place in (60, 700, 2500):
                proxy.mode, proxy.after = mode, place
                proxy.drop()
                results = await asyncio.gather(*(ask() for ask in asks), return_exceptions=True)
                leaked = [r for r in results if isinstance(r, BaseException)]
                assert all(isinstance(error, Unavailable) for error in leaked), leaked
        proxy.after = None
        proxy.drop()
        async with asyncio.timeout(20):
            while True:
                with suppress(Unavailable):
                    assert len(await log.read(origin.tenant_id, feature)) == 1
                    break


async def test_a_model_that_cuts_its_answers_is_an_error_of_the_port() -> None:
    whole = b"".join([START, text(0, "Hello", " you"), end()])
    for mode in MODES:
        for place in PLACES:
            async with (
                ModelServer(Sent(body=whole), Sent(body=b"{}")) as server,
                CutShort(("127.0.0.1", int(urlsplit(server.url).port or 0))) as proxy,
            ):
                proxy.mode, proxy.after = mode, place
                model = AnthropicModel(f"http://127.0.0.1:{proxy.port}", idle_seconds=2.0)
                with suppress(ModelError):
                    await ask_model(model)
                server.received.clear()
                if server.answers:
                    assert await model.check_key("sk-ant-x") in (True, False, None)
                await model.close()
