"""What every queue of record keeps."""

import asyncio

from msgspec.structs import replace
from uuid_utils.compat import uuid7

from application.ports import Claim, DueStep, Effects, TaskUpdate
from domain import events as e
from domain.status import Agent, Step
from tests.contracts.claims import ALL, begun, due, soon
from tests.contracts.conftest import MAX_ATTEMPTS, PER_TENANT, Adapters


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
