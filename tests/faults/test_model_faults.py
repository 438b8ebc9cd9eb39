"""Every way in which a model fails: what the user sees, what the log keeps, and that retry works.

All faults meet one running service. Tests that wait for nobody share their worker too.
"""

import asyncio
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from domain import events as e
from tests.faults.invariants import assert_invariants
from tests.faults.service import EVERYTHING, Service

PROCESSES = EVERYTHING


class Passing(NamedTuple):
    """A fault that another attempt, or another turn, gets over by itself."""

    fault: str
    code: str = ""
    """Of the attempt that failed; empty if the same attempt went on."""
    agent: str = "spec"


class Lasting(NamedTuple):
    """A fault that ends the step."""

    fault: str
    code: str
    next: str
    times: int = 1
    agent: str = "spec"


PASSING = [
    Passing("429:0.1", "rate_limited"),
    Passing("429_without_retry_after", "rate_limited"),
    Passing("500", "server_error"),
    Passing("529", "overloaded"),
    Passing("overloaded_mid_stream", "overloaded"),
    Passing("cut_clean", "cut_off"),
    Passing("cut_hard", "connection"),
    Passing("truncated_tool"),
    Passing("malformed_json"),
    Passing("empty_answer"),
    Passing("prose_instead_of_tool"),
    Passing("wrong_ids"),
]
LASTING = [
    Lasting("refusal", "model_refused", "retry"),
    Lasting("400", "invalid_request", "replay"),
    Lasting("401", "key_rejected", "settings"),
    Lasting("403", "not_permitted", "settings"),
    Lasting("spend_limit", "spend_limit", "settings"),
    Lasting("echo_key_in_error", "invalid_request", "replay"),
    Lasting("529", "overloaded", "retry", times=4),
    Lasting("500", "server_error", "retry", times=4),
    Lasting("empty_answer", "no_result", "retry", times=20),
]


def failed_attempts(events: list[Any]) -> list[e.AttemptFailed]:
    return [r.event for r in events if isinstance(r.event, e.AttemptFailed)]


async def test_faults_that_pass_are_got_over_without_anybody(service: Service) -> None:
    user = await service.user()
    for fault in PASSING:
        service.model.script(fault.agent, [fault.fault])
        feature = await user.create()
        shown = await user.drive(feature, {"spec_ready"})
        failed = failed_attempts(await service.events(feature))
        assert [x.code for x in failed] == ([fault.code] if fault.code else []), fault
        assert all(x.retried for x in failed)
        assert shown["failure"] is None
        runs = (await user.read(f"/api/features/{feature}/runs", min_version=shown["version"]))[
            "items"
        ]
        codes = [run["error"] for run in runs if run["step"] == "spec"]
        assert codes == [x.code for x in failed] + [None], fault
    await assert_invariants(service)


OFTEN = 2
"""Faults that come more often than this take a test too long for the suite."""


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            one,
            id=f"{one.fault} x {one.times}",
            marks=[pytest.mark.campaign] if one.times > OFTEN else [],
        )
        for one in LASTING
    ],
)
async def test_faults_that_last_are_told_to_the_user_and_a_retry_gets_over_them(
    service: Service, fault: Lasting
) -> None:
    user = await service.user()
    service.model.script(fault.agent, [fault.fault] * fault.times)
    feature = await user.create()
    shown = await user.drive(feature, {"failed"})
    failure = shown["failure"]
    assert (failure["step"], failure["code"], failure["next"]) == ("spec", fault.code, fault.next)
    assert failure["reason"]
    assert "retry" in shown["actions"]
    events = await service.events(feature)
    assert [x.code for x in failed_attempts(events)][-1] == fault.code
    written = " ".join(str(recorded.event) for recorded in events)
    assert "sk-ant-" not in written
    service.model.forget()
    await user.retry(feature)
    assert (await user.drive(feature, {"spec_ready"}))["failure"] is None
    await assert_invariants(service)


async def test_faults_in_what_is_written_are_sent_back_to_the_implementer(
    service: Service,
) -> None:
    user = await service.user()
    service.model.script("implementer", ["placeholder", "missing_file", "bad_paths"])
    feature = await user.create()
    shown = await user.drive(feature)
    assert shown["status"] == "done"
    paths = [file["path"] for file in shown["files"]]
    assert paths
    assert not [path for path in paths if path.startswith(("/", "..")) or "\\" in path]
    assert len(service.asked("implementer")) > 3
    await assert_invariants(service)


async def test_a_failed_review_is_mended_and_what_is_left_waits_for_a_person(
    service: Service,
) -> None:
    user = await service.user()
    service.model.script("security_review", ["review_fail", "review_fail"])
    feature = await user.create()
    shown = await user.drive(feature, {"failed"})
    failure = shown["failure"]
    assert (failure["step"], failure["code"]) == ("security_review", "review_failed")
    await user.retry(feature)
    shown = await user.drive(feature)
    assert shown["deliverables"]["security_review"]["verdict"] == "PASS"
    events = [recorded.event for recorded in await service.events(feature)]
    written = [x for x in events if isinstance(x, e.ImplementationCompleted)]
    assert len(written) == 3
    [begun] = [x for x in events if isinstance(x, e.MendingStarted)]
    [stopped] = [x for x in events if isinstance(x, e.MendingStopped)]
    assert (begun.round, begun.of, stopped.why) == (1, 2, "no_progress")
    for before, after in pairwise(written):
        old = {file.path: file.sha256 for file in before.files}
        changed = {file.path for file in after.files if file.sha256 != old[file.path]}
        assert changed
        assert changed <= set(begun.files)
    await assert_invariants(service)


async def test_a_fault_in_what_can_be_missed_does_not_stop_the_feature(service: Service) -> None:
    user = await service.user()
    service.model.script("title", ["refusal"])
    service.model.script("alignment_review", ["refusal"])
    feature = await user.create()
    shown = await user.drive(feature, {"spec_ready"})
    kinds = {e.FeatureTitled, e.StepAbandoned}
    while True:  # Neither is waited for by the gate: the test is what waits.
        events = [recorded.event for recorded in await service.events(feature)]
        if kinds <= {type(event) for event in events}:
            break
        await asyncio.sleep(0.05)
    assert [x.by_model for x in events if isinstance(x, e.FeatureTitled)] == [False]
    assert [x.step for x in events if isinstance(x, e.StepAbandoned)] == ["align_spec"]
    assert "approve" in shown["actions"]
    await assert_invariants(service)


async def test_a_conversation_that_fails_says_why_and_goes_on_after_the_next_message(
    service: Service,
) -> None:
    user = await service.user()
    service.model.script("ba", ["401"])
    feature = await user.draft()
    said = [event async for event in user.say(feature, "I want a plant diary.")]
    [(name, data)] = [said[-1]]
    assert name == "error"
    assert data["problem"]["detail"]
    said = [event async for event in user.say(feature, "Again: I want a plant diary.")]
    assert said[-1][0] == "done"
    await assert_invariants(service)
