"""Work is stopped by a person: nothing is due until it is resumed, and nothing is lost."""

import pytest

from domain import commands as c
from domain import events as e
from domain.content import Left
from domain.errors import NotNow, Superseded
from domain.feature import fold
from domain.lifecycle import actions_at
from domain.status import Gate, Status, Step
from tests.given import (
    FILES,
    MESSAGE,
    RUN,
    answer,
    approve,
    at_gate,
    attempt_of,
    drafted,
    given,
    start,
)


def writing():
    story = at_gate(Gate.TESTS).work(Step.ALIGN_TESTS).work(Step.TITLE).approve(Gate.TESTS)
    return story.do(start(story.feature, Step.IMPLEMENT))


def talking():
    return drafted().do(c.PostMessage(MESSAGE, "hello"))


def advising():
    return at_gate(Gate.SPEC)


def stopped(story):
    return story.do(c.StopWork())


@pytest.mark.parametrize("begin", [writing, talking, advising])
def test_work_is_stopped_wherever_a_step_is_due_and_the_status_stays(begin):
    story = begin()
    status, due, epoch = story.feature.status, dict(story.feature.due), story.feature.epoch
    event = e.WorkStopped(epoch + 1, tuple(due), "too dear")
    given(story).when(c.StopWork("too dear")).then(event)
    stopped(story)
    now = story.feature
    assert (now.status, now.due, now.running) == (status, {}, {})
    assert set(now.held) == set(due)


@pytest.mark.parametrize("begin", [writing, talking, advising])
def test_resuming_makes_due_what_was_due(begin):
    story = begin()
    before = set(story.feature.due)
    stopped(story).do(c.ResumeWork())
    now = story.feature
    assert set(now.due) == before
    assert set(now.due.values()) == {now.version}
    assert (now.stopped, now.held) == (None, ())


def test_stopping_where_nothing_is_due_is_refused_and_so_is_stopping_twice():
    refusal = given(drafted()).when(c.StopWork()).refused(NotNow)
    assert "nothing to stop" in str(refusal)
    refusal = given(stopped(writing())).when(c.StopWork()).refused(NotNow)
    assert "stopped already" in str(refusal)
    assert refusal.stopped


def test_resuming_what_is_not_stopped_is_refused():
    refusal = given(writing()).when(c.ResumeWork()).refused(NotNow)
    assert refusal.due


def test_every_answer_of_an_attempt_that_was_stopped_comes_too_late_and_is_charged():
    story = writing()
    late, again = answer(story.feature, Step.IMPLEMENT), start(story.feature, Step.IMPLEMENT)
    attempt = attempt_of(story, Step.IMPLEMENT)
    failed = c.FailAttempt(attempt, RUN, "overloaded", "Busy", "Wait", final=True)
    due = c.GiveUp(Step.IMPLEMENT, story.feature.due[Step.IMPLEMENT], "stuck", "Silent.", "Wait")
    stopped(story)
    for command in (late, again, failed, due):
        given(story).when(command).refused(Superseded)
    story.do(c.DiscardRun(attempt, RUN, "superseded"))
    assert story.feature.used[attempt.name] == (RUN,)


@pytest.mark.parametrize(
    ("begin", "command"),
    [
        (talking, c.PostMessage(MESSAGE, "and this")),
        (talking, c.ConfirmBrief("- lend")),
        (advising, c.ReviseBrief("- lend")),
        (advising, approve(advising().feature, Gate.SPEC)),
    ],
)
def test_nothing_is_set_going_while_work_is_stopped(begin, command):
    refusal = given(stopped(begin())).when(command).refused(NotNow)
    assert "Resume it first" in str(refusal)


def test_a_retry_waits_for_work_to_be_resumed():
    story = writing()
    attempt = attempt_of(story, Step.IMPLEMENT)
    story.do(c.FailAttempt(attempt, RUN, "refused", "No.", "Try again.", final=True))
    story.do(c.PostMessage(MESSAGE, "why?"))
    given(stopped(story)).when(c.RetryFeature()).refused(NotNow)
    story.do(c.ResumeWork()).do(c.RetryFeature())


def test_what_sets_nobody_to_work_is_legal_while_work_is_stopped():
    story = stopped(advising()).do(c.RenameFeature("Another"))
    assert Step.TITLE not in story.feature.held
    assert story.feature.stopped
    assert story.fork(story.feature.checkpoints[0].version).feature.stopped is None
    story.do(c.DeleteFeature())
    assert story.feature.stopped is None


def test_going_back_puts_an_end_to_the_stop():
    story = stopped(writing())
    story.do(c.ReplayFeature(story.feature.content.tests_approval.version))
    assert story.feature.stopped is None
    assert set(story.feature.due) == {Step.IMPLEMENT}


def test_the_code_is_written_on_from_the_files_that_were_accepted_before_the_stop():
    story = writing()
    attempt = attempt_of(story, Step.IMPLEMENT)
    stopped(story).do(c.DiscardRun(attempt, RUN, "superseded", FILES))
    told = story.feature.version
    assert story.events[-1] == e.RunDiscarded(attempt, "superseded", RUN, FILES)
    approval = story.feature.content.tests_approval.version
    assert story.feature.left == Left(told, approval)
    story.do(c.ResumeWork())
    assert story.events[-1] == e.WorkResumed((Step.IMPLEMENT,), told)
    assert story.feature.content.accepted == told


def test_files_that_are_told_of_after_work_was_resumed_are_gone_on_from_too():
    story = writing()
    attempt = attempt_of(story, Step.IMPLEMENT)
    stopped(story).do(c.ResumeWork()).do(c.DiscardRun(attempt, RUN, "superseded", FILES))
    assert story.feature.content.accepted == story.feature.version


def test_files_of_an_attempt_that_something_newer_replaced_are_left_alone():
    story = writing()
    attempt = attempt_of(story, Step.IMPLEMENT)
    late = c.DiscardRun(attempt, RUN, "superseded", FILES)
    stopped(story).do(c.ResumeWork()).do(start(story.feature, Step.IMPLEMENT))
    given(story).when(late).then(e.RunDiscarded(attempt, "superseded", RUN))
    story.do(c.ReplayFeature(story.feature.content.tests_approval.version))
    given(story).when(late).then(e.RunDiscarded(attempt, "superseded", RUN))
    story.do(c.DeleteFeature())
    given(story).when(late).then(e.RunDiscarded(attempt, "superseded", RUN))


def test_what_failed_before_the_stop_is_gone_on_from_when_the_stopped_worker_says_nothing():
    story = writing()
    attempt = attempt_of(story, Step.IMPLEMENT)
    story.do(c.FailAttempt(attempt, RUN, "overloaded", "Busy", "Wait", final=False, files=FILES))
    left = story.feature.version
    stopped(story).do(c.ResumeWork())
    assert story.feature.content.accepted == left


def test_the_actions_say_what_may_be_done():
    assert "stop" not in actions_at(Status.IMPLEMENTING)
    assert "stop" in actions_at(Status.IMPLEMENTING, due=True)
    offered = actions_at(Status.SPEC_READY, stopped=True)
    assert {"resume", "replay", "fork", "rename", "delete"} == set(offered)


def test_a_stop_folds_from_its_log():
    story = stopped(writing()).do(c.ResumeWork())
    assert fold(story.events) == story.feature
    assert story.feature.attempts[Step.IMPLEMENT] == 1
