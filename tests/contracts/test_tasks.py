"""What every queue of record and every ledger keeps."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.ports import Claim, DueStep, Effects, LeaseLost, LedgerEntry, TaskUpdate
from domain import events as e
from domain.runs import Tokens
from domain.status import Agent, Step
from tests.contracts.conftest import MAX_ATTEMPTS, PER_TENANT, Adapters

ALL = tuple(Agent)


def due(tenant_id: UUID | None = None, step: Step = Step.SPEC) -> DueStep:
    return DueStep(uuid7(), tenant_id or uuid7(), uuid7(), step, uuid7(), 3, uuid7())


async def soon(ask: Callable[[], Awaitable[list[Claim]]]) -> list[Claim]:
    """What the question is answered with, once it is answered with anything."""
    for _ in range(500):
        if found := await ask():
            return found
        await asyncio.sleep(0.005)
    raise AssertionError("nothing was ever claimed")


async def test_a_step_is_added_once(adapters: Adapters) -> None:
    first, second = due(), due()
    assert await adapters.tasks.enqueue([first]) == 1
    assert await adapters.tasks.enqueue([first, second]) == 1
    assert await adapters.tasks.enqueue([]) == 0
    assert len(await adapters.tasks.claim("w", ALL, limit=5, lease_seconds=60)) == 2


async def test_a_claim_says_what_is_to_be_done(adapters: Adapters) -> None:
    step = due(step=Step.PLAN)
    await adapters.tasks.enqueue([step])
    (claim,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=60)
    assert claim.attempt == 1
    assert claim.fencing_token > 0
    assert DueStep(*(getattr(claim, name) for name in DueStep.__struct_fields__)) == step


async def test_a_worker_claims_for_its_agents_only(adapters: Adapters) -> None:
    await adapters.tasks.enqueue([due(step=Step.SPEC)])
    assert not await adapters.tasks.claim("w", [Agent.BA], limit=5, lease_seconds=60)
    assert not await adapters.tasks.claim("w", [], limit=5, lease_seconds=60)
    assert await adapters.tasks.claim("w", [Agent.SPEC], limit=5, lease_seconds=60)


async def test_no_task_is_leased_twice(adapters: Adapters) -> None:
    await adapters.tasks.enqueue([due() for _ in range(20)])
    claims: list[Claim] = []
    while more := await asyncio.gather(
        *(adapters.tasks.claim(f"w{n}", ALL, limit=3, lease_seconds=60) for n in range(4))
    ):
        claims += (claim for found in more for claim in found)
        if not any(more):
            break
    assert len({claim.task_id for claim in claims}) == len(claims) == 20
    assert len({claim.fencing_token for claim in claims}) == 20


async def test_the_least_loaded_tenant_comes_first_up_to_its_cap(adapters: Adapters) -> None:
    busy, quiet = uuid7(), uuid7()
    await adapters.tasks.enqueue([due(busy) for _ in range(6)])
    await adapters.tasks.enqueue([due(quiet)])
    first = await adapters.tasks.claim("w", ALL, limit=2, lease_seconds=60)
    assert {claim.tenant_id for claim in first} == {busy, quiet}
    rest = await adapters.tasks.claim("w", ALL, limit=9, lease_seconds=60)
    assert [claim.tenant_id for claim in rest] == [busy] * (PER_TENANT - 1)


async def test_a_lost_workers_task_goes_to_another_under_a_higher_fencing_token(
    adapters: Adapters,
) -> None:
    await adapters.tasks.enqueue([due()])
    (lost,) = await adapters.tasks.claim("w1", ALL, limit=1, lease_seconds=0.02)
    (taken,) = await soon(
        lambda: adapters.tasks.claim("w2", ALL, limit=1, lease_seconds=60)  # type: ignore[arg-type]
    )
    assert (taken.task_id, taken.attempt) == (lost.task_id, 2)
    assert taken.fencing_token > lost.fencing_token
    held = await adapters.tasks.heartbeat(
        "w1", {lost.task_id: lost.fencing_token}, [lost.task_id], 60
    )
    assert held == set()
    await adapters.tasks.cancel_task(lost.task_id, lost.fencing_token, "cancelled")
    assert await adapters.tasks.heartbeat("w2", {taken.task_id: taken.fencing_token}, [], 60) == {
        taken.task_id
    }


async def test_a_beat_keeps_the_lease(adapters: Adapters) -> None:
    await adapters.tasks.enqueue([due()])
    (claim,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=0.0)  # Over at once.
    assert await adapters.tasks.heartbeat("w", {claim.task_id: claim.fencing_token}, [], 60)
    assert not await adapters.tasks.claim("w2", ALL, limit=1, lease_seconds=60)
    assert await adapters.tasks.heartbeat("w", {}, [], 60) == set()


async def test_a_dropped_task_is_over(adapters: Adapters) -> None:
    await adapters.tasks.enqueue([due()])
    (claim,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=0.0)
    await adapters.tasks.cancel_task(claim.task_id, claim.fencing_token, "cancelled", "superseded")
    assert (
        await adapters.tasks.heartbeat("w", {claim.task_id: claim.fencing_token}, [], 60) == set()
    )
    assert not await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=60)


async def test_what_is_put_off_waits_and_is_no_attempt_that_failed(adapters: Adapters) -> None:
    await adapters.tasks.enqueue([due()])
    (claim,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=60)
    await adapters.tasks.put_off(claim.task_id, claim.fencing_token - 1, "newer_version")
    assert await adapters.tasks.heartbeat("w", {claim.task_id: claim.fencing_token}, [], 60)
    await adapters.tasks.put_off(claim.task_id, claim.fencing_token, "newer_version")
    assert not await adapters.tasks.heartbeat("w", {claim.task_id: claim.fencing_token}, [], 60)
    assert not await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=60)
    # A process that starts may be of a newer version: it has it at once.
    assert await adapters.tasks.take_up() == 1
    (again,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=60)
    assert (again.task_id, again.alone) == (claim.task_id, False)
    assert again.fencing_token > claim.fencing_token
    assert await adapters.tasks.take_up() == 0


async def test_used_up_attempts_go_to_the_sweeper_once(adapters: Adapters) -> None:
    await adapters.tasks.enqueue([due()])
    fencing_tokens = []
    for _ in range(MAX_ATTEMPTS):
        (claim,) = await soon(
            lambda: adapters.tasks.claim("w", ALL, limit=1, lease_seconds=0.0)  # type: ignore[arg-type]
        )
        fencing_tokens.append(claim.fencing_token)
    assert not await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=0.0)
    found = await asyncio.gather(*(adapters.tasks.stuck(3600, 5) for _ in range(3)))
    (stuck,) = [claim for claims in found for claim in claims]
    assert stuck.task_id == claim.task_id
    assert stuck.fencing_token > max(fencing_tokens)
    assert not await adapters.tasks.stuck(3600, 5)


async def test_what_gives_no_sign_of_life_is_stuck_what_progresses_is_not(
    adapters: Adapters,
) -> None:
    await adapters.tasks.enqueue([due(), due()])
    silent, lively = await adapters.tasks.claim("w", ALL, limit=2, lease_seconds=600)
    alive = {claim.task_id: claim.fencing_token for claim in (silent, lively)}
    assert not await adapters.tasks.stuck(3600, 5)

    for task_id in alive:
        await adapters.silent_for(task_id, 7200)
    await adapters.tasks.heartbeat("w", alive, [lively.task_id], 600)
    (stuck,) = await adapters.tasks.stuck(3600, 5)
    assert stuck.task_id == silent.task_id
    assert await adapters.tasks.heartbeat("w", alive, [], 600) == {lively.task_id}


async def test_what_is_handed_back_any_number_of_times_is_neither_used_up_nor_suspected(
    adapters: Adapters,
) -> None:
    await adapters.tasks.enqueue([due(), due()])
    for times in range(1, 2 * MAX_ATTEMPTS + 1):
        claims = await adapters.tasks.claim("w", ALL, limit=2, lease_seconds=60)
        assert [(claim.attempt, claim.alone) for claim in claims] == [(times, False)] * 2
        held = {claim.task_id: claim.fencing_token for claim in claims}
        assert await adapters.tasks.hand_back(held, error="worker_stopped") == held.keys()
        assert not await adapters.tasks.hand_back(held), "it is not ours any more"
        assert not await adapters.tasks.stuck(3600, 5)
    assert await adapters.tasks.hand_back({}) == set()


async def test_what_is_handed_back_for_later_is_not_claimed_before(adapters: Adapters) -> None:
    await adapters.tasks.enqueue([due()])
    (claim,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=60)
    await adapters.tasks.hand_back({claim.task_id: claim.fencing_token}, pause_seconds=3600)
    assert not await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=60)


async def test_a_lease_that_ended_without_a_word_makes_its_task_run_alone_from_then_on(
    adapters: Adapters,
) -> None:
    await adapters.tasks.enqueue([due()])
    await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=0.0)
    assert not await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=0.0, take_over=False)
    for attempt in (2, 3):
        (claim,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=60)
        assert (claim.attempt, claim.alone) == (attempt, True)
        await adapters.tasks.hand_back({claim.task_id: claim.fencing_token})
    (claim,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=60, take_over=False)
    assert claim.alone, "it is nobody's: there is nothing to take over"


async def test_so_many_run_alone_and_the_others_are_not_held_up(adapters: Adapters) -> None:
    tenant = uuid7()
    await adapters.tasks.enqueue([due(tenant) for _ in range(PER_TENANT)])
    lost = await adapters.tasks.claim("w", ALL, limit=PER_TENANT, lease_seconds=0.0)
    await adapters.tasks.enqueue([due(tenant), due(), due()])
    none = await adapters.tasks.claim("w", ALL, limit=9, lease_seconds=60, alone=0)
    assert [claim.alone for claim in none] == [False] * 3
    one = await adapters.tasks.claim("w", ALL, limit=9, lease_seconds=60, alone=1)
    assert [claim.alone for claim in one] == [True]
    assert {claim.task_id for claim in one} < {claim.task_id for claim in lost}


async def begun(adapters: Adapters, lease_seconds: float = 60) -> Claim:
    """A leased step of a feature."""
    feature_id, origin = uuid7(), adapters.origin()
    created = [(uuid7(), e.FeatureCreated("A"))]
    await adapters.log.append(feature_id, created, expected=0, origin=origin)
    await adapters.tasks.enqueue([replace(due(origin.tenant_id), feature_id=feature_id)])
    (claim,) = await adapters.tasks.claim("w", ALL, limit=1, lease_seconds=lease_seconds)
    return claim


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


async def test_what_ended_a_process_of_its_own_begins_alone_when_it_is_tried_again(
    adapters: Adapters,
) -> None:
    claim = await begun(adapters)
    update = TaskUpdate(claim.task_id, claim.fencing_token, "failed", error="crashed_alone")
    await adapters.log.append(
        claim.feature_id,
        [(uuid7(), e.FeatureRenamed("B"))],
        expected=1,
        origin=adapters.origin(claim.tenant_id),
        effects=Effects(task=update),
    )
    for step in (Step.SPEC, Step.PLAN):
        again = replace(due(claim.tenant_id, step), feature_id=claim.feature_id)
        await adapters.tasks.enqueue([again])
    claims = await adapters.tasks.claim("w", ALL, limit=2, lease_seconds=60)
    assert {claim.step: claim.alone for claim in claims} == {Step.SPEC: True, Step.PLAN: False}
