"""Why each paid token was paid: by example, and by property over any legal life."""

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from application.agents.failures import BY_THE_PROVIDER, BY_US, CODES
from application.audit.waste import Causes, ClearPart, SpendingCause, clear_part_of
from domain import commands as c
from domain import events as e
from domain.comments import Comment
from domain.runs import Run, Tokens
from domain.status import Gate, Step, Verdict
from infrastructure.event_log import REGISTRY
from tests.domain.test_feature_properties import MOVES, lived
from tests.examples import examples
from tests.given import (
    MESSAGE,
    RUN,
    Story,
    answer,
    at_gate,
    attempt_of,
    done,
    drafted,
    faulty,
    in_review,
    start,
)

BY_THE_AGENT = {
    "model_refused",
    "answer_too_long",
    "input_too_long",
    "no_result",
    "review_incomplete",
    "check_failed",
    "blocked",
    "turns_used_up",
    "nothing_to_answer",
    "api_key_missing",
    "deadline",
    "nothing_changed",
    "outside_the_freeze",
}


def folded(events: list[e.FeatureEvent]) -> Causes:
    causes = Causes()
    for version, event in enumerate(events, 1):
        causes.add(version, type(event), clear_part_of(event))
    return causes


def causes_of(story: Story) -> list[SpendingCause]:
    """The cause of each event that says what was used, in their order."""
    found = folded(story.events).causes()
    return [found[version] for version in sorted(found)]


def failing(story: Story, step: Step, code: str, *, final: bool = False) -> c.FailAttempt:
    return c.FailAttempt(attempt_of(story, step), RUN, code, "Why.", "What.", final=final)


def test_what_stands_is_in_use():
    assert causes_of(done()) == [SpendingCause.IN_USE] * 6


def test_every_code_of_a_failure_is_somebodys_doing():
    sides = [set(BY_US), set(BY_THE_PROVIDER), BY_THE_AGENT]
    assert set(CODES) <= set.union(*sides)
    assert sum(map(len, sides)) == len(set.union(*sides))


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("overloaded", SpendingCause.PROVIDER),
        ("check_failed", SpendingCause.FAILED_CHECK),
        ("worker_stopped", SpendingCause.OURS),
        ("internal_error", SpendingCause.OURS),
    ],
)
def test_a_failed_attempt_is_the_doing_of_whoever_its_code_names(code: str, cause: SpendingCause):
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC)).do(failing(story, Step.SPEC, code)).work(Step.SPEC)
    assert causes_of(story) == [cause, SpendingCause.IN_USE]


def test_a_revised_brief_replaces_all_but_the_conversation():
    story = drafted().do(c.PostMessage(MESSAGE, "hello")).work(Step.CONVERSE)
    story.do(c.ConfirmBrief("- lend")).work(Step.SPEC).work(Step.TITLE)
    story.do(c.ReviseBrief("- lend more")).work(Step.SPEC, salt="second")
    assert causes_of(story) == [
        SpendingCause.IN_USE,
        SpendingCause.CHANGED,
        SpendingCause.IN_USE,
        SpendingCause.IN_USE,
    ]


def test_code_that_failed_its_review_is_waste_of_the_review_once_it_is_written_anew():
    story = in_review().work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW, verdict=Verdict.FAIL)
    assert set(causes_of(story)) == {SpendingCause.IN_USE}
    story.do(c.RetryFeature()).work(Step.IMPLEMENT, salt="second")
    assert causes_of(story)[3:] == [SpendingCause.FAILED_REVIEW] * 3 + [SpendingCause.IN_USE]
    assert causes_of(story)[:3] == [SpendingCause.IN_USE] * 3


def test_what_comments_have_written_anew_is_a_change():
    story = at_gate(Gate.SPEC)
    sha = story.feature.content.spec.content_sha256
    story.do(c.RequestRewrite(Gate.SPEC, sha, (Comment("Shorter, please."),)))
    assert causes_of(story) == [SpendingCause.CHANGED]
    story.work(Step.SPEC, salt="second")
    assert causes_of(story) == [SpendingCause.CHANGED, SpendingCause.IN_USE]


def test_code_that_is_mended_is_waste_of_its_review():
    story = in_review().work(Step.SECURITY_REVIEW)
    story.do(start(story.feature, Step.CODE_REVIEW))
    failed = answer(story.feature, Step.CODE_REVIEW, verdict=Verdict.FAIL)
    story.do(replace(failed, faults=faulty("F-a"), reviewed_files=3, mending_rounds=2))
    assert isinstance(story.events[-1], e.MendingStarted)
    assert causes_of(story)[3:] == [SpendingCause.FAILED_REVIEW] * 3
    assert causes_of(story)[:3] == [SpendingCause.IN_USE] * 3


def test_an_undecided_review_alone_is_waste_when_it_alone_is_asked_again():
    story = in_review().work(Step.SECURITY_REVIEW)
    story.work(Step.CODE_REVIEW, verdict=Verdict.UNDECIDED).do(c.RetryFeature())
    assert causes_of(story)[3:] == [
        SpendingCause.IN_USE,
        SpendingCause.IN_USE,
        SpendingCause.FAILED_REVIEW,
    ]


def test_what_was_gone_back_from_is_a_change_and_in_use_when_gone_forward_to():
    story = at_gate(Gate.PLAN)
    plan, spec = story.feature.version, story.feature.content.spec.version
    story.do(c.ReplayFeature(spec))
    assert causes_of(story) == [SpendingCause.IN_USE, SpendingCause.CHANGED]
    story.do(c.ReplayFeature(plan))
    assert causes_of(story) == [SpendingCause.IN_USE, SpendingCause.IN_USE]


def test_what_was_delivered_stays_in_use():
    story = done().do(c.ReviseBrief("- lend more")).work(Step.SPEC, salt="second")
    assert causes_of(story) == [SpendingCause.IN_USE] * 7
    story.do(c.ReviseBrief("- lend even more"))
    assert causes_of(story) == [SpendingCause.IN_USE] * 6 + [SpendingCause.CHANGED]


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (c.StopWork(), SpendingCause.STOPPED),
        (c.ReplayFeature(1), SpendingCause.CHANGED),
        (c.DeleteFeature(), SpendingCause.CHANGED),
    ],
)
def test_a_late_answer_is_the_doing_of_what_made_it_late(
    end: c.FeatureCommand, cause: SpendingCause
):
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    attempt = attempt_of(story, Step.SPEC)
    story.do(end).do(c.DiscardRun(attempt, RUN, "lease_lost"))
    assert causes_of(story) == [cause]


def test_what_a_lost_worker_brings_late_is_ours():
    story = drafted().do(c.ConfirmBrief("- lend"))
    story.do(start(story.feature, Step.SPEC))
    lost = attempt_of(story, Step.SPEC)
    story.do(start(story.feature, Step.SPEC)).do(c.DiscardRun(lost, RUN, "superseded"))
    assert causes_of(story) == [SpendingCause.OURS, SpendingCause.OURS]


def test_a_deleted_feature_leaves_nothing_in_use():
    assert set(causes_of(done().do(c.DeleteFeature()))) == {SpendingCause.CHANGED}


@settings(max_examples=examples(120), deadline=None)
@forall(st.lists(MOVES, max_size=60), st.randoms(use_true_random=False))
def test_the_causes_of_any_life_partition_what_was_ever_used(moves, random):
    story, states = lived(moves)
    # Runs of any size, so that no two sums are equal by chance.
    told = [
        replace(event, run=Run(Tokens(*(random.randrange(10**6) for _ in range(4))), RUN.cost_usd))
        if getattr(event, "run", None) is not None
        else event
        for event in story.events
    ]
    found = folded(told).causes()
    spending = {n: event.run for n, event in enumerate(told, 1) if hasattr(event, "run")}
    assert found.keys() == spending.keys()
    by_cause: dict[SpendingCause, Tokens] = {}
    for version, cause in found.items():
        by_cause[cause] = by_cause.get(cause, Tokens()) + spending[version].tokens
    used = sum((run.tokens for run in spending.values()), Tokens())
    assert sum(by_cause.values(), Tokens()) == used
    assert SpendingCause.UNREAD not in by_cause
    for version in {n for n, cause in found.items() if cause is SpendingCause.IN_USE}:
        assert not isinstance(told[version - 1], e.AttemptFailed | e.RunDiscarded)
    standing = states[-1].content
    named = [standing.spec, standing.plan, standing.tests, standing.implementation, standing.advice]
    if not folded(told).deleted:
        for made in [*named, standing.security_review, standing.code_review]:
            if made is not None and made.version in found:
                assert found[made.version] is SpendingCause.IN_USE


@settings(max_examples=examples(60), deadline=None)
@forall(st.lists(MOVES, max_size=60))
def test_causes_are_the_same_from_what_is_not_sealed(moves):
    story, _ = lived(moves)
    decode = msgspec.json.Decoder(ClearPart).decode
    clear = Causes()
    for version, event in enumerate(story.events, 1):
        clear.add(version, type(event), decode(REGISTRY.encode(event).clear))
    assert clear.causes() == folded(story.events).causes()
