"""What the demo model says to a person."""

import json

import msgspec

from domain import documents as d
from infrastructure.demo_model.reply import ReplyText
from tests.demo_model.asking import EXAMPLES, answer, call

IDEA = "I want to lend my books to my neighbours and know who has which book."


def person(text: str, number: int = 1) -> dict[str, str]:
    return {"id": f"m-{number}", "role": "user", "text": text}


def agent(text: str, number: int) -> dict[str, str]:
    return {"id": f"m-{number}", "role": "agent", "text": text}


def prose(reply) -> str:
    words = " ".join(block.text for block in reply.blocks if isinstance(block, ReplyText))
    assert len(words.split()) <= 120
    assert "demo model" in words
    return words


def test_a_short_idea_is_answered_by_one_question_with_options():
    reply = answer("ba", conversation=[person(IDEA)], status="drafting")
    question = msgspec.convert(call(reply, "ask_question"), d.Question)
    assert "who will use it" in prose(reply)
    assert question.recommended in question.options


def test_after_two_answers_a_brief_is_proposed_that_cites_its_messages():
    first = answer("ba", conversation=[person(IDEA)])
    talk = [person(IDEA), agent(prose(first), 2), person("Ten neighbours in our house", 3)]
    second = answer("ba", conversation=talk)
    call(second, "ask_question")
    data = "Book: title, author; Neighbour: name, phone; Loan: book, neighbour, lent on (date)"
    talk += [agent(prose(second), 4), person(data, 5)]
    third = answer("ba", conversation=talk)
    brief = msgspec.convert(call(third, "propose_brief"), d.Brief)
    assert prose(third)
    assert brief.users == ("Ten neighbours in our house",)
    assert [line.split(":")[0] for line in brief.data] == ["Book", "Neighbour", "Loan"]
    assert brief.must_haves[0].sources == ("m-1",)


def test_go_ahead_proposes_at_once():
    talk = [person(IDEA), agent("And who will use it?", 2), person("That's all, go ahead", 3)]
    brief = msgspec.convert(call(answer("ba", conversation=talk), "propose_brief"), d.Brief)
    assert all("go ahead" not in point.text for point in brief.must_haves)


def test_a_long_first_message_is_a_brief_already():
    for path in EXAMPLES:
        text = path.read_text()
        if len(text) > 600:
            reply = answer("ba", conversation=[person(text)])
            brief = msgspec.convert(call(reply, "propose_brief"), d.Brief)
            assert prose(reply)
            assert 1 <= len(brief.must_haves) <= 20


def test_ids_a_person_wrote_are_kept():
    text = next(p for p in EXAMPLES if p.stem == "tool-library").read_text()
    reply = answer("ba", conversation=[person(text)])
    brief = msgspec.convert(call(reply, "propose_brief"), d.Brief)
    assert [point.id for point in brief.must_haves] == [f"BF-{n}" for n in range(1, 7)]


def test_a_wish_after_the_proposal_is_added_to_it():
    text = "I want to see my books. " * 30
    talk = [person(text), agent("Here is a brief.", 2), person("Also show the shelf", 3)]
    brief = msgspec.convert(call(answer("ba", conversation=talk), "propose_brief"), d.Brief)
    assert brief.must_haves[-1].text == "Also show the shelf"
    assert len(brief.must_haves) > 1


def test_a_giant_brief_is_proposed_within_the_length_of_a_turn():
    text = "\n".join(f"- I want to see {'very ' * 100}list {n} 😀" for n in range(200))
    reply = answer("ba", conversation=[person(text)])
    assert len(json.dumps(call(reply, "propose_brief"))) < 16_000


def test_at_a_gate_a_question_is_answered_in_plain_words_and_changes_nothing():
    spec = call(answer("spec", brief=IDEA), "submit_spec")
    reply = answer(
        "ba",
        conversation=[person(IDEA), person("Where can I search for a book?", 2)],
        gate="spec",
        status="spec_ready",
        deliverable=spec,
        brief=IDEA,
    )
    assert "requirements" in prose(reply)
    assert all(isinstance(block, ReplyText) for block in reply.blocks)


def test_at_a_gate_a_wish_becomes_a_revised_brief_with_a_new_point():
    text = next(p for p in EXAMPLES if p.stem == "tool-library").read_text()
    wish = "Please also keep the power cable length of every tool."
    reply = answer(
        "ba",
        conversation=[person(text), person(wish, 2)],
        gate="spec",
        status="spec_ready",
        deliverable={"requirements": []},
        brief=text,
        points=[{"id": f"BF-{n}", "text": t} for n, t in enumerate("abcdef", 1)],
    )
    brief = msgspec.convert(call(reply, "propose_brief"), d.Brief)
    assert brief.must_haves[-1] == d.Point("BF-7", wish, ("m-2",))
    assert len(brief.must_haves) == 7
