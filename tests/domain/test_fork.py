"""Forks by example and by property: all that was recorded comes along, and no approval does."""

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.content import Content
from domain.errors import ContentChanged, NoSuchCheckpoint, NotFound, NotNow
from domain.feature import fold
from domain.forking import gate_of
from domain.status import Gate, Part, Status, Step, Verdict
from tests.domain.test_feature_properties import MOVES, lived
from tests.examples import examples
from tests.given import MESSAGE, PARENT, Story, approve, at_gate, done, drafted, given, in_review

GATES = {Gate.SPEC: Status.SPEC_READY, Gate.PLAN: Status.PLAN_READY, Gate.TESTS: Status.TESTS_READY}


def fork_of(story: Story, title: str | None = None) -> Story:
    """A fork of the last checkpoint."""
    return story.fork(story.feature.checkpoints[-1].version, title)


@pytest.mark.parametrize("gate", list(Gate))
def test_a_fork_of_a_gate_stands_at_that_gate_and_nobody_approved_anything(gate):
    fork = fork_of(at_gate(gate))
    assert fork.feature.status is GATES[gate]
    assert [fork.feature.content.approval(each) for each in Gate] == [None] * 3
    assert fork.feature.content.awaiting(gate) == tuple(Gate)[: list(Gate).index(gate) + 1]


@pytest.mark.parametrize("gate", list(Gate))
def test_a_fork_of_an_approved_stage_stands_at_the_gate_before(gate):
    fork = fork_of(at_gate(gate).approve(gate))
    assert fork.feature.status is GATES[gate]


@pytest.mark.parametrize("story", [in_review, done])
def test_a_fork_of_code_stands_at_the_tests_with_the_code_recorded_beyond(story):
    parent = story()
    fork = fork_of(parent)
    assert fork.feature.status is Status.TESTS_READY
    assert fork.feature.content.implementation is None
    assert set(fork.feature.recorded) >= {
        fingerprint
        for fingerprint, version in parent.feature.recorded.items()
        if isinstance(parent.events[version - 1], e.ImplementationCompleted | e.SecurityReviewed)
    }


def test_a_fork_of_a_confirmed_brief_is_a_draft_with_that_brief():
    story = drafted().do(c.ConfirmBrief("- BF-1 lend tools"))
    fork = fork_of(story)
    assert fork.feature.status is Status.DRAFTING
    assert fork.feature.content.brief.content_sha256 == story.feature.content.brief.content_sha256
    assert fork.feature.due == {}
    assert fork.do(c.ConfirmBrief("- BF-1 lend tools")).feature.status is Status.SPEC_GENERATING


def test_a_fork_of_the_beginning_brings_nothing_along():
    fork = drafted("Tools").fork(1)
    assert [type(event) for event in fork.events] == [e.FeatureForked]
    assert fork.feature.status is Status.DRAFTING
    assert fork.feature.checkpoint_at(1)


def test_only_advice_that_is_missing_at_the_gate_starts_by_itself():
    story = at_gate(Gate.PLAN)
    assert fork_of(story).feature.due == {Step.ALIGN_PLAN: 1}
    assert fork_of(story.work(Step.ALIGN_PLAN)).feature.due == {}


def test_approvals_are_given_again_in_order_each_for_what_is_seen():
    fork = fork_of(done())
    given(fork).when(approve(fork.feature, Gate.TESTS)).refused(NotNow)
    given(fork).when(approve(fork.feature, Gate.PLAN)).refused(NotNow)
    given(fork).when(c.Approve(Gate.SPEC, "0" * 64)).refused(ContentChanged)
    spec = fork.feature.content.spec.content_sha256
    given(fork).when(c.Approve(Gate.SPEC, spec, "again")).then(
        e.ApprovalRenewed(Gate.SPEC, spec, "again")
    )
    fork.approve(Gate.SPEC)
    given(fork).when(approve(fork.feature, Gate.SPEC)).refused(NotNow)
    fork.approve(Gate.PLAN).approve(Gate.TESTS)
    assert fork.feature.status is Status.TESTS_APPROVED
    assert set(fork.feature.due) == {Step.IMPLEMENT}


def test_going_back_in_a_fork_voids_what_was_approved_again():
    fork = fork_of(at_gate(Gate.PLAN))
    begun = fork.feature.version
    fork.approve(Gate.SPEC).do(c.ReplayFeature(begun))
    assert fork.feature.content.awaiting(Gate.PLAN) == (Gate.SPEC, Gate.PLAN)
    given(fork).when(approve(fork.feature, Gate.PLAN)).refused(NotNow)


def test_an_ordinary_feature_never_renews_an_approval():
    story = at_gate(Gate.PLAN)
    given(story).when(approve(story.feature, Gate.SPEC)).refused(NotNow)
    given(story).when(c.Approve(Gate.TESTS, "0" * 64)).refused(NotNow)


def test_the_conversation_comes_along_and_what_was_gone_back_from_does_not():
    story = drafted().do(c.PostMessage(MESSAGE, "hello")).work(Step.CONVERSE)
    story.do(c.PostMessage(MESSAGE, "another way")).work(Step.CONVERSE)
    story.do(c.ReplayFeature(4)).do(c.PostMessage(MESSAGE, "this way")).work(Step.CONVERSE)
    fork = fork_of(story)
    said = [event.event for event in fork.events if isinstance(event, e.PartCarried)]
    texts = [event.text for event in said if isinstance(event, e.MessagePosted)]
    assert texts == ["hello", "this way"]
    assert all(fork.feature.content.shows(n) for n in range(2, len(fork.events) + 1))


def test_a_fork_may_have_a_title_of_its_own():
    assert drafted("Tools").fork(1).events[0].title == "Tools"
    named = drafted("Tools").fork(1, "Other tools")
    assert (named.events[0].title, named.feature.titled) == ("Other tools", True)
    assert drafted().do(c.RenameFeature("Mine")).do(c.ConfirmBrief("- x")).fork(3).feature.titled


def test_a_fork_names_where_the_bytes_of_its_files_may_be():
    fork = fork_of(done())
    [made] = [m for x in fork.events if isinstance(m := e.told(x), e.ImplementationCompleted)]
    assert {file.also_in for file in made.files} == {(PARENT,)}
    [again] = [
        m for x in fork_of(fork).events if isinstance(m := e.told(x), e.ImplementationCompleted)
    ]
    assert {file.also_in for file in again.files} == {(PARENT, PARENT)}


def test_a_fork_of_a_failed_review_remembers_what_to_do_better():
    story = in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.FAIL).work(Step.CODE_REVIEW)
    story.do(c.RetryFeature()).work(Step.IMPLEMENT, salt="better")
    rework = fork_of(story).feature.content.rework
    parent = story.feature.content.rework
    assert rework is not None
    assert parent is not None
    assert (rework.security_review is None) == (parent.security_review is None)


def test_what_is_no_checkpoint_cannot_be_forked():
    with pytest.raises(NoSuchCheckpoint):
        at_gate(Gate.SPEC).fork(3)
    with pytest.raises(NotFound):
        drafted().do(c.DeleteFeature()).fork(1)


def plain(content: Content, events: list[e.FeatureEvent]) -> Content:
    """Content with every version replaced by what the event there says: to compare two streams."""
    marks = {
        name: replace(part, version=0)
        for name in ("brief", "spec", "plan", "tests", "advice")
        if (part := getattr(content, name)) is not None
    }
    named = {
        name: msgspec.json.encode(getattr(e.told(events[version - 1]), "document", None))
        for name in ("previous_spec", "previous_plan", "previous_tests")
        if (version := getattr(content, name)) is not None
    }
    return marks | named


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80), st.integers(0, 10_000))
def test_a_fork_holds_what_its_checkpoint_held_but_the_approvals(moves, pick):
    story, _ = lived(moves)
    if story.feature.status is Status.DELETED:
        return
    before = list(story.events)
    point = story.feature.checkpoints[pick % len(story.feature.checkpoints)]
    fork = story.fork(point.version)
    assert story.events == before
    now, then = fork.feature.content, point.content
    gate = gate_of(then)
    if then.advice and then.advice.gate is not gate:
        then = replace(then, advice=None)
    assert plain(now, fork.events) == plain(then, story.events)
    assert now.status is (GATES[gate] if gate else Status.DRAFTING)
    assert [now.approval(each) for each in Gate] == [None] * 3
    assert (now.implementation, now.security_review, now.code_review) == (None, None, None)
    assert fork.feature.carrying == 0
    assert fork.feature.running == {}
    assert [mark.version for mark in fork.feature.checkpoints] == [len(fork.events)]
    encoded = msgspec.json.encode(fork.events)
    assert fold(msgspec.json.decode(encoded, type=list[e.FeatureEvent])) == fork.feature
    for number, event in enumerate(fork.events[1:], 2):
        assert isinstance(event, e.PartCarried)
        told = e.told(story.events[event.parent_version - 1])
        assert replaced(event.event) == replaced(told)
        assert event.part is not Part.MESSAGE or now.shows(number)


def replaced(event):
    """An event without the places of its files."""
    if isinstance(event, e.ImplementationCompleted):
        return replace(event, files=tuple(replace(f, also_in=()) for f in event.files))
    return event
