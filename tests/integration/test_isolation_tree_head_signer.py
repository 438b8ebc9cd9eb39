"""A tree head signer outlives a store that cuts its answers off, and one that does worse."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.contracts.test_cut_answers import BUCKET, s3
from tests.integration.cutting_proxy import CutShort
from tests.object_store import object_store
from tests.security.signed_log import FIRST, SECOND, SignedLog, signed_log


@pytest.fixture
async def kept(database: str, tmp_path: Path) -> AsyncIterator[SignedLog]:
    async with signed_log(database, tmp_path / "checkpoints") as opened:
        yield opened


async def until_noted(kept: SignedLog, size: int, running: asyncio.Task[None]) -> None:
    while (await kept.tree.state()).noted_size < size:
        assert not running.done()
        await asyncio.sleep(0.01)


async def test_a_tree_head_signer_goes_on_after_answers_that_were_cut_off(kept: SignedLog) -> None:
    with object_store() as address:
        async with CutShort(address) as proxy, s3(proxy.port) as store:
            await store._client.create_bucket(Bucket=BUCKET)  # noqa: SLF001
            stop = asyncio.Event()
            tree_head_signer = kept.tree_head_signer(store.tree_heads(), every_seconds=0.05)
            running = asyncio.create_task(tree_head_signer.run(stop))
            await kept.record(FIRST)
            await until_noted(kept, len(FIRST), running)
            with capture_logs() as lines:
                for mode, after in (("end", 250), ("reset", 20), ("noise", 0)):
                    proxy.mode, proxy.after = mode, after
                    proxy.drop()
                    seen = proxy.cuts
                    await kept.record(SECOND)
                    while proxy.cuts < seen + 2:
                        await asyncio.sleep(0.01)
                proxy.after = None
                proxy.drop()
                await until_noted(kept, sum(kept.versions.values()), running)
                while "checkpoint_postponed_over" not in [line["event"] for line in lines]:
                    await asyncio.sleep(0.01)
            assert not running.done()
            told = [line["event"] for line in lines]
            assert 1 <= told.count("checkpoint_postponed") < proxy.cuts
            assert told.count("checkpoint_postponed_over") == 1
            stop.set()
            await running


async def test_a_defect_of_a_store_is_told_and_waited_out(kept: SignedLog) -> None:
    class Broken:
        def __init__(self) -> None:
            self.asked = 0

        def __getattr__(self, name: str) -> Any:
            self.asked += 1
            if self.asked < 4:
                raise AttributeError(name)
            return getattr(kept.store, name)

    stop = asyncio.Event()
    running = asyncio.create_task(kept.tree_head_signer(Broken(), every_seconds=0.04).run(stop))
    await kept.record(FIRST)
    await until_noted(kept, len(FIRST), running)
    stop.set()
    await running
