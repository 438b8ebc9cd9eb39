"""A wish that the conversation at a gate holds as a proposed brief is never lost by approving."""

from uuid import UUID

import pytest

from domain import commands as c
from domain import documents as d
from domain import events as e
from domain.errors import ProposalPending
from domain.feature import fold
from domain.status import Gate, Status, Step
from tests.given import MESSAGE, RUN, Story, approve, at_gate, attempt_of, given, start

BRIEF = d.Brief("Tools", "lend", ("neighbours",), (d.Point("BF-1", "lend"),))
CHANGED = "- BF-1 lend tools\n- BF-2 print a list"


def proposed(story: Story, markdown: str = CHANGED) -> Story:
    story.do(c.PostMessage(MESSAGE, "and a list")).do(start(story.feature, Step.CONVERSE))
    attempt = attempt_of(story, Step.CONVERSE)
    reply = c.RecordReply(attempt, RUN, UUID(int=9), "So?", brief=BRIEF, brief_markdown=markdown)
    return story.do(reply)


def put_aside(story: Story, gate: Gate) -> c.Approve:
    shown, version = story.feature.content.deliverable(gate), story.feature.content.proposal
    assert shown is not None
    return c.Approve(gate, shown.content_sha256, proposal_put_aside=version)


@pytest.mark.parametrize("gate", Gate)
def test_approving_with_a_pending_proposal_is_refused_and_the_refusal_names_it(gate: Gate) -> None:
    story = proposed(at_gate(gate))
    refusal = given(story).when(approve(story.feature, gate)).refused(ProposalPending)
    assert refusal.version == story.feature.version  # type: ignore[attr-defined]
    assert str(story.feature.version) in str(refusal)


@pytest.mark.parametrize("gate", Gate)
def test_an_approval_without_it_says_what_was_put_aside(gate: Gate) -> None:
    story = proposed(at_gate(gate))
    version = story.feature.version
    story.do(put_aside(story, gate))
    assert story.events[-1].proposal_put_aside == version  # type: ignore[union-attr]
    assert story.feature.content.proposal is None


def test_putting_an_older_proposal_aside_leaves_the_newer_one_pending() -> None:
    story = proposed(at_gate(Gate.SPEC))
    earlier = put_aside(story, Gate.SPEC)
    proposed(story, CHANGED + "\n- BF-3 call")
    refusal = given(story).when(earlier).refused(ProposalPending)
    assert refusal.version == story.feature.version  # type: ignore[attr-defined]


def test_revising_takes_it() -> None:
    story = proposed(at_gate(Gate.SPEC)).do(c.ReviseBrief(CHANGED)).work(Step.SPEC, salt="again")
    assert story.feature.content.proposal is None
    assert story.approve(Gate.SPEC).feature.status is Status.SPEC_APPROVED


def test_proposing_what_is_confirmed_already_takes_the_proposal_back() -> None:
    story = proposed(at_gate(Gate.SPEC))
    proposed(story, "- BF-1 lend tools")
    assert story.approve(Gate.SPEC).feature.status is Status.SPEC_APPROVED


def test_a_proposal_while_drafting_is_what_gets_confirmed() -> None:
    story = Story().do(c.CreateFeature("x"))
    proposed(story).do(c.ConfirmBrief("- BF-1 lend")).work(Step.SPEC)
    assert story.approve(Gate.SPEC).feature.status is Status.SPEC_APPROVED


def test_nothing_pending_leaves_nothing_to_put_aside() -> None:
    story = at_gate(Gate.SPEC)
    shown = story.feature.content.spec
    assert shown is not None
    story.do(c.Approve(Gate.SPEC, shown.content_sha256, proposal_put_aside=3))
    assert story.events[-1].proposal_put_aside is None  # type: ignore[union-attr]


def test_going_back_before_it_hides_it_and_going_back_to_it_brings_it_again() -> None:
    story = at_gate(Gate.SPEC)
    gate = story.feature.version
    version = proposed(story).feature.version
    story.do(c.ReplayFeature(gate))
    assert story.feature.content.proposal is None
    story.do(c.ReplayFeature(version))
    given(story).when(approve(story.feature, Gate.SPEC)).refused(ProposalPending)


def test_a_fork_asks_again_for_it_inherits_no_approval() -> None:
    story = proposed(at_gate(Gate.SPEC))
    fork = story.fork(story.feature.version)
    refusal = given(fork).when(approve(fork.feature, Gate.SPEC)).refused(ProposalPending)
    carried = fork.events[refusal.version - 1]  # type: ignore[attr-defined]
    assert isinstance(carried, e.PartCarried)
    assert isinstance(carried.event, e.AgentReplied)
    fork.do(put_aside(fork, Gate.SPEC))
    assert fork.feature.status is Status.SPEC_APPROVED


def test_a_retry_keeps_what_was_proposed_after_the_failure() -> None:
    story = at_gate(Gate.SPEC).approve(Gate.SPEC)
    story.do(start(story.feature, Step.PLAN))
    attempt = attempt_of(story, Step.PLAN)
    story.do(c.FailAttempt(attempt, RUN, "no_result", "It stopped.", "Again.", final=True))
    proposed(story).do(c.RetryFeature()).work(Step.PLAN)
    given(story).when(approve(story.feature, Gate.PLAN)).refused(ProposalPending)
    assert fold(story.events) == story.feature
