"""Conversation and runs, by example."""

from uuid import UUID

from domain import commands as c
from domain.status import Agent, Gate, Step
from projections.message import MESSAGE as MESSAGES
from projections.message import Speaker
from projections.run import RUN as RUNS
from projections.run import Outcome
from tests.given import (
    MESSAGE,
    RUN,
    answer,
    at_gate,
    attempt_of,
    done,
    drafted,
    start,
)
from tests.projections.given_events import at, given


def outcomes(story):
    return {(row.step, row.attempt): row.outcome for row in given(story).rows(RUNS)}


def test_question_and_answer_are_two_messages():
    story = drafted().do(c.PostMessage(UUID(int=5), "hello")).work(Step.CONVERSE)
    asked, replied = given(story).rows(MESSAGES)
    assert (asked.role, asked.message_id, asked.version) == (Speaker.USER, UUID(int=5), 2)
    assert (replied.role, replied.message_id, replied.version) == (Speaker.AGENT, MESSAGE, 4)
    assert replied.tokens == RUN.tokens
    assert not replied.has_brief


def test_a_proposed_brief_is_announced_by_its_message():
    story = drafted().do(c.PostMessage(MESSAGE, "hello"))
    story.do(start(story.feature, Step.CONVERSE))
    reply = answer(story.feature, Step.CONVERSE)
    story.do(c.RecordReply(reply.attempt, RUN, MESSAGE, "Here", brief_markdown="- lend"))
    assert given(story).rows(MESSAGES)[-1].has_brief


def test_a_reply_that_was_given_up_says_why():
    story = drafted().do(c.PostMessage(MESSAGE, "hello"))
    story.do(c.GiveUp(Step.CONVERSE, 2, "stuck", "Silent", "Ask again"))
    assert [row.error for row in given(story).rows(MESSAGES)] == [None, "stuck"]


def test_a_title_that_was_given_up_is_no_message():
    story = at_gate(Gate.SPEC)
    story.do(c.GiveUp(Step.TITLE, story.feature.due[Step.TITLE], "stuck", "Silent", "-"))
    assert given(story).rows(MESSAGES) == []


def test_deleting_leaves_no_message_and_no_run():
    story = done().do(c.DeleteFeature())
    for projection in (MESSAGES, RUNS):
        given(story).shows_nothing(projection)


def test_a_run_is_shown_from_its_announcement():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    given(story).shows(
        RUNS,
        "spec:000001",
        agent=Agent.SPEC,
        outcome=Outcome.RUNNING,
        attempt=1,
        epoch=1,
        started_at=at(3),
        model="claude-sonnet-5-5",
    )
    story.do(answer(story.feature, Step.SPEC))
    given(story).shows(
        RUNS,
        "spec:000001",
        outcome=Outcome.SUCCEEDED,
        tokens=RUN.tokens,
        cost_usd=RUN.cost_usd,
        seconds=RUN.seconds,
        turns=1,
    )


def test_a_reused_result_is_told_from_a_bought_one():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    bought = answer(story.feature, Step.SPEC)
    story.do(
        c.RecordDocument(
            bought.attempt, RUN, bought.document, bought.markdown, bought.manifest_sha256, 4
        )
    )
    assert outcomes(story) == {(Step.SPEC, 1): Outcome.REUSED}


def test_a_failed_attempt_and_its_successor_are_two_runs():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    attempt = attempt_of(story, Step.SPEC)
    story.do(c.FailAttempt(attempt, RUN, "overloaded", "Busy", "Wait", final=False))
    story.work(Step.SPEC)
    assert outcomes(story) == {
        (Step.SPEC, 1): Outcome.FAILED,
        (Step.SPEC, 2): Outcome.SUCCEEDED,
    }
    given(story).shows(RUNS, "spec:000001", error="overloaded", cost_usd=RUN.cost_usd)


def test_an_attempt_whose_worker_died_has_an_unknown_outcome():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC)).do(start(story.feature, Step.SPEC))
    assert outcomes(story) == {
        (Step.SPEC, 1): Outcome.OUTCOME_UNKNOWN,
        (Step.SPEC, 2): Outcome.RUNNING,
    }


def test_an_attempt_that_fell_silent_has_an_unknown_outcome():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    story.do(c.GiveUp(Step.SPEC, 2, "stuck", "Silent", "Retry"))
    given(story).shows(RUNS, "spec:000001", outcome=Outcome.OUTCOME_UNKNOWN, error="stuck")


def test_an_attempt_that_a_replay_overtakes_is_discarded_and_its_late_answer_is_paid():
    story = at_gate(Gate.SPEC).approve(Gate.SPEC)
    story.do(start(story.feature, Step.PLAN))
    late = attempt_of(story, Step.PLAN)
    story.do(c.ReplayFeature(story.feature.content.spec.version))
    assert outcomes(story)[Step.PLAN, 1] is Outcome.DISCARDED
    story.do(c.DiscardRun(late, RUN, "superseded"))
    given(story).shows(RUNS, "plan:000001", outcome=Outcome.DISCARDED, cost_usd=RUN.cost_usd)


def test_advice_that_an_approval_overtakes_is_discarded():
    story = at_gate(Gate.SPEC)
    story.do(start(story.feature, Step.ALIGN_SPEC)).approve(Gate.SPEC)
    assert outcomes(story)[Step.ALIGN_SPEC, 1] is Outcome.DISCARDED
