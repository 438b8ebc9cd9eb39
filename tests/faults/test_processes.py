"""Processes and servers that die in the middle of features: what was acknowledged stays."""

import asyncio
import time
from uuid import UUID

import pytest

from domain import events as e
from tests.faults.invariants import assert_invariants
from tests.faults.service import Service, until
from tests.faults.user import User


async def at_gate(service: Service) -> tuple[User, UUID]:
    """A feature that waits for its specification to be approved, and a worker."""
    await service.start("worker")
    user = await service.user()
    feature = await user.create()
    await user.drive(feature, {"spec_ready"})
    return user, feature


async def test_what_is_decided_while_the_relay_is_dead_is_worked_on_when_it_is_back(
    service: Service,
) -> None:
    user, feature = await at_gate(service)
    for gate in ("plan_ready", "tests_ready"):
        [relay] = service.running("relay")
        service.fault(relay)
        await user.approve(feature, await user.show(feature))
        await service.start("relay")
        await user.drive(feature, {gate})
    await assert_invariants(service)


@pytest.mark.campaign
async def test_a_feature_gets_done_while_no_relay_runs_and_later_messages_make_nothing_twice(
    service: Service,
) -> None:
    user, feature = await at_gate(service)
    for relay in service.running("relay"):
        service.fault(relay)
    await user.drive(feature)
    tasks = service.rows("SELECT task_id, status, attempt FROM app.tasks ORDER BY task_id")
    await service.start("relay")

    def caught_up() -> bool:
        [(last,)] = service.rows("SELECT max(position) FROM es.events")
        [(seen,)] = service.rows("SELECT position FROM app.cursors WHERE name = 'reconciler'")
        return bool(seen == last)

    await until(caught_up, "the log is announced")
    assert service.rows("SELECT task_id, status, attempt FROM app.tasks ORDER BY task_id") == tasks
    await assert_invariants(service)


@pytest.mark.campaign
async def test_a_relay_killed_at_any_moment_of_publishing_loses_and_doubles_nothing(
    service: Service,
) -> None:
    await service.start("worker")
    user = await service.user()
    for _ in range(3):
        begun = [asyncio.create_task(user.create()) for _ in range(4)]
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        [relay] = service.running("relay")
        service.fault(relay)
        await asyncio.gather(*begun)
        await service.start("relay")
    for feature in user.features:
        await user.drive(feature, {"spec_ready"})
    await assert_invariants(service)


async def test_nats_wiped_in_the_middle_of_a_feature_loses_nothing(service: Service) -> None:
    user, feature = await at_gate(service)
    service.model.script("planner", ["hold"])
    await user.approve(feature, await user.show(feature))
    await service.until_held()
    service.stack.restart_nats(wipe=True)
    service.model.release()
    await user.drive(feature, {"tests_ready"})
    await assert_invariants(service)


@pytest.mark.campaign
async def test_without_nats_for_the_second_half_a_feature_still_gets_done(
    service: Service,
) -> None:
    user, feature = await at_gate(service)
    service.stack.kill_nats()
    try:
        await user.drive(feature)
        await assert_invariants(service)
        ready = await user.read("/health/ready")
        assert (ready["status"], ready["nats"]) == ("degraded", False)
    finally:
        service.stack.restart_nats()


async def test_postgres_killed_while_answers_are_on_their_way_loses_none_of_them(
    service: Service,
) -> None:
    await service.start("worker")
    user = await service.user()
    service.model.script("spec", ["hold"] * 3)
    features = [await user.create() for _ in range(3)]
    await until(lambda: service.model.held == 3)
    service.stack.kill_postgres()
    began = time.monotonic()
    answer = await user.http.post("/api/features", json={})
    assert answer.status_code == 503
    assert time.monotonic() - began < 4.0
    assert answer.json()["code"] == "unavailable"
    service.model.release()
    await until(lambda: all(x.outcome == "answered" for x in service.asked("spec")))
    service.stack.restart_postgres()
    for feature in features:
        await user.drive(feature, {"spec_ready"})
    assert len(service.asked("spec")) == 3, "an answer was bought twice"
    await assert_invariants(service)


@pytest.mark.campaign
async def test_without_a_projector_lists_show_the_past_and_a_page_the_present(
    service: Service,
) -> None:
    user, feature = await at_gate(service)
    [projector] = service.running("projector")
    service.fault(projector)
    await user.approve(feature, await user.show(feature))
    await service.happened(feature, e.PlanGenerated)
    [listed] = (await user.read("/api/features"))["items"]
    assert listed["status"] == "spec_ready"
    assert (await user.show(feature))["status"] == "plan_ready"
    await service.start("projector")
    await user.drive(feature, {"plan_ready"})
    await assert_invariants(service)


@pytest.mark.campaign
async def test_a_reply_is_kept_although_the_api_died_while_it_was_streamed(
    service: Service,
) -> None:
    await service.start("worker")
    user = await service.user()
    feature = await user.draft()
    service.model.script("ba", ["hold"])

    async def talk() -> None:
        async for _ in user.say(feature, "I want a diary for my plants."):
            pass

    talking = asyncio.create_task(talk())
    await service.until_held()
    [api] = service.running("api")
    service.fault(api)
    await asyncio.wait({talking})
    assert talking.exception() is not None
    service.model.release()
    [reply] = await service.happened(feature, e.AgentReplied)
    await service.start("api")
    messages = (await user.read(f"/api/features/{feature}/messages"))["items"]
    assert [m["text"] for m in messages][-1] == reply.event.text
    await assert_invariants(service)


@pytest.mark.campaign
async def test_every_process_ends_in_order_when_it_is_told_to(service: Service) -> None:
    await service.start("worker")
    user = await service.user()
    service.model.script("spec", ["hold"])
    feature = await user.create()
    await service.until_held()
    service.faults += 1
    for name in ("worker", "api", "relay", "projector", "sweeper"):
        for part in service.running(name):
            assert await part.stop() == 0, part.said()
    [failed] = [r.event for r in await service.events(feature) if r.type == "attempt_failed"]
    assert failed.code == "worker_stopped"
    await service.start("api", "relay", "projector", "sweeper", "worker")
    await user.drive(feature, {"spec_ready"})
    await assert_invariants(service)


@pytest.mark.campaign
async def test_a_step_without_a_sign_of_life_is_failed_once_and_can_be_retried(
    service: Service,
) -> None:
    user, feature = await at_gate(service)
    for sweeper in service.running("sweeper"):
        sweeper.kill()
    quick = await service.start("sweeper", "sweeper", stuck_after_seconds="2")
    service.model.script("planner", ["hold"])
    await user.approve(feature, await user.show(feature))
    await service.until_held()
    failed = await user.drive(feature, {"failed"})
    assert failed["failure"]["code"] == "stuck"
    assert failed["failure"]["next"] == "retry"
    for sweeper in quick:
        sweeper.kill()
    await until(lambda: service.model.held == 0, "the worker lets go")
    await service.happened(feature, e.RunDiscarded)
    events = [recorded.event for recorded in await service.events(feature)]
    assert sum(isinstance(x, e.FeatureFailed) for x in events) == 1
    await user.retry(feature)
    await user.drive(feature, {"plan_ready"})
    await assert_invariants(service)
