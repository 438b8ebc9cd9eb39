"""What may happen next: a command and the feature in, the events it causes out, or a refusal.

Legality by status is the lifecycle table's; here stand only the rules that need more than a status:
late answers, changed content, checkpoints, and the verdict.
"""

from functools import reduce
from hashlib import sha256
from operator import sub
from typing import assert_never

from msgspec.structs import replace

from domain import commands as c
from domain import events as e
from domain.content import Content, Span, sha256_of
from domain.errors import ContentChanged, NoSuchCheckpoint, NotFound, NotNow, Superseded
from domain.feature import GATE_STATUS, Feature
from domain.lifecycle import APPROVED_BY, LIFECYCLE
from domain.pipeline import DISPENSABLE, work_left
from domain.runs import Attempt, Tokens
from domain.status import Recommendation, Status, Step, Verdict


def decide(command: c.FeatureCommand, feature: Feature) -> tuple[e.FeatureEvent, ...]:
    """Answer a command with the events it causes.

    Raises:
        Refused: with the reason a person reads; nothing is recorded.
    """
    _exists(command, feature)
    events = _answer(command, feature)
    status = feature.status
    first = events[0]
    if status not in LIFECYCLE[type(first)].sources:
        raise NotNow(status=status)
    return events


def _exists(command: c.FeatureCommand, feature: Feature) -> None:
    if isinstance(command, c.CreateFeature):
        return
    gone = feature.status is Status.DELETED and not isinstance(command, c.DiscardRun)
    if feature.status is None or gone:
        raise NotFound


def _answer(command: c.FeatureCommand, feature: Feature) -> tuple[e.FeatureEvent, ...]:
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
        case c.ConfirmBrief(brief):
            return (e.BriefConfirmed(brief, sha256_of(brief), feature.epoch + 1),)
        case c.ReviseBrief(brief):
            return (e.BriefRevised(brief, sha256_of(brief), feature.epoch + 1),)
        case c.Approve():
            return (_approved(command, feature),)
        case c.RetryFeature():
            return (_retried(feature),)
        case c.ReplayFeature(version):
            return (_replayed(version, feature),)
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


def _approved(command: c.Approve, feature: Feature) -> e.FeatureEvent:
    here = GATE_STATUS.get(feature.status) if feature.status else None
    awaited = feature.content.awaiting(here) if here else ()
    if command.gate not in awaited:
        raise NotNow(
            f"The {command.gate} cannot be approved while the feature is {feature.status}.",
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
    if command.gate is not here:
        return e.ApprovalRenewed(command.gate, command.content_sha256, command.note)
    advice = feature.content.advice
    advised = advice.recommendation if advice and advice.gate is command.gate else None
    return APPROVED_BY[command.gate](
        content_sha256=command.content_sha256,
        recommendation=advised,
        override=advised is Recommendation.REVISE,
        note=command.note,
    )


def _retried(feature: Feature) -> e.FeatureRetried:
    content = feature.content
    to_version = content.checkpoint
    if content.tests_approval and content.security_review and content.code_review:
        # The reviews found fault with the code: the code is written again, with their findings.
        to_version = content.tests_approval.version
    target = feature.checkpoint_at(to_version)
    if feature.status is not Status.FAILED or target is None:
        raise NotNow(status=feature.status)
    restored = replace(_restored(target.content, to_version), rework=content.rework)
    return e.FeatureRetried(to_version, feature.epoch + 1, restored, work_left(restored))


def _replayed(version: int, feature: Feature) -> e.FeatureReplayed:
    target = feature.checkpoint_at(version)
    if target is None:
        raise NoSuchCheckpoint
    restored = _restored(target.content, version)
    return e.FeatureReplayed(version, feature.epoch + 1, restored, work_left(restored))


def _restored(content: Content, version: int) -> Content:
    """The content with its visible conversation closed at the checkpoint."""
    return replace(content, conversation=(*content.conversation, Span(content.since, version)))


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
    return e.RunDiscarded(command.attempt, command.code, left)


def _given_up(command: c.GiveUp, feature: Feature) -> tuple[e.FeatureEvent, ...]:
    if feature.due.get(command.step) != command.due_since:
        raise Superseded
    return (_ending(command.step, feature, command.code, command.reason, command.advice),)


def _ending(step: Step, feature: Feature, code: str, reason: str, advice: str) -> e.FeatureEvent:
    if step in DISPENSABLE:
        return e.StepAbandoned(step, feature.epoch, code, reason)
    return e.FeatureFailed(step, feature.epoch, code, reason, advice)


def _recorded(
    command: c.RecordReply
    | c.RecordSpec
    | c.RecordPlan
    | c.RecordTests
    | c.RecordRecommendation
    | c.RecordTitle
    | c.RecordImplementation
    | c.RecordReview,
    feature: Feature,
) -> tuple[e.FeatureEvent, ...]:
    _current(command.attempt, feature)
    match command:
        case c.RecordReply(attempt, run, message_id, text, question, brief, brief_markdown):
            return (
                e.AgentReplied(attempt, message_id, text, run, question, brief, brief_markdown),
            )
        case c.RecordSpec(attempt, run, document, markdown, manifest, reused):
            sha = sha256_of(markdown)
            return (e.SpecGenerated(attempt, document, markdown, sha, manifest, run, reused),)
        case c.RecordPlan(attempt, run, document, markdown, manifest, reused):
            sha = sha256_of(markdown)
            return (e.PlanGenerated(attempt, document, markdown, sha, manifest, run, reused),)
        case c.RecordTests(attempt, run, document, markdown, manifest, reused):
            sha = sha256_of(markdown)
            return (e.TestsGenerated(attempt, document, markdown, sha, manifest, run, reused),)
        case c.RecordTitle(attempt, run, title, by_model):
            if feature.titled:
                raise Superseded
            return (e.FeatureTitled(attempt, title, run, by_model),)
        case c.RecordRecommendation():
            return (_recommended(command, feature),)
        case c.RecordImplementation(attempt, run, files, manifest, notes, reused):
            sha = implementation_sha256(files)
            return (e.ImplementationCompleted(attempt, files, sha, manifest, run, notes, reused),)
        case c.RecordReview():
            return _reviewed(command, feature)
        case _:
            assert_never(command)


def _recommended(command: c.RecordRecommendation, feature: Feature) -> e.FeatureEvent:
    shown = feature.content.deliverable(command.gate)
    if shown is None or shown.content_sha256 != command.content_sha256:
        raise Superseded
    return e.RecommendationMade(
        attempt=command.attempt,
        gate=command.gate,
        recommendation=command.document.recommendation,
        content_sha256=command.content_sha256,
        document=command.document,
        manifest_sha256=command.manifest_sha256,
        run=command.run,
        reused_from=command.reused_from,
        lost=command.lost,
        added=command.added,
    )


def _reviewed(command: c.RecordReview, feature: Feature) -> tuple[e.FeatureEvent, ...]:
    security = command.attempt.step is Step.SECURITY_REVIEW
    reviewed = (e.SecurityReviewed if security else e.CodeReviewed)(
        attempt=command.attempt,
        document=command.document,
        markdown=command.markdown,
        content_sha256=sha256_of(command.markdown),
        manifest_sha256=command.manifest_sha256,
        verdict=command.verdict,
        run=command.run,
        reasons=command.reasons,
        dropped_findings=command.dropped_findings,
        reused_from=command.reused_from,
    )
    other = feature.content.code_review if security else feature.content.security_review
    if other is None:
        return (reviewed,)
    both = {command.verdict, other.verdict}
    first, second = command.verdict, other.verdict
    verdict = Verdict.PASS if both == {Verdict.PASS} else Verdict.FAIL
    return (
        reviewed,
        e.VerdictReached(
            verdict,
            security_review=first if security else second,
            code_review=second if security else first,
        ),
    )


def implementation_sha256(files: tuple[e.FileWritten, ...]) -> str:
    """The hash of an implementation: its files by path and content, in the order of their paths."""
    digest = sha256()
    for file in sorted(files, key=lambda f: f.path):
        digest.update(f"{len(file.path.encode())}:{file.path}{file.sha256}".encode())
    return digest.hexdigest()
