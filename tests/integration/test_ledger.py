"""The ledger in PostgreSQL: answers sealed, and gone with the feature; and where keys are kept."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.ports import Effects, LeaseLost, LedgerEntry
from domain import events as e
from domain.runs import Tokens
from infrastructure.postgres.database import Database
from infrastructure.queue.ledger import NotAnnounced, PostgresLedger
from infrastructure.sealing import TENANT_SCOPE, MasterKey, Unsealable, WrongMasterKey
from infrastructure.sealing.data_keys import DataKeys, KeyRing
from tests.integration.logs import new, new_ring, opened

CANARY = b"an answer that nobody else may read"


@pytest.fixture
async def ledger(database: str) -> AsyncIterator[PostgresLedger]:
    async with Database(database, "bp_worker", max_size=2) as workers:
        yield PostgresLedger(workers, DataKeys(workers, new_ring()))


async def test_answers_are_sealed_and_bound_to_their_request(
    database: str, ledger: PostgresLedger
) -> None:
    async with opened(database) as log:
        origin, feature = await log.begin()
        claim = await log.lease(origin, feature)
    tenant, task_id = origin.tenant_id, claim.task_id
    for turn in (1, 2):
        entry = LedgerEntry(task_id, 1, turn, "a" * 64)
        await ledger.announce(tenant, feature, entry, claim.fencing_token)
        answered = replace(entry, answer=CANARY * 50 * turn, outcome="answered")
        await ledger.settle(tenant, feature, answered)
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT c::text FROM app.model_calls c").fetchall()
        assert not any(CANARY.hex() in row[0] or CANARY.decode() in row[0] for row in rows)
        connection.execute(
            "UPDATE app.model_calls a SET answer = b.answer FROM app.model_calls b"
            " WHERE a.turn = 1 AND b.turn = 2"
        )
    with pytest.raises(Unsealable):
        await ledger.entries(tenant, feature, task_id)


async def test_a_deleted_features_answers_are_gone_and_what_they_cost_is_not(
    database: str, ledger: PostgresLedger
) -> None:
    async with opened(database) as log:
        origin, feature = await log.begin()
        claim = await log.lease(origin, feature)
        tenant, task_id = origin.tenant_id, claim.task_id
        before, after = LedgerEntry(task_id, 1, 1, "a" * 64), LedgerEntry(task_id, 1, 2, "b" * 64)
        for entry in (before, after):
            await ledger.announce(tenant, feature, entry, claim.fencing_token)
        used = Tokens(5, 6)
        done = replace(before, answer=CANARY, outcome="answered", tokens=used)
        await ledger.settle(tenant, feature, done)
        await log.log.append(
            feature,
            new(e.FeatureDeleted()),
            expected=1,
            origin=origin,
            effects=Effects(destroy_key=True),
        )
    late = replace(after, answer=CANARY, outcome="answered", tokens=used)
    await ledger.settle(tenant, feature, late)
    found = await ledger.entries(tenant, feature, task_id)
    assert [(entry.answer, entry.outcome, entry.tokens) for entry in found] == [
        (None, "answered", used),
        (None, "answered", used),
    ]


async def test_a_tenants_own_key_is_made_once(database: str) -> None:
    tenant, other = uuid7(), uuid7()
    async with Database(database, "bp_api", max_size=8) as api:
        rings = [new_ring() for _ in range(8)]
        keys = await asyncio.gather(*(DataKeys(api, ring).of_tenant(tenant) for ring in rings))
        sealed = keys[0].seal("api key", tenant, CANARY)
        assert all(key.open("api key", tenant, sealed) == CANARY for key in keys)
        assert keys[0].scope == TENANT_SCOPE
        elsewhere = await DataKeys(api, rings[0]).of_tenant(other)
        with pytest.raises(Unsealable):
            elsewhere.open("api key", tenant, sealed)
        assert await DataKeys(api, rings[0]).of_feature(tenant, uuid7()) is None


async def test_another_master_key_opens_nothing(database: str) -> None:
    async with opened(database) as log:
        origin, feature = await log.begin()
    stranger = KeyRing(MasterKey.from_text(MasterKey.generate_text()))
    async with Database(database, "bp_worker", max_size=1) as workers:
        with pytest.raises(WrongMasterKey):
            await DataKeys(workers, stranger).of_feature(origin.tenant_id, feature)


def test_a_ring_forgets_the_key_that_was_used_least_recently() -> None:
    ring = KeyRing(MasterKey.from_text(MasterKey.generate_text()), at_most=2)
    tenant = uuid7()
    keys = [ring.make(tenant, uuid7())[0] for _ in range(3)]
    ring.keep(keys[0])
    ring.keep(keys[1])
    assert ring.kept(tenant, keys[0].scope) is keys[0]
    ring.keep(keys[2])
    assert ring.kept(tenant, keys[1].scope) is None
    assert ring.kept(tenant, keys[0].scope) is keys[0]
    ring.forget(tenant, keys[0].scope)
    assert ring.kept(tenant, keys[0].scope) is None


async def test_requests_of_many_tenants_share_a_transaction_and_stay_each_their_own(
    database: str, ledger: PostgresLedger
) -> None:
    async with opened(database) as log:
        begun = [await log.begin() for _ in range(8)]
        claims = [await log.lease(origin, feature) for origin, feature in begun]
    asked = [
        (claim.tenant_id, claim.feature_id, LedgerEntry(claim.task_id, 1, 1, "a" * 64))
        for claim in claims
    ]
    fencing_tokens = [claim.fencing_token for claim in claims]
    lost = ledger.announce(*asked[0], fencing_tokens[0] - 1)
    going = (
        ledger.announce(*call, fencing_token)
        for call, fencing_token in zip(asked, fencing_tokens, strict=True)
    )
    refused, *announced = await asyncio.gather(lost, *going, return_exceptions=True)
    assert isinstance(refused, LeaseLost)
    assert announced == [None] * 8
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT xmin::text) FROM app.model_calls"
        )
        assert found.fetchone() == (8, 1)
    never = (*asked[0][:2], LedgerEntry(uuid7(), 1, 1, "b" * 64, b"x", "answered"))
    settled = [
        (tenant, feature, replace(entry, answer=str(tenant).encode(), outcome="answered"))
        for tenant, feature, entry in asked
    ]
    answers = await asyncio.gather(
        *(ledger.settle(*call) for call in (never, *settled)), return_exceptions=True
    )
    assert isinstance(answers[0], NotAnnounced)
    assert answers[1:] == [None] * 8
    for tenant, feature, entry in asked:
        (kept,) = await ledger.entries(tenant, feature, entry.task_id)
        assert kept.answer == str(tenant).encode()
        stranger = uuid7()
        assert await ledger.entries(stranger, feature, entry.task_id) == []
