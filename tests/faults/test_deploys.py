"""Deploys, and steps that take their process down: others go on, and nothing is used up."""

from uuid import UUID

import pytest

from domain import events as e
from domain.status import Step
from interface.server import listen
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
    await service.start("worker")
    await user.drive(feature, {"spec_ready"})
    assert len(service.asked("spec")) == 1
    await assert_invariants(service)


async def test_what_a_restart_cut_is_told_as_ours(service: Service) -> None:
    service.model.script("spec", ["hold"])
    [worker] = await service.start("worker")
    user = await service.user()
    feature = await user.create()
    await service.until_held()
    service.faults += 1
    assert await worker.stop() == 0
    await service.start("worker")
    shown = await user.drive(feature, {"spec_ready"})
    listed = f"/api/features/{feature}/runs"
    runs = (await user.read(listed, min_version=shown["version"]))["items"]
    told = [(r["error"], r["cause"]) for r in runs if r["step"] == "spec"]
    assert told == [("worker_stopped", "ours"), (None, None)]
    fates = {share["name"] for share in (await user.read("/api/usage"))["by_fate"]}
    assert "ours" in fates
    await assert_invariants(service)


@pytest.mark.parametrize("place", ["before_request", "at_work"])
async def test_a_step_that_ends_its_worker_is_failed_and_the_innocent_are_finished(
    service: Service, place: str
) -> None:
    poison = {"fail_point": f"{place}@plan", "lease_seconds": "1"}
    [doomed] = await service.start("worker", **poison)
    user = await service.user()
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


async def test_an_api_that_starts_beside_another_takes_its_listener_over(
    service: Service,
) -> None:
    user = await service.user()
    feature = await user.draft()
    [old] = service.running("api")
    callers = Callers(service.url, dict(user.http.headers))
    async with callers.asking():
        await callers.answered(20)
        await renamed(user, feature)
        new = service.launch("api")
        await until(lambda: '"listener_shared"' in old.said(), "it asks for the listener")
        await until(lambda: '"answered"' in new.said(), "both answer")
        await renamed(user, feature)
        assert await old.stop() == 0
        await renamed(user, feature)
        await callers.answered(20)
        await assert_nothing_missed(service, callers, feature)


async def test_an_api_whose_supervisor_keeps_its_listener_refuses_nobody_while_it_restarts(
    service: Service,
) -> None:
    user = await service.user()
    feature = await user.draft()
    with listen("127.0.0.1", 0) as kept:
        url = f"http://127.0.0.1:{kept.getsockname()[1]}"
        callers = Callers(url, dict(user.http.headers))
        api = service.launch("api", kept, public_url=service.url)
        async with callers.asking():
            await callers.answered(20)
            await renamed(user, feature)
            assert await api.stop() == 0
            api = service.launch("api", kept, public_url=service.url)
            await callers.answered(20)
            await assert_nothing_missed(service, callers, feature)
        api.kill()
