"""What every ledger of model calls keeps: no request is forgotten, and no answer is lost."""

from uuid import UUID

import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.ports import Effects, LeaseLost, LedgerEntry
from domain import events as e
from domain.runs import Tokens
from tests.contracts.claims import ALL, begun, soon
from tests.contracts.conftest import Adapters


async def test_a_request_is_unknown_until_it_is_settled(adapters: Adapters) -> None:
    claim = await begun(adapters)
    tenant, feature, fencing_token = claim.tenant_id, claim.feature_id, claim.fencing_token
    announced = LedgerEntry(claim.task_id, 1, 1, "a" * 64)
    await adapters.ledger.announce(tenant, feature, announced, fencing_token)
    await adapters.ledger.announce(tenant, feature, announced, fencing_token)
    assert list(await adapters.ledger.entries(tenant, feature, announced.task_id)) == [announced]
    settled = replace(announced, answer=b"{}", outcome="answered", tokens=Tokens(1, 2, 3, 4))
    await adapters.ledger.settle(tenant, feature, settled)
    assert list(await adapters.ledger.entries(tenant, feature, announced.task_id)) == [settled]
    assert not await adapters.ledger.entries(uuid7(), feature, announced.task_id)
    assert not await adapters.ledger.entries(tenant, feature, uuid7())


async def test_a_stored_answer_is_never_replaced(adapters: Adapters) -> None:
    claim = await begun(adapters)
    tenant, feature, fencing_token = claim.tenant_id, claim.feature_id, claim.fencing_token
    entry = LedgerEntry(claim.task_id, 1, 1, "a" * 64)
    await adapters.ledger.announce(tenant, feature, entry, fencing_token)
    first = replace(entry, answer=b"first", outcome="answered")
    await adapters.ledger.settle(tenant, feature, first)
    await adapters.ledger.settle(tenant, feature, replace(entry, outcome="timeout"))
    assert list(await adapters.ledger.entries(tenant, feature, entry.task_id)) == [first]


async def test_a_failed_request_leaves_its_code_and_its_tokens(adapters: Adapters) -> None:
    claim = await begun(adapters)
    tenant, feature, fencing_token = claim.tenant_id, claim.feature_id, claim.fencing_token
    entry = LedgerEntry(claim.task_id, 2, 1, "b" * 64)
    await adapters.ledger.announce(tenant, feature, entry, fencing_token)
    failed = replace(entry, outcome="overloaded", tokens=Tokens(output=7))
    await adapters.ledger.settle(tenant, feature, failed)
    assert list(await adapters.ledger.entries(tenant, feature, entry.task_id)) == [failed]


async def test_nothing_is_settled_that_was_not_announced(adapters: Adapters) -> None:
    claim = await begun(adapters)
    tenant, feature, fencing_token = claim.tenant_id, claim.feature_id, claim.fencing_token
    entry = LedgerEntry(claim.task_id, 1, 1, "a" * 64)
    with pytest.raises(LookupError):
        await adapters.ledger.settle(tenant, feature, entry)
    await adapters.ledger.announce(tenant, feature, entry, fencing_token)
    with pytest.raises(LookupError):
        await adapters.ledger.announce(
            tenant, feature, replace(entry, request_sha256="c" * 64), fencing_token
        )


async def test_nothing_is_announced_but_under_the_live_lease(adapters: Adapters) -> None:
    claim = await begun(adapters, lease_seconds=0.0)
    tenant, feature = claim.tenant_id, claim.feature_id
    entry = LedgerEntry(claim.task_id, 1, 1, "a" * 64)
    for fencing_token in (
        claim.fencing_token,
        claim.fencing_token + 1,
    ):  # Run out, though nobody else has it; and never.
        with pytest.raises(LeaseLost):
            await adapters.ledger.announce(tenant, feature, entry, fencing_token)
    (taken,) = await soon(
        lambda: adapters.tasks.claim("w2", ALL, limit=1, lease_seconds=60)  # type: ignore[arg-type]
    )
    with pytest.raises(LeaseLost):
        await adapters.ledger.announce(tenant, feature, entry, claim.fencing_token)
    with pytest.raises(LeaseLost):
        await adapters.ledger.announce(uuid7(), feature, entry, taken.fencing_token)
    assert not await adapters.ledger.entries(tenant, feature, claim.task_id)
    await adapters.ledger.announce(tenant, feature, entry, taken.fencing_token)
    await adapters.tasks.cancel_task(taken.task_id, taken.fencing_token, "cancelled")
    with pytest.raises(LeaseLost):
        await adapters.ledger.announce(tenant, feature, replace(entry, turn=2), taken.fencing_token)
    assert list(await adapters.ledger.entries(tenant, feature, claim.task_id)) == [entry]


async def test_requests_come_in_the_order_in_which_they_were_announced(adapters: Adapters) -> None:
    claim = await begun(adapters)
    tenant, feature = claim.tenant_id, claim.feature_id
    turns = [(1, 1), (1, 2), (2, 1), (1, 3)]
    entries = [LedgerEntry(claim.task_id, *turn, str(turn[1]) * 64) for turn in turns]
    for entry in entries:
        await adapters.ledger.announce(tenant, feature, entry, claim.fencing_token)
    await adapters.ledger.announce(tenant, feature, entries[0], claim.fencing_token)
    await adapters.ledger.settle(tenant, feature, replace(entries[1], outcome="overloaded"))
    found = await adapters.ledger.entries(tenant, feature, claim.task_id)
    assert [(entry.attempt, entry.turn) for entry in found] == turns
    assert [entry.outcome for entry in found] == [None, "overloaded", None, None]


async def test_a_failed_request_may_be_sent_again_and_an_answered_one_may_not(
    adapters: Adapters,
) -> None:
    claim = await begun(adapters)
    tenant, feature, fencing_token = claim.tenant_id, claim.feature_id, claim.fencing_token
    entry = LedgerEntry(claim.task_id, 1, 1, "a" * 64)
    await adapters.ledger.announce(tenant, feature, entry, fencing_token)
    await adapters.ledger.settle(tenant, feature, replace(entry, outcome="overloaded"))
    await adapters.ledger.announce(tenant, feature, entry, fencing_token)
    answered = replace(entry, answer=b"{}", outcome="answered")
    await adapters.ledger.settle(tenant, feature, answered)
    with pytest.raises(LookupError):
        await adapters.ledger.announce(tenant, feature, entry, fencing_token)
    assert list(await adapters.ledger.entries(tenant, feature, claim.task_id)) == [answered]


async def test_nobody_else_settles_a_request_and_no_other_request_is_settled(
    adapters: Adapters,
) -> None:
    claim = await begun(adapters)
    tenant, feature, fencing_token = claim.tenant_id, claim.feature_id, claim.fencing_token
    entry = LedgerEntry(claim.task_id, 1, 1, "a" * 64)
    await adapters.ledger.announce(tenant, feature, entry, fencing_token)
    for whose, other in (
        (uuid7(), entry),
        (tenant, replace(entry, request_sha256="b" * 64)),
        (tenant, replace(entry, turn=2)),
        (tenant, replace(entry, attempt=2)),
    ):
        with pytest.raises(LookupError):
            await adapters.ledger.settle(whose, feature, replace(other, outcome="answered"))
    assert list(await adapters.ledger.entries(tenant, feature, claim.task_id)) == [entry]


async def test_a_request_is_found_under_its_own_feature_only(adapters: Adapters) -> None:
    claim = await begun(adapters)
    entry = LedgerEntry(claim.task_id, 1, 1, "a" * 64)
    tenant, feature = claim.tenant_id, claim.feature_id
    await adapters.ledger.announce(tenant, feature, entry, claim.fencing_token)
    assert not await adapters.ledger.entries(tenant, uuid7(), claim.task_id)


async def test_an_answer_that_comes_after_the_lease_is_kept(adapters: Adapters) -> None:
    claim = await begun(adapters)
    tenant, feature = claim.tenant_id, claim.feature_id
    entry = LedgerEntry(claim.task_id, 1, 1, "a" * 64)
    await adapters.ledger.announce(tenant, feature, entry, claim.fencing_token)
    await adapters.tasks.hand_back({claim.task_id: claim.fencing_token})
    answered = replace(entry, answer=b"{}", outcome="answered")
    await adapters.ledger.settle(tenant, feature, answered)
    assert list(await adapters.ledger.entries(tenant, feature, claim.task_id)) == [answered]


async def delete(adapters: Adapters, tenant_id: UUID, feature_id: UUID) -> None:
    await adapters.log.append(
        feature_id,
        [(uuid7(), e.FeatureDeleted())],
        expected=1,
        origin=adapters.origin(tenant_id),
        effects=Effects(destroy_key=True),
    )


async def test_answers_go_with_the_feature_and_what_they_cost_stays(adapters: Adapters) -> None:
    claim = await begun(adapters)
    tenant, feature = claim.tenant_id, claim.feature_id
    before = LedgerEntry(claim.task_id, 1, 1, "a" * 64)
    after = LedgerEntry(claim.task_id, 1, 2, "b" * 64)
    for entry in (before, after):
        await adapters.ledger.announce(tenant, feature, entry, claim.fencing_token)
    told = {"answer": b"{}", "outcome": "answered", "tokens": Tokens(5, 6)}
    await adapters.ledger.settle(tenant, feature, replace(before, **told))
    await delete(adapters, tenant, feature)
    await adapters.ledger.settle(tenant, feature, replace(after, **told))
    told["answer"] = None
    assert list(await adapters.ledger.entries(tenant, feature, claim.task_id)) == [
        replace(before, **told),
        replace(after, **told),
    ]
