"""The dashboard, by example."""

from decimal import Decimal

from domain import commands as c
from domain.lifecycle import actions_at
from domain.runs import Attempt, Run
from domain.status import Gate, Recommendation, Status, Step, Verdict
from projections.dashboard import DASHBOARD
from tests.given import RUN, at_gate, attempt_of, done, drafted, in_review, start
from tests.projections.given_events import DAY, FEATURE_ID, at, given


def test_a_new_feature_is_drafting_and_costs_nothing():
    given(drafted("Tools")).shows(
        DASHBOARD,
        id=FEATURE_ID,
        title="Tools",
        status=Status.DRAFTING,
        actions=actions_at(Status.DRAFTING),
        version=1,
        epoch=0,
        cost_usd=Decimal(0),
        created_at=at(1),
        updated_at=at(1),
        working_since=None,
    )


def test_a_renamed_feature_shows_its_new_title_and_keeps_its_birthday():
    story = drafted().do(c.RenameFeature("Tool library"))
    given(story).shows(DASHBOARD, title="Tool library", created_at=at(1), updated_at=at(2))


def test_work_counts_from_where_a_person_let_it_go():
    story = drafted().do(c.ConfirmBrief("- lend"))
    given(story).shows(DASHBOARD, status=Status.SPEC_GENERATING, working_since=at(2))
    given(story.work(Step.SPEC)).shows(DASHBOARD, status=Status.SPEC_READY, working_since=None)
    story.approve(Gate.SPEC)
    approved = at(story.feature.version)
    story.do(start(story.feature, Step.PLAN))
    given(story).shows(DASHBOARD, status=Status.PLAN_GENERATING, working_since=approved)


def test_cost_adds_up_over_answers_failures_and_late_answers():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    attempt = attempt_of(story, Step.SPEC)
    story.do(c.FailAttempt(attempt, RUN, "overloaded", "Busy", "Wait", final=False))
    whole = Run(RUN.tokens + RUN.tokens, 2 * RUN.cost_usd, 2 * RUN.seconds, 2 * RUN.turns)
    story.do(c.DiscardRun(attempt, whole, "superseded")).work(Step.SPEC)
    given(story).shows(DASHBOARD, cost_usd=3 * RUN.cost_usd)


def test_a_recommendation_shows_at_its_gate_and_nowhere_else():
    story = at_gate(Gate.SPEC)
    given(story).shows(DASHBOARD, recommendation=None)
    story.work(Step.ALIGN_SPEC)
    given(story).shows(DASHBOARD, recommendation=Recommendation.REVISE)
    gate = story.feature.version
    story.approve(Gate.SPEC)
    given(story).shows(DASHBOARD, recommendation=None)
    story.do(c.ReplayFeature(gate))
    given(story).shows(
        DASHBOARD, recommendation=Recommendation.REVISE, status=Status.SPEC_READY, epoch=2
    )


def test_a_failed_feature_names_its_failure_until_it_is_retried():
    story = in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.FAIL).work(Step.CODE_REVIEW)
    given(story).shows(DASHBOARD, status=Status.FAILED, failure="review_failed")
    story.do(c.RetryFeature())
    given(story).shows(DASHBOARD, failure=None, working_since=at(story.feature.version))


def test_a_review_without_a_verdict_is_a_failure_of_its_own():
    story = in_review().work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW, verdict=Verdict.UNDECIDED)
    given(story).shows(DASHBOARD, status=Status.FAILED, failure="review_undecided")
    story.do(c.RetryFeature())
    given(story).shows(DASHBOARD, failure=None, status=Status.REVIEW)


def test_a_deleted_feature_is_gone_even_when_a_late_answer_comes():
    story = done().do(c.DeleteFeature())
    given(story).shows_nothing(DASHBOARD)
    late = c.DiscardRun(Attempt(Step.ALIGN_SPEC, 1, 9), RUN, "superseded")
    given(story.do(late)).shows_nothing(DASHBOARD)


def test_times_are_the_log_s_own():
    assert given(drafted()).row(DASHBOARD).created_at > DAY
