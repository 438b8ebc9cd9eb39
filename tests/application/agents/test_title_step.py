"""Titles: the agent's, or else the brief's own words."""

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from msgspec.structs import replace

from application.agents.title import fallback_title, title_findings
from application.ports import ModelError
from domain.reading import reading_of
from domain.status import Step
from tests.application.agents import attempt_context as s
from tests.application.agents.attempt_context import ScriptedContext, answer, call, cut, done, prose


async def named(*answers, brief=s.BRIEF):
    return await done(Step.TITLE, replace(s.BEFORE_PLAN, brief=brief), ScriptedContext(*answers))


async def test_the_agent_names_it():
    command = await named(answer(call("submit_title", {"title": " Bike  repair bookings "})))
    assert (command.title, command.by_model) == ("Bike repair bookings", True)


async def test_too_many_words_go_back_once():
    long = answer(call("submit_title", {"title": "one two three four five six seven"}))
    command = await named(long, answer(call("submit_title", {"title": "Repairs"})))
    assert command.title == "Repairs"


@pytest.mark.parametrize(
    "answers",
    [
        [answer(stop="refusal")],
        [answer(prose("Repairs")), answer(prose("Repairs"))],
        [cut(), cut()],
        [answer(call("submit_title", {"title": "   "}))] * 2,
        [answer(call("submit_title", {"title": "a\nb\x00c"}))] * 2,
        [answer(call("submit_title", b'"{"'))] * 2,
    ],
)
async def test_without_a_title_the_brief_gives_one(answers):
    command = await named(*answers)
    assert (command.title, command.by_model) == ("Repairs", False)


async def test_a_model_error_is_the_runners():
    with pytest.raises(ModelError):
        await named(ModelError("overloaded", "busy", retryable=True))


@forall(st.text(max_size=400))
def test_every_brief_has_a_title_of_one_to_six_words(brief):
    title = fallback_title(brief, reading_of(brief).points)
    assert 1 <= len(title.split()) <= 6
    assert len(title) <= 80
    assert title == title.strip()
    assert title_findings(title) == []


@pytest.mark.parametrize(
    ("brief", "title"),
    [
        ("ห้องประชุม", "ห้องประชุม"),
        ("# साइकिल मरम्मत की", "साइकिल मरम्मत की"),
        ("می\u200cخواهم رزرو کنم", "می\u200cخواهم رزرو کنم"),
        ("- 👨\u200d👩\u200d👧\u200d👦", "👨\u200d👩\u200d👧\u200d👦"),
        ("👨\u200d👩\u200d👧\u200d👦 planner", "👨\u200d👩\u200d👧\u200d👦 planner"),
        ("O'Brien's (new) shop, co-op.", "O'Brien's new shop co-op"),
        ("ก็" * 100, "ก็" * 40),
    ],
)
def test_words_of_a_title_are_whole_in_any_writing(brief, title):
    assert fallback_title(brief, reading_of(brief).points) == title
    assert title_findings(title) == []


@pytest.mark.parametrize("title", ["", "  ", "?!", "\u200d", "a\u202eb"])
def test_what_nobody_could_read_is_no_title(title):
    assert title_findings(title)
