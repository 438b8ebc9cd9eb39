"""A document written anew with comments: each is answered, and nothing else changes unnamed."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.step_inputs import StepInputs
from domain import documents as d
from domain.comments import Comment, CommentKind
from domain.parts import differing, keep_unmentioned, parts_of
from domain.status import Gate, Step
from tests.application.agents import attempt_context as s
from tests.application.agents.attempt_context import ScriptedContext, answer, call, done

WRONG = Comment("Only members ask.", "FR-1", CommentKind.WRONG)
MISSING = Comment("Print the list.", "", CommentKind.ADD)
FIRST, SECOND = s.SPEC.requirements
MENDED = replace(FIRST, actor="member")
PRINTED = d.Requirement(
    "FR-3", "owner", "prints", "prints the list", ("BF-2",), (d.Criterion("AC-3", "a", "b", "c"),)
)


def commented(*comments: Comment) -> StepInputs:
    return replace(s.BEFORE_SPEC, previous={Gate.SPEC: s.SPEC}, comments=comments)


def said(requirements: Any, *answers: d.CommentAnswer, **more: Any) -> d.SaidSpec:
    whole = {name: getattr(s.SPEC, name) for name in s.SPEC.__struct_fields__}
    return d.SaidSpec(**{**whole, "requirements": requirements, "answers": answers, **more})


def did(comment: int, *changed: str) -> d.CommentAnswer:
    return d.CommentAnswer(comment, f"Done {comment}.", changed)


GOOD = said((MENDED, SECOND, PRINTED), did(1, "FR-1"), did(2, "FR-3"))


def handed_over(*documents: d.SaidSpec) -> ScriptedContext:
    return ScriptedContext(*(answer(call("submit_spec", one)) for one in documents))


async def test_comments_are_given_with_their_numbers_and_the_answers_are_recorded() -> None:
    context = handed_over(GOOD)
    command = await done(Step.SPEC, commented(WRONG, MISSING), context)
    asked = json.dumps(context.requests[0].messages[0]["content"])
    assert '\\"comment\\":1' in asked
    assert "Only members ask." in asked
    assert command.document == replace(s.SPEC, requirements=(MENDED, SECOND, PRINTED))
    assert type(command.document) is d.Spec
    assert [(x.comment, x.done, x.changed) for x in command.answered] == [
        (WRONG, "Done 1.", ("FR-1",)),
        (MISSING, "Done 2.", ("FR-3",)),
    ]
    assert "Done 1" not in command.markdown


async def test_what_nothing_names_stands_as_it_stood_to_the_byte() -> None:
    wild = replace(SECOND, response="does whatever it likes")
    context = handed_over(said((MENDED, wild), did(1), title="Mine", summary="All else"))
    command = await done(Step.SPEC, commented(WRONG), context)
    assert command.document == replace(s.SPEC, requirements=(MENDED, SECOND))
    assert len(context.requests) == 1


async def test_a_change_that_an_answer_names_stands_with_its_reason() -> None:
    wild = replace(SECOND, trigger="refuses a request of a stranger")
    context = handed_over(said((MENDED, wild), did(1, "FR-1", "FR-2")))
    command = await done(Step.SPEC, commented(WRONG), context)
    assert command.document.requirements == (MENDED, wild)
    assert command.answered[0].changed == ("FR-1", "FR-2")


async def test_a_comment_without_an_answer_goes_back_once_and_then_is_refused() -> None:
    ignoring = said((MENDED, SECOND))
    context = handed_over(ignoring, GOOD)
    command = await done(Step.SPEC, commented(WRONG, MISSING), context)
    assert "Comment 1" in context.last_words
    assert len(command.answered) == 2
    context = handed_over(ignoring, ignoring)
    with pytest.raises(StepFailed) as failed:
        await done(Step.SPEC, commented(WRONG), context)
    assert failed.value.code == "check_failed"
    assert "Comment 1" in failed.value.reason
    assert len(context.requests) == 2


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        ((did(1, "FR-2"),), "FR-2 was changed"),
        ((did(1, "FR-44"),), "FR-44 was changed"),
        ((did(1), did(1)), "answered 2 times"),
        ((did(1), did(7)), "comment 7"),
    ],
    ids=["not changed", "not there", "twice", "no such comment"],
)
async def test_an_answer_that_is_not_true_goes_back(answers: Any, word: str) -> None:
    context = handed_over(said((MENDED, SECOND), *answers), said((MENDED, SECOND), did(1)))
    await done(Step.SPEC, commented(WRONG), context)
    assert word in context.last_words


async def test_a_comment_that_changed_nothing_is_asked_about_once_and_then_shown_so() -> None:
    same = said((FIRST, SECOND), d.CommentAnswer(1, "The brief says so: BF-1."))
    context = handed_over(same, same)
    command = await done(Step.SPEC, commented(WRONG), context)
    assert "nothing changed" in context.last_words
    (one,) = command.answered
    assert (one.done, one.changed) == ("The brief says so: BF-1.", ())


async def test_what_is_added_without_a_name_is_told_when_the_whole_fails_without_it() -> None:
    gone = said((SECOND, replace(PRINTED, sources=("BF-1",))), did(1))
    good = said((SECOND, replace(PRINTED, sources=("BF-1",))), did(1, "FR-3"))
    context = handed_over(gone, good)
    command = await done(Step.SPEC, commented(WRONG), context)
    assert "FR-3" in context.last_words
    assert command.document.superseded == ("FR-1",)
    assert command.answered[0].changed == ("FR-1", "FR-3")


async def test_a_commented_plan_and_tests_keep_their_other_parts() -> None:
    said_plan = d.SaidPlan(
        **{n: getattr(s.WHOLE_PLAN, n) for n in s.WHOLE_PLAN.__struct_fields__}
        | {"tasks": (replace(s.WHOLE_PLAN.tasks[0], title="Asking"), s.WHOLE_PLAN.tasks[1])},
        answers=(did(1),),
    )
    material = replace(
        s.BEFORE_PLAN,
        previous={Gate.PLAN: s.WHOLE_PLAN},
        comments=(Comment("Call it asking.", "T-1", CommentKind.WRONG),),
    )
    context = ScriptedContext(answer(call("submit_plan", said_plan)))
    command = await done(Step.PLAN, material, context)
    assert command.document.tasks[0].title == "Asking"
    assert command.answered[0].changed == ("T-1",)

    file = s.TESTS.files[0]
    code = s.TEST_CODE.replace("a request is", "the request is")
    said_tests = d.SaidTests("Other.", (replace(file, content=code),), answers=(did(1),))
    material = replace(
        s.BEFORE_TESTS,
        previous={Gate.TESTS: s.TESTS},
        comments=(Comment("Say the request.", file.path, CommentKind.WRONG),),
    )
    context = ScriptedContext(answer(call("submit_tests", said_tests)))
    command = await done(Step.TESTS, material, context)
    assert command.document.files[0].content == code
    assert command.document.summary == s.TESTS.summary


def test_a_criterion_can_change_alone() -> None:
    other = replace(FIRST.criteria[0], then="it is listed first")
    answer = replace(
        s.SPEC, requirements=(replace(FIRST, actor="nobody", criteria=(other,)), SECOND)
    )
    kept = keep_unmentioned(s.SPEC, answer, {"AC-1"})
    assert kept.requirements == (replace(FIRST, criteria=(other,)), SECOND)
    assert differing(s.SPEC, kept, ("AC-1", "FR-2", "")) == ("AC-1",)


def test_every_list_of_a_document_has_names_for_its_parts() -> None:
    for document in (s.SPEC, s.WHOLE_PLAN, s.TESTS):
        named = parts_of(document)
        for name in document.__struct_fields__:
            value = getattr(document, name)
            if isinstance(value, tuple) and value and name != "superseded":
                assert all(any(part in of for of in named.values() if isinstance(of, tuple))
                           for part in value), name  # fmt: skip
