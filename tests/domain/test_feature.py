"""The decider by example."""

from decimal import Decimal
from typing import get_args

import pytest
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.content import sha256_of
from domain.decider import decide
from domain.errors import ContentChanged, EmptyBrief, NoSuchCheckpoint, NotFound, NotNow, Superseded
from domain.lifecycle import LIFECYCLE, WORKING, actions_at
from domain.reading import reading_of
from domain.runs import Attempt, Run, Tokens
from domain.status import Gate, Recommendation, Status, Step, Verdict
from tests.given import (
    MESSAGE,
    RUN,
    Story,
    answer,
    approve,
    at_gate,
    attempt_of,
    done,
    drafted,
    given,
    in_review,
    start,
)


def test_every_event_has_a_row_in_the_lifecycle():
    assert set(LIFECYCLE) == set(get_args(e.FeatureEvent))


def test_a_feature_is_created_once():
    given(drafted()).when(c.CreateFeature("Again")).refused(NotNow)


def test_nothing_happens_to_a_feature_that_does_not_exist():
    given(Story()).when(c.RenameFeature("x")).refused(NotFound)


@pytest.mark.parametrize("text", [" \n\t", "😀 👩‍🔧 !", "---\n***", "1️⃣", "\u200b"])
def test_a_brief_without_a_word_is_refused(text):
    given(drafted()).when(c.ConfirmBrief(text)).refused(EmptyBrief)


def test_what_a_person_made_a_point_is_recorded_with_the_brief():
    brief = "I mend bicycles.\n\n- Ask"
    (confirmed,) = decide(c.ConfirmBrief(brief, ("I mend bicycles.",)), drafted().feature)
    assert [p.text for p in confirmed.reading.points] == ["I mend bicycles.", "Ask"]
    assert confirmed.wanted == ("I mend bicycles.",)


def test_confirming_a_brief_starts_the_spec_and_raises_the_epoch():
    story = drafted()
    given(story).when(c.ConfirmBrief("Lend tools")).then(
        e.BriefConfirmed("Lend tools", sha256_of("Lend tools"), 1, reading=reading_of("Lend tools"))
    )
    story.do(c.ConfirmBrief("Lend tools"))
    assert story.feature.status is Status.SPEC_GENERATING
    assert story.feature.due == {Step.SPEC: 2}


def test_a_spec_cannot_be_approved_before_it_is_written():
    story = drafted().do(c.ConfirmBrief("x"))
    given(story).when(c.Approve(Gate.SPEC, "0" * 64)).refused(NotNow)


def test_the_whole_life_of_a_feature():
    story = done()
    assert story.feature.status is Status.DONE
    assert not story.feature.running
    assert [
        type(event).__name__ for event in story.events if "Approved" in type(event).__name__
    ] == [
        "SpecApproved",
        "PlanApproved",
        "TestsApproved",
    ]


def test_an_approved_feature_waits_until_an_attempt_is_announced():
    story = at_gate(Gate.SPEC).approve(Gate.SPEC)
    assert story.feature.status is Status.SPEC_APPROVED
    story.do(start(story.feature, Step.PLAN))
    assert story.feature.status is Status.PLAN_GENERATING


def test_an_approval_names_what_was_seen():
    refusal = given(at_gate(Gate.SPEC)).when(c.Approve(Gate.SPEC, "0" * 64)).refused(ContentChanged)
    assert isinstance(refusal, ContentChanged)
    assert refusal.current_sha256 == sha256_of("# Spec 1")


def test_an_approval_at_another_gate_is_refused():
    story = at_gate(Gate.PLAN)
    spec = story.feature.content.spec
    assert spec is not None
    given(story).when(c.Approve(Gate.SPEC, spec.content_sha256)).refused(NotNow)


def test_approving_against_advice_is_recorded_as_an_override():
    story = at_gate(Gate.SPEC).work(Step.ALIGN_SPEC)
    given(story).when(approve(story.feature, Gate.SPEC)).then(
        e.SpecApproved(sha256_of("# Spec 1"), Recommendation.REVISE, override=True)
    )


def test_a_late_answer_to_an_old_brief_is_refused():
    story = at_gate(Gate.SPEC).work(Step.ALIGN_SPEC)
    late = c.RecordDocument(Attempt(Step.SPEC, 1, 1), RUN, answer_document(), "# Late", "0" * 64)
    story.do(c.ReviseBrief("SMS")).do(start(story.feature, Step.SPEC))
    given(story).when(late).refused(Superseded)


def answer_document():
    story = drafted().do(c.ConfirmBrief("x"))
    story.do(start(story.feature, Step.SPEC))
    command = answer(story.feature, Step.SPEC)
    assert isinstance(command, c.RecordDocument)
    return command.document


def test_a_second_attempt_replaces_the_first():
    story = drafted().do(c.ConfirmBrief("x"))
    story.do(start(story.feature, Step.SPEC))
    first = answer(story.feature, Step.SPEC)
    story.do(start(story.feature, Step.SPEC))
    assert attempt_of(story, Step.SPEC).number == 2
    given(story).when(first).refused(Superseded)


def test_what_a_lost_attempt_used_is_counted_once_though_its_worker_told_it_first():
    story = drafted().do(c.ConfirmBrief("x"))
    story.do(start(story.feature, Step.SPEC))
    story.do(c.DiscardRun(attempt_of(story, Step.SPEC), RUN, "lease_lost"))
    again = replace(start(story.feature, Step.SPEC), lost=RUN)
    story.do(again)
    lost = next(event for event in story.events if isinstance(event, e.AttemptFailed))
    assert (lost.run.tokens, lost.run.cost_usd, lost.run.turns) == (Run().tokens, 0, 0)


def test_what_a_late_answer_cost_is_recorded_even_after_deletion():
    story = at_gate(Gate.SPEC).do(c.DeleteFeature())
    attempt = Attempt(Step.ALIGN_SPEC, 1, 1)
    given(story).when(c.DiscardRun(attempt, RUN, "superseded")).then(
        e.RunDiscarded(attempt, "superseded", RUN)
    )


def test_a_late_answer_counts_only_what_its_attempt_has_not_been_charged_for():
    story = drafted().do(c.ConfirmBrief("x"))
    story.do(start(story.feature, Step.SPEC))
    first = attempt_of(story, Step.SPEC)
    story.do(replace(start(story.feature, Step.SPEC), lost=RUN))
    whole = Run(Tokens(300, 80), Decimal("0.0100"), 4.0, 2)
    left = Run(Tokens(200, 30), Decimal("0.0058"), 2.5, 1)
    given(story).when(c.DiscardRun(first, whole, "lease_lost")).then(
        e.RunDiscarded(first, "lease_lost", left)
    )
    story.do(c.DiscardRun(first, whole, "lease_lost"))
    given(story).when(c.DiscardRun(first, whole, "lease_lost")).refused(Superseded)


def test_a_result_that_was_recorded_is_not_discarded_afterwards():
    story = drafted().do(c.ConfirmBrief("x"))
    story.do(start(story.feature, Step.SPEC))
    attempt = attempt_of(story, Step.SPEC)
    story.do(answer(story.feature, Step.SPEC))
    given(story).when(c.DiscardRun(attempt, RUN, "superseded")).refused(Superseded)


def test_a_review_that_failed_is_not_taken_for_the_next_one():
    story = in_review().work(Step.CODE_REVIEW)
    known = story.feature.recorded
    story.work(Step.SECURITY_REVIEW, verdict=Verdict.FAIL)
    assert story.feature.recorded == known
    assert known


def test_an_attempt_that_failed_leaves_the_step_due():
    story = drafted().do(c.ConfirmBrief("x"))
    story.do(start(story.feature, Step.SPEC))
    story.do(
        c.FailAttempt(attempt_of(story, Step.SPEC), RUN, "overloaded", "Busy", "Wait", final=False)
    )
    assert story.feature.status is Status.SPEC_GENERATING
    assert story.feature.due == {Step.SPEC: 2}
    assert not story.feature.running


def test_the_last_failed_attempt_fails_the_feature():
    story = drafted().do(c.ConfirmBrief("x"))
    story.do(start(story.feature, Step.SPEC))
    story.do(
        c.FailAttempt(attempt_of(story, Step.SPEC), RUN, "refused", "No", "Change it", final=True)
    )
    assert story.feature.status is Status.FAILED
    assert not story.feature.due


def test_a_recommendation_that_gives_up_does_not_stop_the_feature():
    story = at_gate(Gate.SPEC)
    story.do(c.GiveUp(Step.ALIGN_SPEC, story.feature.due[Step.ALIGN_SPEC], "timeout", "Slow", "-"))
    assert story.feature.status is Status.SPEC_READY
    assert Step.ALIGN_SPEC not in story.feature.due


def test_only_one_message_is_answered_at_a_time():
    story = drafted().do(c.PostMessage(MESSAGE, "Hello"))
    given(story).when(c.PostMessage(MESSAGE, "Hello?")).refused(NotNow)
    story.work(Step.CONVERSE)
    story.do(c.PostMessage(MESSAGE, "Neighbours"))


def test_renaming_while_an_agent_works_does_not_supersede_it():
    story = drafted().do(c.ConfirmBrief("x"))
    story.do(start(story.feature, Step.SPEC)).do(c.RenameFeature("Mine"))
    story.do(answer(story.feature, Step.SPEC))
    assert story.feature.status is Status.SPEC_READY


def test_a_persons_title_is_not_replaced_by_the_agents():
    story = at_gate(Gate.SPEC).do(c.RenameFeature("Mine"))
    assert Step.TITLE not in story.feature.due


def test_both_reviews_must_pass():
    story = in_review().work(Step.CODE_REVIEW, verdict=Verdict.FAIL).work(Step.SECURITY_REVIEW)
    assert story.feature.status is Status.FAILED
    assert story.events[-1] == e.VerdictReached(
        Verdict.FAIL, security_review=Verdict.PASS, code_review=Verdict.FAIL
    )


def test_a_retry_after_failed_reviews_writes_the_code_again_with_their_findings():
    story = in_review().work(Step.CODE_REVIEW, verdict=Verdict.FAIL).work(Step.SECURITY_REVIEW)
    story.do(c.RetryFeature())
    content = story.feature.content
    assert content.status is Status.TESTS_APPROVED
    assert content.implementation is None
    assert content.rework is not None
    assert set(story.feature.due) == {Step.IMPLEMENT}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Verdict.PASS, Verdict.UNDECIDED, Verdict.UNDECIDED),
        (Verdict.UNDECIDED, Verdict.PASS, Verdict.UNDECIDED),
        (Verdict.UNDECIDED, Verdict.UNDECIDED, Verdict.UNDECIDED),
        (Verdict.UNDECIDED, Verdict.FAIL, Verdict.FAIL),
        (Verdict.FAIL, Verdict.UNDECIDED, Verdict.FAIL),
    ],
)
def test_a_fault_outweighs_a_doubt_and_a_doubt_outweighs_a_yes(first, second, expected):
    story = in_review().work(Step.SECURITY_REVIEW, verdict=first)
    story.work(Step.CODE_REVIEW, verdict=second)
    assert story.events[-1] == e.VerdictReached(expected, security_review=first, code_review=second)
    assert story.feature.status is Status.FAILED


def undecided() -> Story:
    """The security review came to no verdict; the code review passed."""
    story = in_review().work(Step.SECURITY_REVIEW, verdict=Verdict.UNDECIDED)
    return story.work(Step.CODE_REVIEW)


def test_a_retry_after_no_verdict_asks_for_that_review_again_and_keeps_the_code_and_the_other():
    story = undecided()
    before = story.feature.content
    story.do(c.RetryFeature())
    content = story.feature.content
    assert content.status is Status.REVIEW
    assert set(story.feature.due) == {Step.SECURITY_REVIEW}
    assert content.implementation == before.implementation
    assert content.code_review == before.code_review
    assert content.security_review is None
    assert content.rework is not None
    assert content.rework.security_review == before.security_review.version


def test_the_second_look_decides():
    passed = undecided().do(c.RetryFeature()).work(Step.SECURITY_REVIEW, salt="again")
    assert passed.feature.status is Status.DONE
    failed = undecided().do(c.RetryFeature())
    failed.work(Step.SECURITY_REVIEW, verdict=Verdict.FAIL, salt="again").do(c.RetryFeature())
    assert set(failed.feature.due) == {Step.IMPLEMENT}
    again = undecided().do(c.RetryFeature())
    again.work(Step.SECURITY_REVIEW, verdict=Verdict.UNDECIDED, salt="again")
    assert again.feature.status is Status.FAILED
    assert set(again.do(c.RetryFeature()).feature.due) == {Step.SECURITY_REVIEW}


def test_a_review_without_a_verdict_is_not_taken_for_the_next_one():
    story = in_review().work(Step.CODE_REVIEW)
    known = story.feature.recorded
    story.work(Step.SECURITY_REVIEW, verdict=Verdict.UNDECIDED)
    assert story.feature.recorded == known


def test_a_retry_after_one_review_gave_up_keeps_the_other_and_the_code():
    story = in_review().work(Step.SECURITY_REVIEW)
    story.do(start(story.feature, Step.CODE_REVIEW))
    story.do(
        c.FailAttempt(attempt_of(story, Step.CODE_REVIEW), RUN, "refused", "-", "-", final=True)
    )
    story.do(c.RetryFeature())
    assert story.feature.status is Status.REVIEW
    assert story.feature.content.implementation is not None


def test_retry_is_for_failed_features():
    given(done()).when(c.RetryFeature()).refused(NotNow)


def test_a_replay_restores_what_was_and_voids_later_approvals():
    story = at_gate(Gate.PLAN)
    gate = next(m for m in story.feature.checkpoints if m.content.status is Status.SPEC_READY)
    story.do(c.ReplayFeature(gate.version))
    assert story.feature.status is Status.SPEC_READY
    assert story.feature.content.spec == gate.content.spec
    assert story.feature.content.plan is None
    assert story.feature.content.spec_approval is None
    assert story.feature.epoch == 2


def test_a_replay_to_a_working_checkpoint_makes_its_step_due_again():
    story = at_gate(Gate.PLAN)
    spot = next(m for m in story.feature.checkpoints if m.content.status is Status.SPEC_APPROVED)
    story.do(c.ReplayFeature(spot.version))
    assert story.feature.due == {Step.PLAN: story.feature.version}
    assert story.feature.content.spec_approval is not None


def test_a_replay_needs_a_checkpoint():
    given(done()).when(c.ReplayFeature(999)).refused(NoSuchCheckpoint)


def test_messages_after_a_checkpoint_are_hidden_by_a_replay_and_later_ones_shown():
    story = drafted().do(c.PostMessage(MESSAGE, "one")).work(Step.CONVERSE)
    kept = story.feature.version
    story.do(c.PostMessage(MESSAGE, "two")).work(Step.CONVERSE)
    hidden = story.feature.version
    story.do(c.ReplayFeature(kept)).do(c.PostMessage(MESSAGE, "three"))
    content = story.feature.content
    assert content.shows(kept)
    assert not content.shows(hidden)
    assert content.shows(story.feature.version)


def test_a_deleted_feature_is_not_there_any_more():
    given(done().do(c.DeleteFeature())).when(c.RenameFeature("x")).refused(NotFound)


@pytest.mark.parametrize("status", sorted(WORKING))
def test_while_agents_work_a_person_may_rename_delete_fork_and_go_back_only(status):
    assert actions_at(status) == ("replay", "fork", "rename", "delete")


def test_actions_at_a_gate():
    assert actions_at(Status.SPEC_READY) == (
        "approve",
        "edit",
        "discuss",
        "revise",
        "rewrite",
        "replay",
        "fork",
        "rename",
        "delete",
    )


def test_an_empty_run_costs_nothing():
    assert Run().cost_usd == 0


def test_a_revision_knows_the_brief_that_its_last_specification_was_made_from():
    story = drafted().do(c.ConfirmBrief("Lend tools"))
    first = story.feature.content.brief.version
    story.work(Step.SPEC).work(Step.ALIGN_SPEC).do(c.ReviseBrief("Lend books"))
    content = story.feature.content
    assert (content.previous_brief, content.brief.version > first) == (first, True)
