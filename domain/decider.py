"""What may happen next: a command and the feature in, the events it causes out, or a refusal.

Legality by status is the lifecycle table's; here stand only the rules that need more than a status:
late answers, changed content, checkpoints, and the verdict.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from hashlib import sha256
from operator import sub
from typing import Any, Final

from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.content import Content, Deliverable, Span, sha256_of
from domain.errors import (
    ContentChanged,
    EmptyBrief,
    NoSuchCheckpoint,
    NotFound,
    NothingChanged,
    NotNow,
    ProposalPending,
    Superseded,
    UnknownParts,
)
from domain.feature import LAST_GATE, Feature
from domain.lifecycle import DOCUMENTS, GATE_STATUS, LIFECYCLE, SETS_TO_WORK
from domain.mending import FoundFaults, earliest_stage, marks, may_change, stop_reason, together
from domain.parts import parts_of
from domain.pipeline import ANSWER_OF, DISPENSABLE, RESULT_OF, REVIEWS, work_left
from domain.reading import Reading, reading_of
from domain.runs import Attempt, Tokens
from domain.status import Gate, Recommendation, Status, Step, Verdict


def decide(
    command: c.FeatureCommand,
    feature: Feature,
    reading: Reading | None = None,
    shown: e.FeatureEvent | None = None,
) -> tuple[e.FeatureEvent, ...]:
    """Answer a command with the events it causes.

    Args:
        command: What is asked for.
        feature: The feature as it is.
        reading: What is understood of the command's brief, if somebody read it already.
        shown: The event of the document at the gate, where the command is about parts of it.

    Raises:
        Refused: with the reason a person reads; nothing is recorded.
    """
    _exists(command, feature)
    events = _answer(command, feature, reading, shown)
    status = feature.status
    first = events[0]
    if status not in LIFECYCLE[type(first)].sources:
        raise NotNow(status=status)
    if feature.stopped and not isinstance(command, c.ResumeWork | c.ReplayFeature):
        _sets_nothing_to_work(events, feature)
    return events


def _sets_nothing_to_work(events: tuple[e.FeatureEvent, ...], feature: Feature) -> None:
    """While work is stopped, nothing becomes due but by going on or going back."""
    if any(type(event) in SETS_TO_WORK for event in events):
        raise NotNow("Work is stopped. Resume it first.", feature.status, stopped=True)


def _exists(command: c.FeatureCommand, feature: Feature) -> None:
    if isinstance(command, c.CreateFeature):
        return
    gone = feature.status is Status.DELETED and not isinstance(command, c.DiscardRun)
    if feature.status is None or gone:
        raise NotFound


def _answer(
    command: c.FeatureCommand,
    feature: Feature,
    reading: Reading | None,
    shown: e.FeatureEvent | None,
) -> tuple[e.FeatureEvent, ...]:
    match command:
        case c.CreateFeature(title):
            return (e.FeatureCreated(title),)
        case c.RenameFeature(title):
            return (e.FeatureRenamed(title),)
        case c.DeleteFeature():
            return (e.FeatureDeleted(),)
        case c.PostMessage(message_id, text):
            if Step.CONVERSE in feature.due:
                raise NotNow(
                    "The assistant is still answering. Wait for its reply.", feature.status
                )
            return (e.MessagePosted(message_id, text),)
        case c.ConfirmBrief():
            return (e.BriefConfirmed(**_read(command, feature, reading)),)
        case c.ReviseBrief():
            return (e.BriefRevised(**_read(command, feature, reading), mode=feature.content.mode),)
        case c.Approve():
            return (_approved(command, feature),)
        case c.RequestRewrite():
            return (_rewrite(command, feature, shown),)
        case c.RecordEdit():
            return (_edited(command, feature),)
        case c.RetryFeature():
            return (_retried(feature),)
        case c.ReplayFeature(version):
            return (_replayed(version, feature),)
        case c.StopWork(reason):
            return (_stopped(reason, feature),)
        case c.ResumeWork():
            return (_resumed(feature),)
        case c.StartStep():
            return _started(command, feature)
        case c.GiveUp():
            return _given_up(command, feature)
        case c.DiscardRun():
            return (_discarded(command, feature),)
        case c.FailAttempt():
            return _failed(command, feature)
        case _:
            return _recorded(command, feature)


def _read(
    command: c.ConfirmBrief | c.ReviseBrief, feature: Feature, reading: Reading | None
) -> dict[str, Any]:
    """What both events of a brief say. Raises EmptyBrief."""
    reading = reading or reading_of(command.brief, frozenset(command.wanted))
    if not reading.points:
        raise EmptyBrief
    return {
        "brief": command.brief,
        "content_sha256": sha256_of(command.brief),
        "epoch": feature.epoch + 1,
        "reading": reading,
        "wanted": command.wanted,
    }


def _approved(command: c.Approve, feature: Feature) -> e.FeatureEvent:
    here, _ = _at_gate(command, feature, "approved")
    proposal = feature.content.proposal
    if proposal is not None and proposal != command.proposal_put_aside:
        raise ProposalPending(proposal)
    if command.gate is not here:
        return e.ApprovalRenewed(command.gate, command.content_sha256, command.note, proposal)
    advice = feature.content.advice
    advised = advice.recommendation if advice and advice.gate is command.gate else None
    return DOCUMENTS[command.gate].approved(
        content_sha256=command.content_sha256,
        recommendation=advised,
        override=advised is Recommendation.REVISE,
        note=command.note,
        proposal_put_aside=proposal,
    )


def _at_gate(
    command: c.Approve | c.RequestRewrite | c.RecordEdit, feature: Feature, done: str
) -> tuple[Gate, Deliverable]:
    """Where the feature stands, and what a person decides on. Raises NotNow, ContentChanged."""
    here = GATE_STATUS.get(feature.status) if feature.status else None
    awaited = feature.content.awaiting(here) if here else ()
    if here is None or command.gate not in awaited:
        raise NotNow(
            f"The {command.gate} cannot be {done} while the feature is {feature.status}.",
            feature.status,
        )
    shown = feature.content.deliverable(command.gate)
    if shown is None or shown.content_sha256 != command.content_sha256:
        raise ContentChanged(shown.content_sha256 if shown else None)
    if command.gate is not awaited[0]:
        raise NotNow(
            f"A fork inherits no approval: approve the {awaited[0]} first, then the rest in order.",
            feature.status,
        )
    if command.gate is not here and not isinstance(command, c.Approve):
        raise NotNow(
            f"Only the {here} can be {done} here. To change the {command.gate}, go back to its "
            "gate, or revise the brief.",
            feature.status,
        )
    return here, shown


def _rewrite(
    command: c.RequestRewrite, feature: Feature, shown: e.FeatureEvent | None
) -> e.RewriteRequested:
    _at_gate(command, feature, "written anew")
    document = getattr(shown, "document", None)
    known = parts_of(document) if document is not None else {}
    targets = dict.fromkeys(one.target for one in command.comments if one.target)
    unknown = tuple(name for name in targets if name not in known)
    if unknown:
        raise UnknownParts(unknown)
    return e.RewriteRequested(
        command.gate,
        command.content_sha256,
        command.comments,
        feature.epoch + 1,
        resume=(Step(command.gate.value),),
    )


def _edited(command: c.RecordEdit, feature: Feature) -> e.FeatureEvent:
    _, shown = _at_gate(command, feature, "edited")
    sha = sha256_of(command.markdown)
    if shown.version != command.based_on:
        raise ContentChanged(shown.content_sha256)
    if sha == shown.content_sha256:
        raise NothingChanged
    document: Any = command.document
    return DOCUMENTS[command.gate].edited(document, command.markdown, sha, shown.content_sha256)


def _retried(feature: Feature) -> e.FeatureRetried:
    content = feature.content
    to_version = content.checkpoint
    approval = content.approval(LAST_GATE)
    verdicts = _verdicts(content)
    mending = None
    if approval and len(verdicts) == len(REVIEWS) and _worst(verdicts) is Verdict.FAIL:
        # The reviews found fault with the code: the code is written again, with their findings.
        # Rounds are counted anew, for a person decided; what is frozen stays so.
        to_version = approval.version
        mending = replace(content.mending, round=0) if content.mending else None
    target = feature.checkpoint_at(to_version)
    if feature.status is not Status.FAILED or target is None:
        raise NotNow(status=feature.status)
    restored = replace(
        target.content,
        rework=content.rework,
        conversation=_heard(feature),
        proposal=content.proposal,
    )
    if mending:
        restored = replace(restored, mending=mending)
    restored = _with_what_is_left(restored, feature)
    if restored.status is Status.REVIEW:
        # Of the same code: only the review that came to no verdict is asked for again.
        passed = {step: review for step in REVIEWS if (review := content.review(step))}
        for step, review in passed.items():
            if review.verdict is Verdict.PASS:
                restored = restored.with_review(step, review)
    return e.FeatureRetried(to_version, feature.epoch + 1, restored, work_left(restored))


def _replayed(version: int, feature: Feature) -> e.FeatureReplayed:
    target = feature.checkpoint_at(version)
    if target is None:
        raise NoSuchCheckpoint
    restored = _with_what_is_left(_restored(target.content, version), feature)
    return e.FeatureReplayed(version, feature.epoch + 1, restored, work_left(restored))


def _stopped(reason: str, feature: Feature) -> e.WorkStopped:
    if feature.stopped:
        raise NotNow("Work is stopped already. Resume it to go on.", feature.status, stopped=True)
    if not feature.due:
        raise NotNow("No agent is at work: there is nothing to stop.", feature.status)
    return e.WorkStopped(feature.epoch + 1, tuple(feature.due), reason)


def _resumed(feature: Feature) -> e.WorkResumed:
    if not feature.stopped:
        raise NotNow(
            "Work is not stopped: there is nothing to resume.",
            feature.status,
            due=bool(feature.due),
        )
    accepted = _with_what_is_left(feature.content, feature).accepted
    return e.WorkResumed(feature.held, accepted)


def _heard(feature: Feature) -> tuple[Span, ...]:
    """All that is visible now: who tries again goes on, and has not taken back what they said."""
    content = feature.content
    return (*content.conversation, Span(content.since, feature.version))


def _restored(content: Content, version: int) -> Content:
    """The content with its visible conversation closed at the checkpoint."""
    return replace(content, conversation=(*content.conversation, Span(content.since, version)))


def _with_what_is_left(content: Content, feature: Feature) -> Content:
    """With the files of a failed attempt, if the code is still to be written for the same tests."""
    approval, left = content.approval(LAST_GATE), feature.left
    wanted = left and approval and approval.version == left.approval and not content.implementation
    return replace(content, accepted=left.version if left and wanted else None)


def _started(command: c.StartStep, feature: Feature) -> tuple[e.FeatureEvent, ...]:
    if feature.due.get(command.step) != command.due_since:
        raise Superseded
    number = feature.attempts.get(command.step, 0) + 1
    attempt = Attempt(command.step, feature.epoch, number)
    started = e.StepStarted(attempt, command.agent, command.task_id, command.manifest)
    lost = feature.running.get(command.step)
    if lost is None:
        return (started,)
    reason = "The program that worked on this was lost. The step goes on by itself."
    left = reduce(sub, feature.used.get(lost.name, ()), command.lost)
    return (e.AttemptFailed(lost, "outcome_unknown", reason, left, retried=True), started)


def _current(attempt: Attempt, feature: Feature) -> None:
    if feature.running.get(attempt.step) != attempt:
        raise Superseded


def _failed(command: c.FailAttempt, feature: Feature) -> tuple[e.FeatureEvent, ...]:
    _current(command.attempt, feature)
    failed = e.AttemptFailed(
        command.attempt,
        command.code,
        command.reason,
        command.run,
        retried=not command.final,
        retry_after_seconds=0.0 if command.final else command.retry_after_seconds,
        files=command.files,
    )
    if not command.final:
        return (failed,)
    step = command.attempt.step
    return (failed, _ending(step, feature, command.code, command.reason, command.advice))


def _discarded(command: c.DiscardRun, feature: Feature) -> e.RunDiscarded:
    """What a late answer used, less what the log says of its attempt already."""
    known = feature.used.get(command.attempt.name, ())
    left = reduce(sub, known, command.run)
    if known and not (left.turns or left.tokens != Tokens()):
        raise Superseded
    return e.RunDiscarded(command.attempt, command.code, left, _still_wanted(command, feature))


def _still_wanted(command: c.DiscardRun, feature: Feature) -> tuple[e.FileWritten, ...]:
    """The files of an attempt that a stop cut off, if the code is still written for the same tests.

    Nobody else's: what was replaced is not gone on from.
    """
    step = command.attempt.step
    cut = feature.cut.get(step) == command.attempt and step not in feature.running
    return command.files if cut and not feature.content.implementation else ()


def _given_up(command: c.GiveUp, feature: Feature) -> tuple[e.FeatureEvent, ...]:
    if feature.due.get(command.step) != command.due_since:
        raise Superseded
    return (_ending(command.step, feature, command.code, command.reason, command.advice),)


def _ending(step: Step, feature: Feature, code: str, reason: str, advice: str) -> e.FeatureEvent:
    if step in DISPENSABLE:
        return e.StepAbandoned(step, feature.epoch, code, reason)
    return e.FeatureFailed(step, feature.epoch, code, reason, advice)


def _recorded(command: c.AgentAnswer, feature: Feature) -> tuple[e.FeatureEvent, ...]:
    _current(command.attempt, feature)
    match command:
        case c.RecordTitle():
            if feature.titled:
                raise Superseded
            return (_result(command),)
        case c.RecordRecommendation(gate=gate, content_sha256=sha, document=document):
            shown = feature.content.deliverable(gate)
            if shown is None or shown.content_sha256 != sha:
                raise Superseded
            return (_result(command, recommendation=document.recommendation),)
        case c.RecordImplementation(files=files):
            return (_result(command, content_sha256=implementation_sha256(files)),)
        case c.RecordReview():
            return (_result(command), *_verdict(command, feature))
        case _:
            return (_result(command),)


def _result(command: c.AgentAnswer, **computed: object) -> e.FeatureEvent:
    """The event that records an answer: the command's fields, and what code adds to them.

    Raises:
        TypeError: the answer is none to the step of its attempt.
    """
    step = command.attempt.step
    if type(command) is not ANSWER_OF[step]:
        raise TypeError(f"{type(command).__name__} is no answer of the step {step}")
    kind: Any = RESULT_OF[step]
    names = (name for name in command.__struct_fields__ if name not in NOT_RECORDED)
    given = {name: getattr(command, name) for name in names}
    if "content_sha256" in kind.__struct_fields__ and "markdown" in given:
        given["content_sha256"] = sha256_of(given["markdown"])
    return kind(**given, **computed)  # type: ignore[no-any-return]  # Held by `test_steps.py`.


def _verdict(command: c.RecordReview, feature: Feature) -> tuple[e.FeatureEvent, ...]:
    """The verdict over all reviews, with the last of them, and whether code is mended after it."""
    verdicts = {**_verdicts(feature.content), command.attempt.step: command.verdict}
    if len(verdicts) < len(REVIEWS):
        return ()
    each = {str(step): verdict for step, verdict in verdicts.items()}
    reached = e.VerdictReached(_worst(verdicts), **each)
    if reached.verdict is Verdict.PASS or command.mending_rounds is None:
        return (reached,)
    return (reached, _mending(command, feature, reached.verdict, command.mending_rounds))


def _mending(
    command: c.RecordReview, feature: Feature, verdict: Verdict, allowed: int
) -> e.MendingStarted | e.MendingStopped:
    before = feature.content.mending
    rounds = before.round if before else 0
    last = FoundFaults(command.faults, command.beside, command.reviewed_files)
    found = together([*feature.found.values(), last])
    files = may_change(found)
    frozen = max(0, found.files - len(files)) if files else 0
    past = before.found if before else ()
    reason = stop_reason(verdict, found, past, rounds=rounds, allowed=allowed)
    if reason is None:
        cost = _cost_again(command, feature)
        return e.MendingStarted(
            feature.epoch, rounds + 1, allowed, files, frozen, marks(found), cost
        )
    stage = earliest_stage(found)
    return e.MendingStopped(
        feature.epoch, reason, rounds, allowed, stage, files, frozen, marks(found)
    )


def _cost_again(command: c.RecordReview, feature: Feature) -> Decimal | None:
    """What the code that stands cost to write and to review."""
    names = (
        f"{step}:{feature.attempts.get(step, 0)}"
        for step in (Step.IMPLEMENT, *REVIEWS)
        if step is not command.attempt.step
    )
    runs = [command.run, *(run for name in names for run in feature.used.get(name, ()))]
    if not all(run.turns for run in runs):
        return None
    return sum((run.cost_usd for run in runs), Decimal(0))


def _verdicts(content: Content) -> Mapping[Step, Verdict]:
    """The verdict of each review that is in."""
    made = {step: content.review(step) for step in REVIEWS}
    return {step: review.verdict for step, review in made.items() if review}


def _worst(verdicts: Mapping[Step, Verdict]) -> Verdict:
    """Of all reviews: a fault outweighs a doubt, a doubt outweighs a yes."""
    order = (Verdict.FAIL, Verdict.UNDECIDED, Verdict.PASS)
    return min(verdicts.values(), key=order.index)


NOT_RECORDED: Final = frozenset({"mending_rounds"})
"""Fields of answers that decide, and stand in no result."""


def implementation_sha256(files: tuple[e.FileWritten, ...]) -> str:
    """The hash of an implementation: its files by path and content, in the order of their paths."""
    digest = sha256()
    for file in sorted(files, key=lambda f: f.path):
        digest.update(f"{len(file.path.encode())}:{file.path}{file.sha256}".encode())
    return digest.hexdigest()
