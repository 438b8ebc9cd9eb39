"""What ended goes on: the next round of a feature, with what stood as its base."""

import pytest

from domain import commands as c
from domain import events as e
from domain.content import Round
from domain.errors import NoSuchCheckpoint, NotNow
from domain.status import Gate, Part, Status, Step, Verdict
from tests.delivered import changed, changed_after_a_failure, finish
from tests.given import (
    MESSAGE,
    RUN,
    Story,
    at_gate,
    attempt_of,
    done,
    drafted,
    given,
    in_review,
    start,
)

WISH = c.ReviseBrief("- BF-1 lend tools\n- BF-2 print a list")


def failed_review() -> Story:
    return in_review().work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW, verdict=Verdict.FAIL)


def given_up(story: Story, step: Step) -> Story:
    story.do(start(story.feature, step))
    attempt = attempt_of(story, step)
    return story.do(c.FailAttempt(attempt, RUN, "no_result", "It stopped.", "Again.", final=True))


def said(story: Story) -> Story:
    return story.do(c.PostMessage(MESSAGE, "and a list")).work(Step.CONVERSE)


def test_what_is_done_is_the_base_of_the_next_round():
    story = done()
    before = story.feature.content
    after = said(story).do(WISH).feature.content
    assert after.status is Status.SPEC_GENERATING
    assert (after.round, after.rounds) == (2, (Round(story.feature.version - 1, Status.DONE),))
    assert after.base == before.implementation.version
    assert [after.previous(gate) for gate in Gate] == [before.deliverable(g).version for g in Gate]
    assert after.previous_brief == before.brief.version
    assert after.implementation is None
    assert [after.approval(gate) for gate in Gate] == [None] * 3


def test_a_revision_at_a_gate_of_the_second_round_stays_in_it():
    story = done().do(WISH).work(Step.SPEC, salt="second")
    first = story.feature.content
    again = story.do(c.ReviseBrief("- BF-1 lend tools")).feature.content
    assert (again.rounds, again.base) == (first.rounds, first.base)


def test_a_third_round_goes_on_from_the_second():
    story = changed()
    second = story.feature.content
    third = story.do(c.ReviseBrief("- BF-1 lend")).feature.content
    assert third.round == 3
    assert third.base == second.implementation.version
    assert third.finished_round == third.rounds[-1]


def test_after_a_failed_review_the_next_round_still_mends_what_was_found():
    story = failed_review()
    rework = story.feature.content.rework
    after = story.do(WISH).feature.content
    assert after.rework == rework
    assert after.finished_round is None
    assert after.base == rework.implementation


def test_a_round_that_failed_before_its_code_goes_on_from_the_code_of_the_one_before():
    story = done()
    made = story.feature.content.implementation.version
    given_up(story.do(WISH), Step.SPEC).do(c.ReviseBrief("- BF-1 lend"))
    content = story.feature.content
    assert (content.round, content.base) == (3, made)
    assert [one.status for one in content.rounds] == [Status.DONE, Status.FAILED]
    assert content.finished_round == content.rounds[0]


@pytest.mark.parametrize("ended", [done, failed_review])
def test_what_has_ended_can_be_talked_about(ended):
    story = said(ended())
    assert story.feature.status in {Status.DONE, Status.FAILED}
    assert Step.CONVERSE not in story.feature.due


def test_what_was_said_after_a_failure_is_no_place_to_go_back_to_and_stays_said():
    story = failed_review()
    marks = story.feature.checkpoints
    said(story)
    assert story.feature.checkpoints == marks
    given(story).when(c.ReplayFeature(story.feature.version)).refused(NoSuchCheckpoint)
    spoken = story.feature.version
    story.do(c.RetryFeature())
    assert story.feature.status is not Status.FAILED
    assert story.feature.content.shows(spoken)


def test_going_back_to_the_first_round_and_changing_it_is_a_second_round_again():
    story = done()
    end = story.feature.version
    finish(story.do(WISH).work(Step.SPEC, salt="second")).do(c.ReplayFeature(end))
    assert (story.feature.status, story.feature.content.round) == (Status.DONE, 1)
    again = story.do(c.ReviseBrief("- BF-1 lend")).feature.content
    assert again.rounds == (Round(story.feature.version - 1, Status.DONE),)


def test_a_failed_second_round_can_be_retried_and_keeps_its_base():
    story = done().do(WISH)
    base = story.feature.content.base
    given_up(story, Step.SPEC).do(c.RetryFeature())
    assert (story.feature.content.round, story.feature.content.base) == (2, base)
    assert finish(story.work(Step.SPEC, salt="second")).feature.status is Status.DONE


@pytest.mark.parametrize("story", [changed, changed_after_a_failure])
def test_a_fork_of_a_later_round_begins_its_own_life_and_brings_the_code_along(story):
    parent = story()
    fork = parent.fork(parent.feature.checkpoints[-1].version).feature
    assert fork.content.round == 1
    made = parent.events[parent.feature.content.base - 1]
    carried = [
        x
        for x in parent.fork(parent.feature.checkpoints[-1].version).events
        if isinstance(x, e.PartCarried) and x.part is Part.PREVIOUS_IMPLEMENTATION
    ]
    assert [x.event.content_sha256 for x in carried] == [made.content_sha256]
    assert fork.content.base is not None


def test_a_similar_one_begins_with_the_brief_and_nothing_else():
    parent = said(done())
    fork = parent.fork(parent.feature.version, brief_only=True)
    assert [type(x) for x in fork.events] == [e.FeatureForked, e.PartCarried]
    assert fork.feature.status is Status.DRAFTING
    assert fork.feature.due == {}
    content = fork.feature.content
    assert content.brief.content_sha256 == parent.feature.content.brief.content_sha256
    assert (content.base, content.previous_spec, fork.feature.recorded) == (None, None, {})
    assert fork.do(c.ConfirmBrief("- BF-1 lend")).feature.content.round == 1


def test_without_a_brief_there_is_nothing_to_begin_a_similar_one_with():
    with pytest.raises(NotNow):
        drafted().fork(1, brief_only=True)


def test_a_brief_is_not_revised_while_agents_work():
    given(at_gate(Gate.TESTS).approve(Gate.TESTS)).when(WISH).refused(NotNow)
    given(in_review()).when(c.PostMessage(MESSAGE, "wait")).refused(NotNow)
