"""A waiting read of the real read store is woken by what the projector says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from infrastructure.read_models import PostgresReadStore
from tests.given import drafted
from tests.integration.reading import World, world


@pytest.fixture
async def there(database: str) -> AsyncIterator[World]:
    async with world(database) as opened:
        yield opened


async def test_a_read_that_waits_is_woken_by_a_signal(there: World):
    signals: asyncio.Queue[None] = asyncio.Queue()
    watched = []

    @asynccontextmanager
    async def watch(tenant_id, feature_id):
        watched.append((tenant_id, feature_id))

        async def signals():
            while True:
                yield await signals.get()

        yield signals()

    reads = PostgresReadStore(there.reading, watch=watch)
    feature_id = await there.tell(drafted())
    waiting = asyncio.create_task(
        reads.feature(there.tenant, feature_id, min_version=1, timeout=30)
    )
    await there.catch_up()
    await signals.put(None)
    assert (await waiting).version == 1
    assert set(watched) <= {(there.tenant, feature_id)}
