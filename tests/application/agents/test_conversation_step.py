"""The BA agent's replies."""

import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.points import points_of
from application.agents.step_inputs import Message, StepInputs
from domain import documents as d
from domain.content import Content
from domain.feature import Feature
from domain.status import Status, Step
from tests.application.agents import attempt_context as s
from tests.application.agents.attempt_context import ScriptedContext, answer, call, cut, done, prose

QUESTION = d.Question("Who decides?", "It shapes the page.", ("I do", "They do"), "I do")
BRIEF = d.Brief(
    title="Repairs",
    goal="Fewer calls.",
    users=("Owner",),
    must_haves=(
        d.Point("BF-1", "Ask for a repair.", (s.USER, "made-up")),
        d.Point("BF-2", "Answer."),
    ),
)


async def replied(*answers, material: StepInputs = s.TALKING):
    context = ScriptedContext(*answers)
    return await done(Step.CONVERSE, material, context), context


async def test_prose_is_a_reply():
    reply, _ = await replied(answer(prose("Gladly."), prose("Tell me more.")))
    assert reply.text == "Gladly.\n\nTell me more."
    assert reply.question is reply.brief is reply.brief_markdown is None


async def test_a_question_comes_with_its_prose_or_is_the_text_itself():
    reply, _ = await replied(answer(prose("First:"), call("ask_question", QUESTION)))
    assert (reply.text, reply.question) == ("First:", QUESTION)
    alone, _ = await replied(answer(call("ask_question", QUESTION)))
    assert alone.text == "Who decides?"


async def test_a_brief_comes_as_a_page_whose_points_can_be_read_back():
    reply, _ = await replied(answer(call("propose_brief", BRIEF)))
    assert reply.text.startswith("Here is the brief")
    assert [p.id for p in points_of(reply.brief_markdown)] == ["BF-1", "BF-2"]


async def test_citations_of_messages_that_do_not_exist_are_left_out():
    reply, _ = await replied(answer(call("propose_brief", BRIEF)))
    assert reply.brief.must_haves[0].sources == (s.USER,)


@pytest.mark.parametrize("ids", [("BF-1", "BF-1"), ("FR-1", "BF-2"), ("BF-0", "BF-2")])
async def test_wrong_ids_go_back_once_and_then_fail(ids):
    points = tuple(d.Point(ident, "x") for ident in ids)
    wrong = call("propose_brief", replace(BRIEF, must_haves=points))
    reply, context = await replied(
        answer(prose("So:"), wrong), answer(call("propose_brief", BRIEF))
    )
    assert reply.brief.title == "Repairs"
    assert reply.text == "So:"
    assert context.requests[1].messages[-1]["content"][0]["is_error"]
    with pytest.raises(StepFailed, match="BF-"):
        await replied(answer(wrong), answer(wrong))


async def test_silence_is_reminded_once():
    reply, context = await replied(answer(), answer(prose("Yes.")))
    assert reply.text == "Yes."
    assert "not answered yet" in context.last_words
    with pytest.raises(StepFailed) as failed:
        await replied(answer(), answer())
    assert failed.value.code == "no_result"


async def test_a_reply_that_was_cut_is_asked_for_again():
    reply, _ = await replied(cut(), answer(prose("Short.")))
    assert reply.text == "Short."
    with pytest.raises(StepFailed) as failed:
        await replied(cut(), cut())
    assert failed.value.code == "answer_too_long"


async def test_a_brief_that_was_cut_off_is_asked_for_again_and_never_lost_without_a_word():
    text = prose("Here is the brief.")
    reply, context = await replied(cut(text), answer(text, call("propose_brief", BRIEF)))
    assert reply.brief is not None
    assert "propose a brief in fewer words" in context.last_words
    reply, _ = await replied(cut(text), cut(text))
    assert reply.brief is None
    assert reply.text.startswith("Here is the brief.")
    assert "cut off" in reply.text


async def test_the_same_attempt_gives_the_same_message_id_and_another_attempt_another():
    first, _ = await replied(answer(prose("a")))
    again, _ = await replied(answer(prose("b")))
    assert first.message_id == again.message_id


async def test_nobody_answers_where_nobody_asked():
    with pytest.raises(StepFailed) as failed:
        await replied(material=StepInputs())
    assert failed.value.code == "nothing_to_answer"


async def test_at_a_gate_the_agent_reads_what_the_user_looks_at():
    gate = replace(
        s.BEFORE_PLAN,
        feature=Feature(content=Content(status=Status.SPEC_READY)),
        conversation=(Message("user", "What is FR-1?", s.USER),),
    )
    _, context = await replied(answer(prose("It keeps requests.")), material=gate)
    text = s.first_message(context.requests[0])
    assert '<input name="gate"' in text
    assert '<input name="deliverable"' in text
    assert "spec_ready" in text
