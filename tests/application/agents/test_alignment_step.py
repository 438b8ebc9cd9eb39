"""Advice at the gates; what was lost and added is counted by code."""

import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from domain import documents as d
from domain.content import sha256_of
from domain.status import Gate, Recommendation, Step
from tests.application.agents import attempt_context as s
from tests.application.agents.attempt_context import ScriptedContext, answer, call, done
from tests.given import holding

ADVICE = d.Alignment(
    Recommendation.APPROVE, (d.Reason("All is there.", ("BF-1", "FR-2", "FR-99")),), "Fine."
)
NEW = d.Requirement(
    "FR-3", "owner", "refuses", "tells the customer", ("BF-2",),
    (d.Criterion("AC-3", "a request", "it is refused", "the customer knows"),),
)  # fmt: skip


async def advised(step, material, *answers):
    context = ScriptedContext(*(answers or [answer(call("submit_recommendation", ADVICE))]))
    return await done(step, material, context), context


@pytest.mark.parametrize(
    ("step", "material", "gate"),
    [
        (Step.ALIGN_SPEC, s.BEFORE_PLAN, Gate.SPEC),
        (Step.ALIGN_PLAN, s.BEFORE_TESTS, Gate.PLAN),
        (Step.ALIGN_TESTS, s.BEFORE_CODE, Gate.TESTS),
    ],
)
async def test_advice_is_for_exactly_what_people_see(step, material, gate):
    command, context = await advised(step, material)
    assert command.gate is gate
    assert command.content_sha256 == sha256_of(material.markdowns[gate])
    assert command.document.recommendation is Recommendation.APPROVE
    assert (command.lost, command.added) == ((), ())
    assert '<input name="deliverable"' in s.first_message(context.requests[0])


async def test_ids_that_do_not_exist_are_not_cited():
    command, _ = await advised(Step.ALIGN_SPEC, s.BEFORE_PLAN)
    assert command.document.reasons[0].ids == ("BF-1", "FR-2")


async def test_a_point_left_out_is_lost_even_if_the_model_approves():
    only = replace(s.SPEC, requirements=s.SPEC.requirements[:1])
    command, _ = await advised(Step.ALIGN_SPEC, holding(s.BEFORE_PLAN, Gate.SPEC, only))
    assert command.lost == ("BF-2",)
    assert command.document.recommendation is Recommendation.APPROVE


async def test_a_revision_shows_what_it_dropped_and_brought_in():
    now = replace(s.SPEC, requirements=(s.SPEC.requirements[0], NEW))
    material = replace(holding(s.BEFORE_PLAN, Gate.SPEC, now), previous={Gate.SPEC: s.SPEC})
    command, _ = await advised(Step.ALIGN_SPEC, material)
    assert (command.lost, command.added) == (("FR-2",), ("FR-3",))


async def test_a_requirement_without_task_or_test_is_lost():
    more = replace(s.SPEC, requirements=(*s.SPEC.requirements, NEW))
    plan, _ = await advised(Step.ALIGN_PLAN, holding(s.BEFORE_TESTS, Gate.SPEC, more))
    assert plan.lost == ("FR-3",)
    tests, _ = await advised(Step.ALIGN_TESTS, holding(s.BEFORE_CODE, Gate.SPEC, more))
    assert tests.lost == ("FR-3",)


async def test_a_summary_that_is_too_long_goes_back_once():
    long = replace(ADVICE, summary="word " * 81)
    command, context = await advised(
        Step.ALIGN_SPEC,
        s.BEFORE_PLAN,
        answer(call("submit_recommendation", long)),
        answer(call("submit_recommendation", ADVICE)),
    )
    assert command.document.summary == "Fine."
    assert "81 words" in context.last_words
    with pytest.raises(StepFailed, match="81 words"):
        await advised(
            Step.ALIGN_SPEC, s.BEFORE_PLAN, *[answer(call("submit_recommendation", long))] * 2
        )


async def test_what_is_missing_left_out_and_in_doubt_is_told_apart_and_in_words():
    material = replace(s.BEFORE_PLAN, brief="- Ask within 24 hours\n- Answer\n- Pay\n- Print")
    now = replace(
        s.SPEC,
        requirements=(replace(s.SPEC.requirements[0], sources=("BF-1", "BF-2")),),
        out_of_scope=(d.Exclusion("No payments.", ("BF-3",)),),
    )
    command, _ = await advised(Step.ALIGN_SPEC, holding(material, Gate.SPEC, now))
    assert (command.lost, command.left_out) == (("BF-4",), ("BF-3",))
    assert [(c.id, c.text) for c in command.cited] == [("BF-4", "Print"), ("BF-3", "Pay")]
    assert command.notes[0].startswith("BF-1 (Ask within 24 hours) says “24”")
