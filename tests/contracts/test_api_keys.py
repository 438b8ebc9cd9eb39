"""What every vault of tenants' own keys tells, which is never the key."""

from collections.abc import AsyncIterator

import pytest
from uuid_utils.compat import uuid7

from application.identity.api_keys import KeyDescription, KeyVault
from infrastructure.identity.api_keys import SealedApiKeys
from infrastructure.postgres.database import Database
from infrastructure.sealing.data_keys import DataKeys
from tests.fakes import Clock
from tests.fakes.api_keys import MemoryVault
from tests.integration.logs import new_ring

KEY = "sk-ant-canary-0123456789-abcd"
OTHER_KEY = "sk-ant-canary-0123456789-efgh"


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
async def vault(request: pytest.FixtureRequest) -> AsyncIterator[KeyVault]:
    if request.param == "memory":
        yield MemoryVault(Clock())
        return
    async with Database(request.getfixturevalue("database"), "bp_api", max_size=2) as api:
        yield SealedApiKeys(api, DataKeys(api, new_ring()))


async def test_without_a_key_nothing_is_described_and_deleting_is_no_error(
    vault: KeyVault,
) -> None:
    tenant = uuid7()
    assert await vault.describe(tenant) == KeyDescription(configured=False)
    await vault.delete(tenant)
    assert await vault.describe(tenant) == KeyDescription(configured=False)


@pytest.mark.parametrize("verified", [True, False])
async def test_a_key_is_described_by_its_end_and_by_what_the_provider_said(
    vault: KeyVault, *, verified: bool
) -> None:
    tenant = uuid7()
    await vault.store(tenant, KEY, verified=verified)
    said = await vault.describe(tenant)
    assert (said.configured, said.last4, said.verified) == (True, "abcd", verified)
    assert said.updated_at is not None
    assert said.updated_at.tzinfo is not None
    assert await vault.describe(tenant) == said
    assert KEY not in repr(said)


async def test_another_key_takes_the_place_of_the_first(vault: KeyVault) -> None:
    tenant = uuid7()
    await vault.store(tenant, KEY, verified=True)
    before = await vault.describe(tenant)
    await vault.store(tenant, OTHER_KEY, verified=False)
    after = await vault.describe(tenant)
    assert (after.last4, after.verified) == ("efgh", False)
    assert before.updated_at is not None
    assert after.updated_at is not None
    assert before.updated_at < after.updated_at


async def test_a_key_is_its_tenants_alone_and_is_gone_when_it_is_deleted(vault: KeyVault) -> None:
    ann, bob = uuid7(), uuid7()
    await vault.store(ann, KEY, verified=True)
    assert (await vault.describe(bob)).configured is False
    await vault.store(bob, OTHER_KEY, verified=True)
    await vault.delete(ann)
    assert await vault.describe(ann) == KeyDescription(configured=False)
    assert (await vault.describe(bob)).last4 == "efgh"
    await vault.store(ann, OTHER_KEY, verified=False)
    assert (await vault.describe(ann)).last4 == "efgh"
