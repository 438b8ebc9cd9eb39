"""The decider by property: any sequence of commands leaves a log that tells one story."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.comments import Comment
from domain.decider import decide
from domain.errors import Refused, Superseded
from domain.feature import Feature, evolve, fold
from domain.lifecycle import APPROVED_AT, ENDED, GATES, LIFECYCLE, WORKING, target_of
from domain.pipeline import WRITING_AT, due_after, work_left
from domain.status import Gate, Status, Step, Verdict
from tests.examples import examples
from tests.given import (
    MESSAGE,
    PLAN,
    RUN,
    SPEC,
    TESTS,
    Story,
    answer,
    at_gate,
    faulty,
    start,
)

MOVES = st.tuples(st.integers(0, 19), st.integers(0, 10_000))
AT_GATES = st.tuples(
    st.sampled_from((1, 1, 3, 4, 4, 5, 6, 7, 8, 9, 10, 11, 14, 17, 18, 18, 18)),
    st.integers(0, 10_000),
)
"""Moves of who stands at a gate, more often than chance would have it."""
FORK = 19
WRITTEN = {Gate.SPEC: SPEC, Gate.PLAN: PLAN, Gate.TESTS: TESTS}
VERDICTS = (Verdict.PASS, Verdict.PASS, Verdict.UNDECIDED, Verdict.FAIL)


def command_for(
    move: int, pick: int, story: Story, late: list[c.FeatureCommand]
) -> c.FeatureCommand:
    """A command that is often legal: the dice decide what happens, the decider whether it may."""
    feature = story.feature
    due, running = sorted(feature.due), sorted(feature.running)
    shown = feature.content.deliverable(list(Gate)[pick % 3])
    match move:
        case 0:
            return c.CreateFeature("x")
        case 1:
            return c.PostMessage(MESSAGE, "hello")
        case 2:
            return c.ConfirmBrief(f"brief {pick}")
        case 3:
            return c.ReviseBrief(f"brief {pick}")
        case 4:
            sha = shown.content_sha256 if shown and pick % 7 else "0" * 64
            aside = feature.content.proposal if pick % 2 else None
            return c.Approve(list(Gate)[pick % 3], sha, proposal_put_aside=aside)
        case 5:
            return c.RetryFeature()
        case 6 if feature.checkpoints:
            return c.ReplayFeature(feature.checkpoints[pick % len(feature.checkpoints)].version)
        case 7 | 8 if due:
            return start(feature, due[pick % len(due)])
        case 9 | 10 if running:
            step = running[pick % len(running)]
            given_answer = answer(feature, step, verdict=VERDICTS[pick % len(VERDICTS)])
            if isinstance(given_answer, c.RecordReview):
                given_answer = with_faults(given_answer, pick)
            late.append(given_answer)
            return given_answer
        case 11 if running:
            step = running[pick % len(running)]
            return c.FailAttempt(
                feature.running[step], RUN, "overloaded", "Busy", "Wait", final=bool(pick % 2)
            )
        case 12 if late:
            return late[pick % len(late)]
        case 13 if pick % 40 == 0:
            return c.DeleteFeature()
        case 15 if pick % 3 == 0:
            return c.StopWork()
        case 15 | 16:
            return c.ResumeWork()
        case 14 if shown:
            said = Comment(f"comment {pick}", "FR-404" if pick % 5 == 0 else "")
            return c.RequestRewrite(list(Gate)[pick % 3], shown.content_sha256, (said,))
        case 17 if shown:
            gate, sha = list(Gate)[pick % 3], shown.content_sha256
            return c.RecordEdit(gate, sha, shown.version, WRITTEN[gate], f"# Mine {pick}")
        case 18 if Step.CONVERSE in running:
            attempt, markdown = feature.running[Step.CONVERSE], f"brief {pick % 3}"
            return c.RecordReply(attempt, RUN, MESSAGE, "So?", brief_markdown=markdown)
        case _:
            return c.RenameFeature("y")


def with_faults(said: c.RecordReview, pick: int) -> c.RecordReview:
    """A review under a limit of rounds; if it fails the code, for some of four faults."""
    names = [name for bit, name in enumerate(("F-a", "F-b", "F-c", "F-d")) if pick >> 4 & 1 << bit]
    places = (("src/server.ts",), (), ("src/server.ts",))
    faults = faulty(*names, paths=places[pick % 3]) if said.verdict is Verdict.FAIL else ()
    return replace(said, faults=faults, reviewed_files=3, mending_rounds=(2, 1, 0, None)[pick % 4])


def lived(moves: list[tuple[int, int]], begun: Story | None = None) -> tuple[Story, list[Feature]]:
    story = begun or Story()
    states = [fold(story.events[:n]) for n in range(len(story.events) + 1)]
    late: list[c.FeatureCommand] = []
    for move, pick in [(0, 0), *moves]:
        if move == FORK:
            # Life goes on in the fork; what was answered to its parent is none of its business.
            points = story.feature.checkpoints
            if points and story.feature.status is not Status.DELETED:
                story, late = story.fork(points[pick % len(points)].version), []
                states = [fold(story.events[:n]) for n in range(len(story.events) + 1)]
            continue
        before = len(story.events)
        try:
            story.do(command_for(move, pick, story, late))
        except Refused:
            assert len(story.events) == before
            continue
        states += [fold(story.events[: n + 1]) for n in range(before, len(story.events))]
    return story, states


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=60))
def test_any_sequence_of_commands_leaves_a_legal_log_that_folds_to_the_same_feature(moves):
    story, states = lived(moves)
    assert fold(story.events) == story.feature
    feature = Feature()
    for event, after in zip(story.events, states[1:], strict=True):
        row = LIFECYCLE[type(event)]
        assert feature.status in row.sources
        target = target_of(event)
        assert target is None or target in row.targets or not row.targets
        assert after.version == feature.version + 1
        assert after.status == (target or feature.status)
        assert after.epoch >= feature.epoch
        feature = after
    encoded = msgspec.json.encode(story.events)
    assert fold(msgspec.json.decode(encoded, type=list[e.FeatureEvent])) == story.feature


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80))
def test_content_after_a_replay_equals_content_at_its_target(moves):
    story, states = lived(moves)
    for n, event in enumerate(story.events):
        if not isinstance(event, e.FeatureReplayed):
            continue
        then, now = states[event.to_version].content, states[n + 1].content
        plain = {"conversation": (), "since": 1}
        assert replace(now, **plain) == replace(then, **plain)
        for version in range(1, n + 1):
            visible_then = version <= event.to_version and then.shows(version)
            assert now.shows(version) == visible_then


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80))
def test_going_back_appends_one_event_forgets_nothing_and_refuses_every_late_answer(moves):
    story, states = lived(moves)
    for n, event in enumerate(story.events):
        if not isinstance(event, e.FeatureReplayed):
            continue
        before, after = states[n], states[n + 1]
        assert decide(c.ReplayFeature(event.to_version), before) == (event,)
        assert after.recorded == before.recorded
        assert after.attempts == before.attempts
        assert after.checkpoints == before.checkpoints
        assert after.running == {}
        assert set(after.due) == set(event.resume)
        for step, attempt in before.running.items():
            with pytest.raises(Superseded):
                decide(answer(before, step), after)
            with pytest.raises(Superseded):
                decide(c.FailAttempt(attempt, RUN, "timeout", "-", "-", final=True), after)
        for step in after.due:
            (*_, started) = decide(start(after, step), after)
            assert started.attempt.number == before.attempts.get(step, 0) + 1


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80))
def test_no_approval_outlives_the_checkpoint_that_was_gone_back_to(moves):
    story, states = lived(moves)
    for n, event in enumerate(story.events):
        if isinstance(event, e.FeatureReplayed):
            given_then = [states[n + 1].content.approval(gate) for gate in Gate]
            assert all(a is None or a.version <= event.to_version for a in given_then)


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80))
def test_nothing_is_implemented_without_live_approvals_of_the_current_content(moves):
    story, states = lived(moves)
    for event, before in zip(story.events, states, strict=False):
        if isinstance(event, e.StepStarted) and event.attempt.step is Step.IMPLEMENT:
            content = before.content
            for gate in Gate:
                approval, shown = content.approval(gate), content.deliverable(gate)
                assert approval is not None
                assert shown is not None
                assert approval.content_sha256 == shown.content_sha256


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80))
def test_a_working_feature_always_has_the_steps_due_that_it_waits_for(moves):
    _, states = lived(moves)
    for feature in states:
        if feature.status in WORKING:
            assert set(work_left(feature.content)) <= {*feature.due, *feature.held}
        if feature.status in {Status.DONE, Status.FAILED, Status.DELETED}:
            assert not set(feature.due) - {Step.TITLE, Step.ALIGN_TESTS, Step.CONVERSE}
        if feature.status is Status.DELETED:
            assert Step.CONVERSE not in feature.due


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80))
def test_a_round_begins_where_an_ended_feature_is_changed_and_names_what_stood_then(moves):
    story, states = lived(moves)
    for event, before, after in zip(story.events, states, states[1:], strict=False):
        if isinstance(event, e.FeatureReplayed | e.FeatureRetried):
            assert after.content.rounds == event.restored.rounds
            continue
        ended = before.status in ENDED and isinstance(event, e.BriefRevised)
        assert after.content.round == before.content.round + ended
        if ended:
            last = after.content.rounds[-1]
            assert (last.ended, last.status) == (before.version, before.status)
    for feature in states:
        content = feature.content
        for one in content.rounds:
            then = states[one.ended].content
            assert then.status is one.status
        if content.base is not None:
            made = e.told(story.events[content.base - 1])
            assert isinstance(made, e.ImplementationCompleted)


@settings(max_examples=examples(150), deadline=None)
@forall(st.sampled_from(Gate), st.lists(AT_GATES, max_size=40))
def test_no_approval_leaves_out_a_proposal_without_naming_it(gate, moves):
    story, states = lived(moves, at_gate(gate))
    for event, before, after in zip(story.events, states, states[1:], strict=False):
        if type(event) in APPROVED_AT or isinstance(event, e.ApprovalRenewed):
            assert event.proposal_put_aside == before.content.proposal
            assert after.content.proposal is None
    for feature in states:
        proposal = feature.content.proposal
        if proposal is not None:
            reply = e.told(story.events[proposal - 1])
            assert isinstance(reply, e.AgentReplied)
            assert feature.content.shows(proposal)
            assert proposal > feature.content.brief.version


@settings(max_examples=examples(150), deadline=None)
@forall(st.sampled_from(Gate), st.lists(AT_GATES, max_size=40))
def test_a_rewrite_and_an_edit_leave_everything_but_their_document_as_it_was(gate, moves):
    story, states = lived(moves, at_gate(gate))
    for event, before, after in zip(story.events, states, states[1:], strict=False):
        if not isinstance(event, e.RewriteRequested | e.SpecEdited | e.PlanEdited | e.TestsEdited):
            continue
        was, is_now = before.content, after.content
        gates = [event.gate] if isinstance(event, e.RewriteRequested) else [
            gate for gate in Gate if was.deliverable(gate) != is_now.deliverable(gate)
        ]  # fmt: skip
        (gate,) = gates
        assert is_now.previous(gate) == was.deliverable(gate).version
        mine = {gate.value, f"previous_{gate}", "previous_brief", "status", "advice", "comments"}
        for name in {*was.__struct_fields__} - mine - {"checkpoint"}:
            assert getattr(is_now, name) == getattr(was, name), name
    for feature in states:
        content = feature.content
        if content.comments is not None:
            assert content.status in {*WRITING_AT.values(), Status.FAILED, Status.DELETED}
        if content.status in GATES:
            assert content.comments is None


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80))
def test_nobody_can_go_back_to_where_a_feature_had_failed(moves):
    _, states = lived(moves)
    assert all(c.content.status is not Status.FAILED for c in states[-1].checkpoints)


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80))
def test_rounds_of_mending_shrink_what_is_wrong_and_are_never_more_than_allowed(moves):
    story, states = lived(moves)
    for event, before, after in zip(story.events, states, states[1:], strict=False):
        if isinstance(event, e.MendingStarted):
            assert 1 <= event.round <= event.of
            assert event.files
            found = after.content.mending.found
            assert all(len(then) > len(now) for then, now in pairwise(found[-event.round :]))
            assert before.status is Status.FAILED
            assert set(after.due) & {Step.IMPLEMENT}
            assert after.content.implementation is None
        if isinstance(event, e.MendingStopped):
            assert after.status is Status.FAILED
            assert after.due == before.due


EVENTS = st.one_of(
    *(st.from_type(t) for t in (e.FeatureCreated, e.BriefConfirmed, e.StepStarted, e.SpecApproved)),
    st.from_type(e.VerdictReached),
    st.from_type(e.MendingStarted),
    st.from_type(e.MendingStopped),
    st.from_type(e.FeatureReplayed),
    st.from_type(e.AttemptFailed),
    st.from_type(e.StepAbandoned),
    st.from_type(e.FeatureFailed),
    st.from_type(e.RunDiscarded),
)


@settings(max_examples=examples(60), deadline=None)
@forall(st.lists(EVENTS, max_size=12))
def test_evolve_never_refuses(events):
    feature = Feature()
    for event in events:
        feature = evolve(feature, event)
    assert feature.version == len(events)


@settings(max_examples=examples(150), deadline=None)
@forall(st.lists(MOVES, max_size=80))
def test_while_work_is_stopped_nothing_is_due_and_resuming_makes_due_what_was(moves):
    story, states = lived(moves)
    stopped: set[Step] = set()
    for before, event, after in zip(states, story.events, states[1:], strict=False):
        if isinstance(event, e.WorkStopped):
            stopped = set(before.due)
            assert stopped, "there was something to stop"
            assert after.status == before.status
            for step, attempt in before.running.items():
                with pytest.raises(Superseded):
                    decide(answer(before, step), after)
                assert attempt not in after.running.values()
        if isinstance(event, e.WorkResumed):
            assert set(after.due) == stopped - ({Step.TITLE} if before.titled else set())
            assert set(after.due.values()) <= {after.version}
        if after.stopped:
            assert (after.due, after.running) == ({}, {})
            assert not due_after(event, after.content.mode)
        else:
            assert after.held == ()
