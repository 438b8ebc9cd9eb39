"""Workers that die or fall asleep: one accepted result, and no payment that the log hides."""

from uuid import UUID

import pytest

from domain import events as e
from domain.status import Step
from interface.settings import Settings
from tests.faults.invariants import assert_invariants
from tests.faults.service import Part, Service, until


def test_nothing_fails_on_purpose_unless_a_setting_says_so() -> None:
    assert Settings.model_fields["fail_point"].default == ""


async def held(service: Service) -> tuple[UUID, Part]:
    """A feature whose only worker waits for the answer to its specification."""
    service.model.script("spec", ["hold"])
    [worker] = await service.start("worker")
    feature = await (await service.user()).create()
    await service.until_held()
    return feature, worker


async def lost_attempt(service: Service, feature: UUID) -> e.AttemptFailed:
    """The one attempt that gave no result; the step was finished by another."""
    await service.users[0].drive(feature, {"spec_ready"})
    events = [recorded.event for recorded in await service.events(feature)]
    assert sum(isinstance(x, e.SpecGenerated) for x in events) == 1
    [lost] = [x for x in events if isinstance(x, e.AttemptFailed)]
    assert (lost.attempt.step, lost.attempt.number, lost.retried) == (Step.SPEC, 1, True)
    return lost


@pytest.mark.parametrize("place", ["before_request", "after_answer"])
async def test_a_worker_killed_before_its_request_or_after_the_answer_costs_nothing(
    service: Service, place: str
) -> None:
    [doomed] = await service.start("worker", fail_point=f"{place}@spec")
    feature = await (await service.user()).create()
    assert await doomed.ended() == -9
    await service.start("worker")
    lost = await lost_attempt(service, feature)
    assert lost.code == "outcome_unknown"
    [paid] = service.asked("spec")
    used = lost.run.tokens
    if place == "after_answer":  # It was paid by the first, and used by the second.
        assert (used.input, used.output) == (paid.input_tokens, paid.output_tokens)
    else:
        assert (used.input, used.output) == (0, 0)
    await assert_invariants(service)


@pytest.mark.campaign
async def test_a_worker_killed_during_a_call_may_cost_that_call_and_the_log_says_so(
    service: Service,
) -> None:
    feature, worker = await held(service)
    service.fault(worker)
    await service.start("worker")
    lost = await lost_attempt(service, feature)
    assert lost.code == "outcome_unknown"
    assert lost.run.turns == 1
    assert [entry.outcome for entry in service.asked("spec")] == ["disconnected", "answered"]
    await assert_invariants(service)


@pytest.mark.campaign
async def test_what_a_worker_brings_that_slept_past_its_lease_is_refused_and_counted_once(
    service: Service,
) -> None:
    service.model.script("spec", ["prose_instead_of_tool"])
    feature, zombie = await held(service)
    zombie.pause()
    service.faults += 1
    await service.start("worker")
    lost = await lost_attempt(service, feature)
    first, late, *_ = service.asked("spec")
    assert (lost.code, lost.run.tokens.input) == ("outcome_unknown", first.input_tokens)
    service.model.release()
    await until(lambda: late.outcome == "answered")
    zombie.resume()
    [discarded] = await service.happened(feature, e.RunDiscarded)
    assert discarded.event.attempt == lost.attempt
    assert discarded.event.run.tokens.input == late.input_tokens
    await assert_invariants(service)
    assert await zombie.stop() == 0


@pytest.mark.campaign
async def test_a_worker_that_slept_past_its_lease_hangs_up_when_it_wakes(service: Service) -> None:
    feature, zombie = await held(service)
    zombie.pause()
    service.faults += 1
    await service.start("worker")
    await lost_attempt(service, feature)
    assert service.model.held == 1
    zombie.resume()
    await until(lambda: service.model.held == 0)
    await assert_invariants(service)


@pytest.mark.campaign
async def test_a_worker_that_slept_past_its_lease_before_a_request_sends_none(
    service: Service,
) -> None:
    [zombie] = await service.start("worker", fail_point="before_announcement@spec")
    feature = await (await service.user()).create()
    await until(lambda: zombie.asleep, "the worker falls asleep")
    await service.start("worker")
    lost = await lost_attempt(service, feature)
    assert (lost.code, lost.run.turns) == ("outcome_unknown", 0)
    zombie.resume()
    # Whichever comes first: its announcement is refused, or its heartbeat tells it to let go.
    let_go = ("announcement_refused", "step_taken_away")
    await until(lambda: any(word in zombie.said() for word in let_go), "it lets go")
    assert len(service.asked("spec")) == 1
    assert service.faults == 0  # So no request may be bought twice.
    await assert_invariants(service)


async def test_a_worker_told_to_stop_hands_its_step_back_at_once(service: Service) -> None:
    feature, worker = await held(service)
    service.faults += 1
    assert await worker.stop() == 0
    [failed] = await service.happened(feature, e.AttemptFailed)
    assert failed.event.code == "worker_stopped"
    await service.start("worker")
    assert (await lost_attempt(service, feature)).code == "worker_stopped"
    await assert_invariants(service)
    [user] = service.users
    runs = await user.read(f"/api/features/{feature}/runs", min_version=user.latest[feature])
    told = [(r["error"], r["cause"]) for r in runs["items"] if r["step"] == "spec"]
    assert told == [("worker_stopped", "ours"), (None, None)]
    usage = await user.read("/api/usage")
    assert "ours" in {share["name"] for share in usage["by_fate"]}


@pytest.mark.campaign
async def test_two_workers_killed_in_turn_leave_one_result(service: Service) -> None:
    service.model.script("spec", ["hold", "hold"])
    feature, worker = await held(service)
    for _ in range(2):
        service.fault(worker)
        await until(lambda: service.model.held == 0)
        [worker] = await service.start("worker")
        await service.until_held()
    service.model.release()
    await service.users[0].drive(feature, {"spec_ready"})
    events = [recorded.event for recorded in await service.events(feature)]
    assert [x.code for x in events if isinstance(x, e.AttemptFailed)] == ["outcome_unknown"] * 2
    assert len(service.asked("spec")) == 3
    await assert_invariants(service)


@pytest.mark.campaign
async def test_a_person_who_stops_work_closes_the_stream_and_is_charged_once(
    service: Service,
) -> None:
    feature, _ = await held(service)
    [user] = service.users
    await user.command("POST", f"/api/features/{feature}/stop", {"reason": "Too dear."})
    await until(lambda: service.model.held == 0, "the model's stream is closed")
    [discarded] = await service.happened(feature, e.RunDiscarded)
    assert discarded.event.run.turns == 1
    [asked] = service.asked("spec")
    assert asked.outcome == "disconnected"
    service.model.release()
    await user.command("POST", f"/api/features/{feature}/resume")
    await service.happened(feature, e.SpecGenerated)
    assert len(service.asked("spec")) == 2
    await assert_invariants(service)
