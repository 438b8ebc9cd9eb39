"""At a gate a person comments and has it written anew, or edits the words themselves."""

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import documents as d
from domain import events as e
from domain.comments import Comment, CommentKind
from domain.content import sha256_of
from domain.errors import ContentChanged, NothingChanged, NotNow, Superseded, UnknownParts
from domain.feature import fold
from domain.pipeline import ADVICE_AT, WRITING_AT
from domain.status import Gate, Part, Status, Step
from tests.given import PLAN, RUN, SPEC, TESTS, Story, answer, at_gate, attempt_of, given, start

WRONG = Comment("A member pays first.", "FR-1", CommentKind.WRONG)
TARGET = {Gate.SPEC: "FR-1", Gate.PLAN: "src/server.ts", Gate.TESTS: "tests/lend.test.ts"}
DOCUMENT = {Gate.SPEC: SPEC, Gate.PLAN: PLAN, Gate.TESTS: TESTS}
every_gate = pytest.mark.parametrize("gate", Gate)


def rewrite(story: Story, gate: Gate, *comments: Comment) -> c.RequestRewrite:
    shown = story.feature.content.deliverable(gate)
    assert shown is not None
    said = comments or (Comment("Not so.", TARGET[gate], CommentKind.WRONG),)
    return c.RequestRewrite(gate, shown.content_sha256, said)


def edit(story: Story, gate: Gate, markdown: str = "# Mine") -> c.RecordEdit:
    shown = story.feature.content.deliverable(gate)
    assert shown is not None
    made: d.AgentDocument = DOCUMENT[gate]
    return c.RecordEdit(gate, shown.content_sha256, shown.version, made, markdown)


@every_gate
def test_the_step_of_the_gate_alone_is_due_and_everything_else_stands(gate: Gate) -> None:
    story = at_gate(gate)
    before = story.feature
    after = story.do(rewrite(story, gate)).feature
    assert after.status is WRITING_AT[gate]
    assert set(after.due) == {Step(gate.value)}
    assert after.epoch == before.epoch + 1
    assert after.content.comments == after.version
    assert after.content.previous(gate) == before.content.deliverable(gate).version
    same = ("brief", "spec", "plan", "tests", "since", "conversation", "base", "rounds")
    assert [getattr(after.content, name) for name in same] == [
        getattr(before.content, name) for name in same
    ]
    assert [after.content.approval(g) for g in Gate] == [before.content.approval(g) for g in Gate]


@every_gate
def test_written_anew_it_waits_at_its_gate_to_be_read_and_advised_on(gate: Gate) -> None:
    story = at_gate(gate)
    before = story.feature.content.deliverable(gate)
    story.do(rewrite(story, gate)).work(Step(gate.value), salt="anew")
    content = story.feature.content
    assert content.status is at_gate(gate).feature.status
    assert content.comments is None
    assert content.deliverable(gate) != before
    assert content.previous(gate) == before.version
    assert ADVICE_AT[content.status] in story.feature.due
    story.approve(gate)
    assert fold(story.events) == story.feature


@every_gate
def test_a_late_answer_to_the_commented_document_is_refused(gate: Gate) -> None:
    story = at_gate(gate)
    advice = ADVICE_AT[story.feature.status]
    story.do(start(story.feature, advice))
    late = answer(story.feature, advice)
    story.do(rewrite(story, gate))
    given(story).when(late).refused(Superseded)


@every_gate
def test_what_is_commented_on_must_stand_there(gate: Gate) -> None:
    story = at_gate(gate)
    unknown = rewrite(story, gate, Comment("No.", "FR-99"), Comment("No.", TARGET[gate]))
    refusal = given(story).when(unknown).refused(UnknownParts)
    assert refusal.names == ("FR-99",)  # type: ignore[attr-defined]
    stale = replace(rewrite(story, gate), content_sha256="0" * 64)
    given(story).when(stale).refused(ContentChanged)


def test_a_comment_may_be_about_the_whole_a_criterion_or_the_title() -> None:
    story = at_gate(Gate.SPEC)
    said = [Comment("Shorter.", name) for name in ("", "AC-1", "title", "summary")]
    story.do(rewrite(story, Gate.SPEC, *said))
    assert story.events[-1].comments == tuple(said)  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "  ", "?!", "\u200b"])
def test_an_empty_comment_is_none(text: str) -> None:
    with pytest.raises(c.Unfit, match="Comment 2"):
        c.RequestRewrite(Gate.SPEC, "0" * 64, (WRONG, Comment(text)))


def test_only_what_stands_at_the_gate_is_written_anew_or_edited() -> None:
    story = at_gate(Gate.PLAN)
    for command in (rewrite(story, Gate.SPEC), edit(story, Gate.SPEC)):
        given(story).when(command).refused(NotNow)
    story.approve(Gate.PLAN)
    for command in (rewrite(story, Gate.PLAN), edit(story, Gate.PLAN)):
        given(story).when(command).refused(NotNow)


def test_in_a_fork_what_comes_before_is_approved_first() -> None:
    story = at_gate(Gate.PLAN)
    fork = story.fork(story.feature.version)
    given(fork).when(rewrite(fork, Gate.PLAN)).refused(NotNow)
    given(fork).when(edit(fork, Gate.SPEC)).refused(NotNow)
    fork.approve(Gate.SPEC)
    fork.do(edit(fork, Gate.PLAN)).do(rewrite(fork, Gate.PLAN))


@every_gate
def test_a_failure_in_between_is_retried_with_the_comments(gate: Gate) -> None:
    story = at_gate(gate)
    step = Step(gate.value)
    asked = story.do(rewrite(story, gate)).feature.version
    story.do(start(story.feature, step))
    failed = c.FailAttempt(attempt_of(story, step), RUN, "no_result", "No.", "-", final=True)
    story.do(failed).do(c.RetryFeature())
    assert story.feature.content.comments == asked
    assert set(story.feature.due) == {step}
    story.work(step, salt="anew")
    assert story.feature.content.comments is None


@every_gate
def test_going_back_takes_the_request_back_and_a_fork_stands_at_the_gate(gate: Gate) -> None:
    story = at_gate(gate)
    before = story.feature.version
    gated = story.feature.content
    asked = story.do(rewrite(story, gate)).feature.version
    fork = story.fork(asked)
    assert fork.feature.status is gated.status
    assert fork.feature.content.comments is None
    carried = [x.part for x in fork.events if isinstance(x, e.PartCarried)]
    assert carried.count(Part(gate.value)) == 1
    assert Part(f"previous_{gate}") not in carried
    story.do(c.ReplayFeature(before))
    now = story.feature.content
    assert (now.status, now.comments, now.deliverable(gate)) == (
        gated.status, None, gated.deliverable(gate),
    )  # fmt: skip


def test_a_brief_that_is_revised_meanwhile_counts_no_comment() -> None:
    story = at_gate(Gate.SPEC)
    story.do(rewrite(story, Gate.SPEC)).work(Step.SPEC, salt="anew")
    story.do(c.ReviseBrief("- BF-1 lend\n- BF-2 print"))
    assert story.feature.content.comments is None


@every_gate
def test_an_edit_stands_at_the_same_gate_and_is_advised_on_anew(gate: Gate) -> None:
    story = at_gate(gate)
    advice = ADVICE_AT[story.feature.status]
    story.work(advice)
    before = story.feature
    shown = before.content.deliverable(gate)
    story.do(edit(story, gate))
    after = story.feature
    made = story.events[-1]
    assert (made.content_sha256, made.replaces_sha256) == (  # type: ignore[union-attr]
        sha256_of("# Mine"), shown.content_sha256,
    )  # fmt: skip
    assert (after.status, after.epoch) == (before.status, before.epoch)
    assert after.content.advice is None
    assert after.content.previous(gate) == shown.version
    assert after.due[advice] == after.version
    assert after.checkpoint_at(after.version) is not None
    story.work(advice, salt="mine").approve(gate)
    assert fold(story.events) == story.feature


def test_advice_under_way_is_about_the_text_before_and_comes_too_late() -> None:
    story = at_gate(Gate.SPEC)
    story.do(start(story.feature, Step.ALIGN_SPEC))
    late = answer(story.feature, Step.ALIGN_SPEC)
    story.do(edit(story, Gate.SPEC))
    given(story).when(late).refused(Superseded)
    story.work(Step.ALIGN_SPEC, salt="mine")
    assert story.feature.content.advice is not None


def test_a_title_under_way_is_still_wanted_after_an_edit() -> None:
    story = at_gate(Gate.SPEC)
    story.do(start(story.feature, Step.TITLE))
    title = answer(story.feature, Step.TITLE)
    story.do(edit(story, Gate.SPEC)).do(title)
    assert story.feature.titled


def test_an_edit_of_another_version_or_without_a_change_is_refused() -> None:
    story = at_gate(Gate.SPEC)
    good = edit(story, Gate.SPEC)
    given(story).when(replace(good, content_sha256="0" * 64)).refused(ContentChanged)
    given(story).when(replace(good, based_on=good.based_on - 1)).refused(ContentChanged)
    given(story).when(replace(good, markdown="# Spec 1")).refused(NothingChanged)


def test_an_edited_document_is_carried_into_a_fork() -> None:
    story = at_gate(Gate.SPEC)
    story.do(edit(story, Gate.SPEC))
    fork = story.fork(story.feature.version)
    assert fork.feature.content.spec.content_sha256 == sha256_of("# Mine")
    assert fork.feature.status is Status.SPEC_READY
