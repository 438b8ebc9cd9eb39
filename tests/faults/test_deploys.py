"""Deploys, and steps that take their process down: others go on, and nothing is used up."""

import asyncio
from uuid import UUID

import pytest

from domain import events as e
from domain.status import Step
from interface.listeners import shared
from tests.faults.callers import Callers
from tests.faults.invariants import assert_invariants
from tests.faults.service import Service, until
from tests.faults.user import User


async def test_a_step_under_way_is_finished_by_a_worker_that_is_told_to_stop(
    service: Service,
) -> None:
    service.model.script("spec", ["hold"])
    [worker] = await service.start("worker", drain_seconds="3600")
    user = await service.user()
    feature = await user.create()
    await service.until_held()
    worker.tell()
    await until(lambda: '"draining"' in worker.said(), "it drains")
    service.model.release()
    await service.happened(feature, e.SpecGenerated)
    assert await worker.ended() == 0
    events = [recorded.event for recorded in await service.events(feature)]
    assert not [x for x in events if isinstance(x, e.AttemptFailed)]
    assert len(service.asked("spec")) == 1


@pytest.mark.timeout(300)  # Five processes start one after the other.
@pytest.mark.campaign
@pytest.mark.parametrize("place", ["before_request", "at_work"])
async def test_a_step_that_ends_its_worker_is_failed_and_the_innocent_are_finished(
    service: Service, place: str
) -> None:
    poison = {"fail_point": f"{place}@plan", "lease_seconds": "1"}
    [doomed] = await service.start("worker", **poison)
    user = await service.user()
    user.patience = 90.0
    guilty = await user.create()
    await user.drive(guilty, {"spec_ready"})
    service.model.script("spec", ["hold"] * 2)
    innocent = [await user.create() for _ in range(2)]
    await until(lambda: service.model.held == 2, "the innocent are under way")
    await user.approve(guilty, await user.show(guilty))
    assert await doomed.ended() != 0
    service.faults += 2
    [survivor] = await service.start("worker", **poison)
    failed = await user.drive(guilty, {"failed"})
    assert (failed["failure"]["step"], failed["failure"]["code"]) == (Step.PLAN, "crashed_alone")
    assert failed["failure"]["reason"]
    assert failed["failure"]["advice"]
    for feature in innocent:
        await user.drive(feature, {"spec_ready"})
    events = [recorded.event for recorded in await service.events(guilty)]
    begun = [x.attempt for x in events if isinstance(x, e.StepStarted)]
    numbers = [attempt.number for attempt in begun if attempt.step is Step.PLAN]
    assert numbers == [1, 2], "it died twice, and was not leased again"
    assert survivor.code is None
    await assert_invariants(service)


async def assert_nothing_missed(service: Service, callers: Callers, feature: UUID) -> None:
    """Nobody was refused or cut off, and whoever follows has seen each event once, in order."""
    assert set(callers.came_to) == {"200"}, callers.came_to
    assert callers.goodbyes
    renamings = [r.position for r in await service.events(feature) if r.type == "feature_renamed"]
    await until(lambda: callers.told[-1:] == renamings[-1:], "the stream has come to the end")
    assert callers.told == renamings


async def renamed(user: User, feature: UUID) -> None:
    await user.command("PATCH", f"/api/features/{feature}", {"title": "Another"})


@pytest.mark.campaign
@pytest.mark.timeout(300)  # Two processes start one after the other.
async def test_nobody_is_refused_or_cut_off_while_one_api_takes_the_place_of_another(
    service: Service,
) -> None:
    user = await service.user()
    feature = await user.draft()
    [old] = service.running("api")
    callers = Callers(service.url, dict(user.http.headers))
    async with callers.asking():
        await callers.answered(20)
        await renamed(user, feature)
        # Started beside the old one, it is given the listener.
        new = service.launch("api")
        await until(lambda: '"listener_shared"' in old.said(), "it asks for the listener")
        await until(lambda: '"answered"' in new.said(), "both answer")
        await renamed(user, feature)
        assert await old.stop() == 0
        await renamed(user, feature)
        await callers.answered(20)
        # Alone, with its listener kept by a supervisor meanwhile, which is this test.
        offered = asyncio.to_thread(shared, "127.0.0.1", service.port, service.folder / "data")
        with await offered as kept:
            assert await new.stop() == 0
            service.launch("api", kept.socket)
            await callers.answered(20)
            await renamed(user, feature)
            await assert_nothing_missed(service, callers, feature)
