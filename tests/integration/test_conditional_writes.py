"""An object store that lets everybody overwrite what was stored keeps no signed tree head."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from application.ports import Unavailable
from application.transparency.ports import StoreUnfit
from infrastructure.artifacts import S3Store
from infrastructure.artifacts.tree_heads import PROBE
from infrastructure.nats import NatsConnection
from infrastructure.postgres.database import Database
from infrastructure.postgres.standing import DatabaseWatch
from interface.health import Servers
from tests.contracts.test_tree_head_store import BUCKET, NOTE, bucket
from tests.integration.scripted_s3 import (
    Answer,
    answers_400,
    answers_501,
    answers_501_without_a_body,
    s3,
)
from tests.security.signed_log import FIRST, signed_log

pytestmark = pytest.mark.servers

UNFIT = {
    "501": answers_501,
    "501 without a body": answers_501_without_a_body,
    "400": answers_400,
    "passed over": None,
}


async def _made(store: S3Store) -> None:
    await store._client.create_bucket(Bucket=BUCKET)  # noqa: SLF001 - as an operator would.


@pytest.mark.parametrize("refuse", UNFIT.values(), ids=UNFIT)
async def test_a_store_without_conditional_writes_is_not_fit(refuse: Answer | None) -> None:
    with s3(refuse) as endpoint:
        async with bucket(endpoint) as store:
            await _made(store)
            assert await store.tree_heads().fit() is False
            assert await store.ready()
            if refuse is not None:
                with pytest.raises(StoreUnfit, match="If-None-Match"):
                    await store.tree_heads().put_new(1, NOTE)


async def test_a_store_that_cannot_be_asked_is_not_judged() -> None:
    with s3(answers_501) as endpoint:
        async with bucket(endpoint, "not-made-yet") as store:
            with pytest.raises(Unavailable, match="cannot be reached"):
                await store.tree_heads().fit()
            await store._client.create_bucket(Bucket="not-made-yet")  # noqa: SLF001
            assert await store.tree_heads().fit() is False


async def test_the_probe_is_no_tree_head() -> None:
    with s3(None) as endpoint:
        async with bucket(endpoint) as store:
            await _made(store)
            before = await _names(
                store
            )  # What other tests of this process left in the same memory.
            await store.tree_heads().fit()
            assert await store.tree_heads().list() == []
            assert await _names(store) - {PROBE} == before - {PROBE}
            assert PROBE in await _names(store)


async def _names(store: S3Store) -> set[str]:
    found = await store._client.list_objects_v2(Bucket=BUCKET)  # noqa: SLF001
    return {entry["Key"] for entry in found.get("Contents", ())}


async def test_the_tree_head_signer_signs_nothing_there_and_says_so_once(
    database: str, tmp_path: Path
) -> None:
    with s3(None) as endpoint:
        async with bucket(endpoint) as store, signed_log(database, tmp_path / "none") as kept:
            await _made(store)
            await kept.record(FIRST)
            stop = asyncio.Event()
            tree_head_signer = kept.tree_head_signer(
                Counting(store.tree_heads()), every_seconds=0.01
            )
            with capture_logs() as logged:
                running = asyncio.create_task(tree_head_signer.run(stop))
                while Counting.asked < 3:
                    await asyncio.sleep(0.001)
                stop.set()
                await running
            assert await store.tree_heads().list() == []
            assert (await kept.tree.state()).size == 0
    [line] = logged
    assert (line["event"], line["log_level"]) == ("checkpoints_refused", "error")
    assert "folder on another machine" in line["reason"]


async def test_it_is_said_at_the_start_and_readiness_tells_it(database: str, nats_url: str) -> None:
    with s3(answers_501) as endpoint:
        async with (
            bucket(endpoint) as store,
            Database(database, "bp_relay", max_size=1) as asked,
            NatsConnection(nats_url, name="test", on_closed=lambda: None) as connection,
        ):
            await _made(store)
            servers = Servers(DatabaseWatch(database), asked, connection, store)
            assert (await servers.look()).conditional_writes is None
            with capture_logs() as logged:
                await servers.try_store(asyncio.Event())
            seen = await servers.look()
    assert [line["event"] for line in logged] == ["object_store_without_conditional_writes"]
    assert (seen.conditional_writes, seen.artifacts) == (False, True)
    assert (seen.jetstream, seen.status()) == (True, "degraded")


class Counting:
    """A store of tree heads that counts how often it was asked whether it is fit."""

    asked = 0

    def __init__(self, store: Any) -> None:
        self._store = store

    async def fit(self) -> bool:
        Counting.asked += 1
        return bool(await self._store.fit())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
