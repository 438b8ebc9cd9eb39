"""The feature's own page, by example."""

from datetime import timedelta
from decimal import Decimal

from domain import commands as c
from domain.comments import Comment
from domain.content import sha256_of
from domain.status import Gate, Recommendation, Status, Step, Verdict
from projections.breadcrumb import Progress, Stage, breadcrumb
from projections.failure import Failure
from projections.feature import FEATURE, Pause, Recommended
from tests.given import (
    MESSAGE,
    PLAN,
    RUN,
    Story,
    at_gate,
    attempt_of,
    done,
    drafted,
    in_review,
    start,
)
from tests.projections.given_events import USER, at, given


def states(status, failed=None):
    return [crumb.state for crumb in breadcrumb(status, failed)]


def test_a_deliverable_names_its_text_its_writer_and_its_time():
    story = at_gate(Gate.SPEC)
    version = story.feature.content.spec.version
    spec = given(story).row(FEATURE).deliverables.spec
    assert spec.version == version
    assert spec.content_sha256 == sha256_of("# Spec 1")
    assert spec.by == "agent:spec"
    assert spec.at == at(version)
    assert given(story).row(FEATURE).deliverables.plan is None


def test_the_brief_is_by_the_person_who_confirmed_it():
    brief = given(drafted().do(c.ConfirmBrief("- lend"))).row(FEATURE).deliverables.brief
    assert (brief.by, brief.at, brief.version) == (USER, at(2), 2)


def test_reviews_carry_the_verdict_that_code_computed():
    story = in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.FAIL)
    row = given(story).row(FEATURE)
    assert row.deliverables.security_review.verdict is Verdict.FAIL
    assert row.deliverables.code_review is None


def test_an_approval_counts_until_the_brief_is_revised():
    story = at_gate(Gate.PLAN)
    assert list(given(story).row(FEATURE).approvals) == [Gate.SPEC]
    story.do(c.ReviseBrief("- lend more"))
    row = given(story).row(FEATURE)
    assert row.approvals == {}
    assert row.deliverables.spec is None


def test_a_recommendation_shows_at_its_own_gate_only():
    story = at_gate(Gate.SPEC).work(Step.ALIGN_SPEC)
    advice = Recommended(Gate.SPEC, Recommendation.REVISE, story.feature.version)
    given(story).shows(FEATURE, recommendation=advice)
    given(story.approve(Gate.SPEC)).shows(FEATURE, recommendation=None)


def test_a_failure_says_what_to_do_next():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    attempt = attempt_of(story, Step.SPEC)
    story.do(c.FailAttempt(attempt, RUN, "key_rejected", "No", "Settings", final=True))
    failure = Failure(Step.SPEC, "key_rejected", "settings", story.feature.version)
    given(story).shows(FEATURE, failure=failure, status=Status.FAILED)
    assert given(story).row(FEATURE).breadcrumb[0].state is Progress.FAILED
    given(story.do(c.RetryFeature())).shows(FEATURE, failure=None)


def test_a_step_that_is_tried_again_says_when_until_it_is():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    attempt, due = attempt_of(story, Step.SPEC), story.feature.due[Step.SPEC]
    again = c.FailAttempt(
        attempt, RUN, "overloaded", "Busy", "", final=False, retry_after_seconds=60.0
    )
    story.do(again)
    failed = story.feature.version
    pause = Pause(failed, at(failed) + timedelta(seconds=60))
    assert given(story).row(FEATURE).due[Step.SPEC] == due
    given(story).shows(FEATURE, pauses={Step.SPEC: pause})
    given(story.do(c.RenameFeature("Busy day"))).shows(FEATURE, pauses={Step.SPEC: pause})
    given(story.do(start(story.feature, Step.SPEC))).shows(FEATURE, pauses={})


def test_going_back_ends_the_wait_for_another_try():
    story = at_gate(Gate.SPEC).approve(Gate.SPEC)
    gate = story.feature.checkpoints[-2].version
    story.do(start(story.feature, Step.PLAN))
    attempt = attempt_of(story, Step.PLAN)
    story.do(c.FailAttempt(attempt, RUN, "overloaded", "Busy", "", final=False))
    assert given(story).row(FEATURE).pauses.keys() == {Step.PLAN}
    given(story.do(c.ReplayFeature(gate))).shows(FEATURE, pauses={})


def test_a_failed_review_is_the_failure_of_the_review_that_failed():
    story = in_review().work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW, verdict=Verdict.FAIL)
    failure = Failure(Step.CODE_REVIEW, "review_failed", "retry", story.feature.version)
    given(story).shows(FEATURE, failure=failure)


def test_a_title_given_after_a_failure_does_not_hide_it():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(c.GiveUp(Step.SPEC, 2, "stuck", "Silent", "Retry")).do(c.RenameFeature("Mine"))
    given(story).shows(FEATURE, title="Mine", failure=Failure(Step.SPEC, "stuck", "retry", 3))


def test_the_breadcrumb_goes_with_the_status():
    done_, here, later = Progress.DONE, Progress.CURRENT, Progress.WAITING
    assert states(Status.DRAFTING) == [later] * 5
    assert states(Status.SPEC_READY) == [here, later, later, later, later]
    assert states(Status.SPEC_APPROVED) == [done_, here, later, later, later]
    assert states(Status.IMPLEMENTING) == [done_, done_, done_, here, later]
    assert states(Status.REVIEW) == [done_] * 4 + [here]
    assert states(Status.DONE) == [done_] * 5
    assert states(Status.FAILED, Step.TESTS)[2] is Progress.FAILED


def test_every_status_and_step_has_a_breadcrumb():
    for status in Status:
        for step in (None, *Step):
            assert [crumb.stage for crumb in breadcrumb(status, step)] == list(Stage)


def test_checkpoints_tell_what_going_back_throws_away():
    row = given(done()).row(FEATURE)
    assert [m.version for m in row.checkpoints] == [m.version for m in done().feature.checkpoints]
    assert row.checkpoints[0].cost_usd_since == row.cost_usd
    assert row.checkpoints[0].event == "feature_created"
    assert row.checkpoints[-1].cost_usd_since == Decimal(0)
    assert row.checkpoints[-1].status is Status.DONE


def test_everything_that_counts_is_not_superseded():
    given(done()).shows(FEATURE, superseded_cost_usd=Decimal(0), cost_usd=6 * RUN.cost_usd)


def test_a_round_that_was_done_is_no_waste_when_the_next_one_has_begun():
    story = done().do(c.ReviseBrief("- lend more")).work(Step.SPEC, salt="second")
    given(story).shows(FEATURE, superseded_cost_usd=Decimal(0), cost_usd=7 * RUN.cost_usd)
    story.do(c.ReviseBrief("- lend even more"))
    given(story).shows(FEATURE, superseded_cost_usd=RUN.cost_usd)
    failed = in_review().work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW, verdict=Verdict.FAIL)
    failed.do(c.ReviseBrief("- lend more"))
    given(failed).shows(FEATURE, superseded_cost_usd=6 * RUN.cost_usd)


def test_what_was_gone_back_from_is_superseded_and_counts_again_when_gone_forward_to():
    story = at_gate(Gate.PLAN)
    plan = story.feature.version
    spec = story.feature.content.spec.version
    story.do(c.ReplayFeature(spec))
    given(story).shows(FEATURE, superseded_cost_usd=RUN.cost_usd, cost_usd=2 * RUN.cost_usd)
    story.do(c.ReplayFeature(plan))
    given(story).shows(FEATURE, superseded_cost_usd=Decimal(0), status=Status.PLAN_READY)


def test_a_revised_brief_supersedes_all_but_the_conversation_and_the_title():
    story = drafted().do(c.PostMessage(MESSAGE, "hello")).work(Step.CONVERSE)
    story.do(c.ConfirmBrief("- lend")).work(Step.SPEC).work(Step.TITLE)
    story.do(c.ReviseBrief("- lend more"))
    given(story).shows(FEATURE, superseded_cost_usd=RUN.cost_usd, cost_usd=3 * RUN.cost_usd)


def test_what_comments_replace_is_superseded_and_what_is_edited_only_by_its_advice():
    story = at_gate(Gate.PLAN).work(Step.ALIGN_PLAN)
    plan = story.feature.content.plan
    story.do(c.RequestRewrite(Gate.PLAN, plan.content_sha256, (Comment("Not so."),)))
    given(story).shows(FEATURE, superseded_cost_usd=2 * RUN.cost_usd)
    story.work(Step.PLAN, salt="anew").work(Step.ALIGN_PLAN, salt="anew")
    given(story).shows(FEATURE, superseded_cost_usd=2 * RUN.cost_usd, cost_usd=5 * RUN.cost_usd)
    anew = story.feature.content.plan
    story.do(c.RecordEdit(Gate.PLAN, anew.content_sha256, anew.version, PLAN, "# Mine"))
    given(story).shows(FEATURE, superseded_cost_usd=3 * RUN.cost_usd)
    made = given(story).row(FEATURE).deliverables.plan
    assert made.by.startswith("user:")
    story.do(c.ReplayFeature(plan.version))
    given(story).shows(FEATURE, superseded_cost_usd=3 * RUN.cost_usd)


def test_files_are_those_of_the_implementation_that_counts():
    story = in_review()
    given(story).shows(FEATURE, files_version=story.feature.version)
    given(at_gate(Gate.TESTS)).shows(FEATURE, files_version=None)


def test_a_message_that_was_gone_back_from_is_hidden():
    story = drafted().do(c.PostMessage(MESSAGE, "hello")).work(Step.CONVERSE)
    story.do(c.ReplayFeature(1))
    row = given(story).row(FEATURE)
    assert [row.shows(version) for version in (1, 2, 4)] == [True, False, False]
    assert row.shows(story.feature.version + 1)


def test_a_deleted_feature_has_no_row():
    given(done().do(c.DeleteFeature())).shows_nothing(FEATURE)


def test_a_story_is_no_longer_than_its_log():
    assert given(Story()).row(FEATURE) is None
