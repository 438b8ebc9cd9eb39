"""Code that failed its reviews is mended by itself, within bounds that an auditor can read."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from domain import commands as c
from domain import events as e
from domain.content import Deliverable
from domain.documents import ReturnStage, Severity
from domain.feature import fold
from domain.mending import (
    CodeFault,
    FoundFaults,
    StopReason,
    is_progress,
    marks,
    may_change,
    stop_reason,
)
from domain.status import Gate, Status, Step, Verdict
from tests.given import RUN, Story, answer, failing, faulty, in_review, start

NAMES = st.sets(st.sampled_from(["F-1", "F-2", "F-3", "F-4"]), min_size=1)
SEVERITIES = st.sampled_from(Severity)
FAULTS = st.dictionaries(st.sampled_from(["F-1", "F-2", "F-3", "F-4"]), SEVERITIES, min_size=1)


def found(named: dict[str, Severity]) -> FoundFaults:
    return FoundFaults(
        tuple(CodeFault(name, how, "Wrong.", ("a.ts",)) for name, how in named.items())
    )


def last(story: Story) -> e.FeatureEvent:
    return story.events[-1]


def again(story: Story, *names: str, **more) -> Story:
    """A round of mending, and what its reviews find."""
    return story.work(Step.IMPLEMENT).reviewed(*names, **more)


def test_a_failed_review_begins_a_round_that_names_what_may_change_and_about_what_it_costs():
    story = in_review().reviewed("F-1", "F-2")
    verdict, begun = story.events[-2:]
    assert verdict.verdict is Verdict.FAIL
    assert begun == e.MendingStarted(
        epoch=1,
        round=1,
        of=2,
        files=("src/server.ts",),
        frozen=1,
        faults=("high F-1", "high F-2"),
        cost_usd=3 * RUN.cost_usd,
    )
    feature = story.feature
    assert (feature.status, feature.epoch) == (Status.IMPLEMENTING, 1)
    assert feature.due[Step.IMPLEMENT] == feature.version
    assert feature.content.rework.code_review == feature.version - 2
    assert feature.content.approves(Gate.TESTS)
    assert again(story).feature.status is Status.DONE


def test_what_both_reviews_name_may_change_and_what_hangs_on_it():
    story = in_review()
    for step, path, beside in (
        (Step.SECURITY_REVIEW, "a.ts", ("c.ts",)),
        (Step.CODE_REVIEW, "b.ts", ("d.ts",)),
    ):
        story.do(start(story.feature, step))
        said = failing(story.feature, step, faulty("F-1", path=path))
        story.do(msgspec.structs.replace(said, beside=beside))
    assert last(story).files == ("a.ts", "b.ts", "c.ts", "d.ts")
    assert len(last(story).faults) == 1


def test_at_most_so_many_rounds_begin_without_a_person():
    story = in_review().reviewed("F-1", "F-2", "F-3")
    again(again(story, "F-1", "F-2"), "F-1")
    assert last(story) == e.MendingStopped(
        epoch=1,
        why=StopReason.LIMIT_REACHED,
        round=2,
        of=2,
        stage=ReturnStage.IMPLEMENT,
        files=("src/server.ts",),
        frozen=1,
        faults=("high F-1",),
    )
    assert story.feature.status is Status.FAILED
    assert set(story.feature.due) <= {Step.TITLE}


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (("F-1", "F-2"), "the same"),
        (("F-1", "F-2", "F-3"), "more"),
        (("F-1", "F-3"), "one is mended and another broken"),
        (("F-3", "F-4"), "others, as many"),
    ],
)
def test_a_round_without_progress_is_the_last(second, why):
    story = again(in_review().reviewed("F-1", "F-2"), *second)
    assert last(story).why is StopReason.NO_PROGRESS, why
    assert (last(story).round, last(story).of) == (1, 2)


def test_what_was_gone_and_is_back_is_no_progress():
    story = in_review().reviewed("F-1", "F-2", "F-3", rounds=5)
    again(story, "F-2", "F-3", rounds=5)
    assert isinstance(last(story), e.MendingStarted)
    again(story, "F-1", rounds=5)
    assert last(story).why is StopReason.NO_PROGRESS


def test_fewer_faults_of_which_one_is_graver_are_no_progress():
    story = in_review().reviewed("F-1", "F-2", "F-3")
    again(story, "F-4", severity=Severity.CRITICAL)
    assert last(story).why is StopReason.NO_PROGRESS


@pytest.mark.parametrize(
    ("more", "rounds", "reason"),
    [
        ({"stage": ReturnStage.TESTS}, 2, StopReason.EARLIER_STAGE),
        ({"paths": ()}, 2, StopReason.NOTHING_NAMED),
        ({}, 0, StopReason.OFF),
    ],
)
def test_what_code_cannot_mend_and_what_is_not_allowed_is_left_to_a_person(more, rounds, reason):
    story = in_review().reviewed("F-1", rounds=rounds, **more)
    assert last(story).why is reason
    assert last(story).stage is more.get("stage", ReturnStage.IMPLEMENT)
    assert story.feature.status is Status.FAILED


def test_an_undecided_verdict_begins_no_round_and_its_retry_asks_for_the_review_alone():
    story = in_review().work(Step.SECURITY_REVIEW)
    story.do(start(story.feature, Step.CODE_REVIEW))
    said = answer(story.feature, Step.CODE_REVIEW, verdict=Verdict.UNDECIDED)
    story.do(msgspec.structs.replace(said, mending_rounds=2))
    assert last(story).why is StopReason.UNDECIDED
    assert story.do(c.RetryFeature()).feature.due == {Step.CODE_REVIEW: story.feature.version}


def test_a_retry_by_hand_keeps_the_freeze_and_counts_rounds_anew():
    story = again(in_review().reviewed("F-1"), "F-1")
    stopped = story.feature.version
    story.do(c.RetryFeature())
    content = story.feature.content
    assert (content.mending.version, content.mending.round) == (stopped, 0)
    assert content.status is Status.TESTS_APPROVED
    assert [one.code_review for one in content.mending.reviews][-1] == content.rework.code_review
    assert len(content.mending.reviews) == 2
    again(story, "F-1")
    assert last(story).why is StopReason.NO_PROGRESS, "a person does not make it progress"
    assert again(story.do(c.RetryFeature())).feature.status is Status.DONE


def test_a_revised_brief_forgets_what_was_mended():
    story = in_review().reviewed("F-1", rounds=0).do(c.ReviseBrief("- BF-1 lend less"))
    assert story.feature.content.mending is None
    assert story.feature.content.rework is not None


def test_the_implementer_that_gives_up_in_a_round_is_tried_again_under_the_same_freeze():
    story = in_review().reviewed("F-1")
    begun = story.feature
    story.do(start(story.feature, Step.IMPLEMENT))
    attempt = story.feature.running[Step.IMPLEMENT]
    story.do(
        c.FailAttempt(attempt, RUN, "outside_the_freeze", "It wants more.", "Go back.", final=True)
    )
    assert story.feature.status is Status.FAILED
    story.do(c.RetryFeature())
    assert story.feature.content.mending == begun.content.mending
    assert story.feature.content.rework == begun.content.rework
    assert set(story.feature.due) == {Step.IMPLEMENT}


def test_going_back_into_a_round_is_the_round_again_and_before_it_there_was_none():
    story = in_review()
    reviewing = story.feature.version
    begun = story.reviewed("F-1").feature
    again(story)
    story.do(c.ReplayFeature(begun.version))
    content = story.feature.content
    assert (content.mending, content.rework) == (begun.content.mending, begun.content.rework)
    assert (content.implementation, content.status) == (None, Status.IMPLEMENTING)
    assert set(story.feature.due) == {Step.IMPLEMENT}
    story.do(c.ReplayFeature(reviewing))
    assert story.feature.content.mending is None
    assert isinstance(story.feature.content.implementation, Deliverable)


def test_a_fork_from_a_round_takes_the_findings_along_and_stands_at_its_gate():
    story = in_review().reviewed("F-1")
    fork = story.fork(story.feature.version)
    assert fork.feature.status is Status.TESTS_READY
    assert fork.feature.content.rework is not None
    assert fork.feature.content.mending is None


def test_a_lost_worker_in_a_round_leaves_the_round_as_it_was():
    story = in_review().reviewed("F-1")
    before = story.feature.content
    story.do(start(story.feature, Step.IMPLEMENT)).do(start(story.feature, Step.IMPLEMENT))
    assert story.feature.content == before
    assert fold(msgspec.json.decode(msgspec.json.encode(story.events), type=list[e.FeatureEvent]))
    assert again(story).feature.status is Status.DONE


def test_an_old_log_has_no_rounds_and_its_retry_no_freeze():
    story = in_review().reviewed("F-1", rounds=None)
    assert isinstance(last(story), e.VerdictReached)
    assert story.do(c.RetryFeature()).feature.content.mending is None


def test_without_a_known_cost_none_is_announced():
    story = in_review()
    free = msgspec.structs.replace(RUN, turns=0, cost_usd=Decimal(0))
    story.work(Step.SECURITY_REVIEW).do(start(story.feature, Step.CODE_REVIEW))
    said = failing(story.feature, Step.CODE_REVIEW, faulty("F-1"))
    story.do(msgspec.structs.replace(said, run=free))
    assert last(story).cost_usd is None


@forall(st.lists(FAULTS, min_size=1, max_size=8), st.integers(0, 4))
def test_however_reviews_come_out_rounds_are_bounded_and_each_leaves_fewer(reviews, allowed):
    before: list[tuple[str, ...]] = []
    rounds = 0
    for named in reviews:
        now = found(named)
        reason = stop_reason(Verdict.FAIL, now, before, rounds=rounds, allowed=allowed)
        if reason is not None:
            break
        if before:
            assert len(marks(now)) < len(before[-1])
        before.append(marks(now))
        rounds += 1
    assert rounds <= allowed


@forall(FAULTS, st.sampled_from([Verdict.UNDECIDED, Verdict.PASS]))
def test_no_other_verdict_begins_a_round(named, verdict):
    assert stop_reason(verdict, found(named), (), rounds=0, allowed=9) is StopReason.UNDECIDED


@forall(st.lists(NAMES, min_size=2, max_size=6))
def test_no_sequence_of_rounds_comes_back_to_a_fault_that_was_gone(sets):
    told = [tuple(f"high {name}" for name in sorted(one)) for one in sets]
    *before, now = told
    gone = {name for past in before[:-1] for name in past} - set(before[-1])
    assert not (is_progress(now, before) and gone & set(now))


def test_nothing_is_frozen_where_nothing_is_named():
    assert may_change(FoundFaults((), ("a.ts",), 3)) == ()
