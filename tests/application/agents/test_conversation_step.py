"""The BA agent's replies."""

import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.step_inputs import Message, StepInputs
from domain import documents as d
from domain.content import Content
from domain.feature import Feature
from domain.reading import reading_of
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
FULL = replace(
    BRIEF,
    wont_haves=("Payments",),
    data=("Repair: part",),
    examples=(d.Example("a repair", "it is asked for", "it is listed"),),
    constraints=("Within 24 hours",),
    assumptions=("One shop", "In English"),
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
    assert [(p.id, p.text) for p in reading_of(reply.brief_markdown).points] == [
        ("BF-3", "Fewer calls."), ("BF-4", "Owner"),
        ("BF-1", "Ask for a repair."), ("BF-2", "Answer."),
    ]  # fmt: skip


async def test_a_revised_brief_keeps_the_ids_of_all_that_stays():
    first = (await replied(answer(call("propose_brief", FULL))))[0]
    confirmed = replace(s.TALKING, brief=first.brief_markdown)
    before = {p.id: p.text for p in confirmed.points}
    assert len(before) == len(set(before.values())) == 10
    later = replace(
        FULL,
        goal="No calls at all.",
        users=("Apprentice", "Owner"),
        must_haves=(*FULL.must_haves[1:], d.Point("BF-3", "Print.")),
        data=(*FULL.data, "Price"),
    )
    again = (await replied(answer(call("propose_brief", later)), material=confirmed))[0]
    after = {p.id: p.text for p in reading_of(again.brief_markdown).points}
    assert {i for i in before if after.get(i) == before[i]} == before.keys() - {"BF-1", "BF-3"}
    new = {text for ident, text in after.items() if ident not in before}
    assert new == {"No calls at all.", "Apprentice", "Print.", "Price"}


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


async def test_a_proposed_brief_that_was_cut_is_asked_for_again_and_never_lost_in_silence():
    whole = answer(call("propose_brief", BRIEF))
    reply, context = await replied(cut(prose("Here it is:")), whole)
    assert (reply.text, reply.brief.title) == ("Here it is:", "Repairs")
    assert "propose the whole brief again" in context.last_words
    with pytest.raises(StepFailed, match="cut off") as failed:
        await replied(cut(prose("Here it is:")), cut(prose("Here it is:")))
    assert failed.value.code == "answer_too_long"


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
