"""What a failed attempt had written is found again by whoever writes the code next."""

import pytest

from domain import commands as c
from domain import events as e
from domain.status import Gate, Status, Step, Verdict
from tests.given import FILES, RUN, Story, answer, at_gate, attempt_of, in_review, start

MORE = (*FILES, e.FileWritten("src/more.ts", 3, "cd" * 32))


def implementing() -> Story:
    return at_gate(Gate.TESTS).approve(Gate.TESTS)


def fails(story: Story, files: tuple[e.FileWritten, ...] = FILES, *, final: bool = True) -> Story:
    """An attempt to write the code that fails; the story."""
    story.do(start(story.feature, Step.IMPLEMENT))
    attempt = attempt_of(story, Step.IMPLEMENT)
    return story.do(
        c.FailAttempt(attempt, RUN, "overloaded", "Busy", "Later", final=final, files=files)
    )


def named_by(story: Story) -> tuple[e.FileWritten, ...]:
    """The files that the code is written on from."""
    version = story.feature.content.accepted
    if version is None:
        return ()
    event = story.events[version - 1]
    assert isinstance(event, e.AttemptFailed)
    return event.files


def test_a_retry_goes_on_from_what_was_accepted() -> None:
    story = fails(implementing()).do(c.RetryFeature())
    assert story.feature.status is Status.TESTS_APPROVED
    assert named_by(story) == FILES


def test_a_replay_of_the_same_tests_goes_on_from_it_too() -> None:
    story = fails(implementing())
    approved = story.feature.checkpoints[-1].version
    assert named_by(story.do(c.ReplayFeature(approved))) == FILES


def test_the_last_attempt_that_had_files_counts() -> None:
    story = fails(fails(implementing(), final=False), MORE).do(c.RetryFeature())
    assert named_by(story) == MORE
    story = fails(fails(implementing(), MORE, final=False), ()).do(c.RetryFeature())
    assert named_by(story) == MORE


def test_attempts_between_two_retries_all_begin_from_the_same_files() -> None:
    """So that they send the same requests, whose answers are bought already."""
    story = fails(implementing()).do(c.RetryFeature())
    fails(story, MORE, final=False)
    assert named_by(story) == FILES
    assert named_by(fails(story, ()).do(c.RetryFeature())) == MORE


def test_a_step_that_falls_silent_leaves_what_its_last_attempt_had() -> None:
    story = fails(implementing(), final=False)
    due = story.feature.due[Step.IMPLEMENT]
    story.do(c.GiveUp(Step.IMPLEMENT, due, "stuck", "Silent", "Retry."))
    assert named_by(story.do(c.RetryFeature())) == FILES


@pytest.mark.parametrize("back_to", [Status.TESTS_READY, Status.SPEC_READY])
def test_files_for_tests_that_are_approved_anew_do_not_count(back_to: Status) -> None:
    story = fails(implementing())
    place = next(m for m in story.feature.checkpoints if m.content.status is back_to)
    story.do(c.ReplayFeature(place.version))
    assert named_by(story) == ()


def test_what_was_left_is_over_once_the_code_is_written() -> None:
    story = fails(implementing()).do(c.RetryFeature())
    story.do(start(story.feature, Step.IMPLEMENT)).do(answer(story.feature, Step.IMPLEMENT))
    assert named_by(story) == ()
    assert story.feature.left is None


def test_after_failed_reviews_a_second_attempt_has_both_the_code_and_what_was_left() -> None:
    story = in_review().work(Step.CODE_REVIEW, verdict=Verdict.FAIL).work(Step.SECURITY_REVIEW)
    story = fails(story.do(c.RetryFeature())).do(c.RetryFeature())
    assert named_by(story) == FILES
    assert story.feature.content.rework is not None
