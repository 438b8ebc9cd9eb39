"""What decisions must remember of a feature, and how each fact changes it.

`evolve` never refuses and never raises: what happened, happened. What screens show lives in
projections; texts stay in the log and are named here by hash and version.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import TypeVar, assert_never

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.content import Advice, Approval, Content, Deliverable, Review, Rework
from domain.lifecycle import GATES, LIFECYCLE, target_of
from domain.pipeline import AGENT_OF, due_after
from domain.runs import Attempt, Run
from domain.status import Gate, Part, Status, Step, Verdict

V = TypeVar("V")


class Checkpoint(Struct, frozen=True):
    """A place to go back to: what the feature was right after the event at `version`."""

    version: int
    content: Content


class Feature(Struct, frozen=True):
    """One feature, folded from its stream."""

    version: int = 0
    """Number of events folded; the stream's version."""
    content: Content = Content()
    epoch: int = 0
    due: Mapping[Step, int] = {}
    """Steps that wait or run, and the version of the event that made them due."""
    running: Mapping[Step, Attempt] = {}
    """The announced attempt of each step under way."""
    attempts: Mapping[Step, int] = {}
    """How often each step was announced, ever."""
    used: Mapping[str, tuple[Run, ...]] = {}
    """What the log says that each ended attempt used, by its name: nothing is counted twice."""
    recorded: Mapping[str, int] = {}
    """Manifest hash of each accepted result to its version: what need not be paid for again."""
    checkpoints: tuple[Checkpoint, ...] = ()
    titled: bool = False
    """Whether a person or the title agent has named it."""
    carrying: int = 0
    """How many parts a fork has still to bring along; 0 outside the append that begins it."""

    @property
    def status(self) -> Status | None:
        """Where it stands; None before the first event."""
        return self.content.status

    def checkpoint_at(self, version: int) -> Checkpoint | None:
        """The checkpoint with exactly this version."""
        return next((c for c in self.checkpoints if c.version == version), None)


def fold(events: Iterable[e.FeatureEvent], feature: Feature | None = None) -> Feature:
    """The feature after these events."""
    return reduce(evolve, events, feature or Feature())


def evolve(feature: Feature, event: e.FeatureEvent) -> Feature:
    """The feature after one more event."""
    version = feature.version + 1
    content = _content(feature.content, event, version)
    after = replace(
        _work(feature, event, version), version=version, content=content, used=_used(feature, event)
    )
    if not _is_checkpoint(feature, event):
        return after
    content = replace(content, checkpoint=version)
    marks = (*feature.checkpoints, Checkpoint(version, content))
    return replace(after, content=content, checkpoints=marks)


def _used(feature: Feature, event: e.FeatureEvent) -> Mapping[str, tuple[Run, ...]]:
    run: Run | None = getattr(event, "run", None)
    attempt: Attempt | None = getattr(event, "attempt", None)
    if run is None or attempt is None:
        return feature.used
    return {**feature.used, attempt.name: (*feature.used.get(attempt.name, ()), run)}


def _is_checkpoint(feature: Feature, event: e.FeatureEvent) -> bool:
    match event:
        case e.VerdictReached(verdict=verdict):
            return verdict is Verdict.PASS
        case e.FeatureForked(parts=parts):
            return parts == 0
        case e.PartCarried():
            return feature.carrying == 1
        case _:
            return LIFECYCLE[type(event)].checkpoint


def _content(content: Content, event: e.FeatureEvent, version: int) -> Content:
    target = target_of(event)
    moved = content if target is None else replace(content, status=target)
    match event:
        case e.BriefConfirmed(content_sha256=sha) | e.BriefRevised(content_sha256=sha):
            return Content(
                status=target,
                brief=Deliverable(version, sha),
                previous_spec=_replaced(content.spec, content.previous_spec),
                previous_plan=_replaced(content.plan, content.previous_plan),
                previous_tests=_replaced(content.tests, content.previous_tests),
                conversation=content.conversation,
                since=content.since,
            )
        case e.SpecGenerated(content_sha256=sha):
            return replace(moved, spec=Deliverable(version, sha), advice=None)
        case e.PlanGenerated(content_sha256=sha):
            return replace(moved, plan=Deliverable(version, sha), advice=None)
        case e.TestsGenerated(content_sha256=sha):
            return replace(moved, tests=Deliverable(version, sha), advice=None)
        case e.PartCarried(part=part, event=carried):
            return _carried(moved, part, carried, version)
        case e.ApprovalRenewed(gate=Gate.SPEC, content_sha256=sha):
            return replace(moved, spec_approval=Approval(version, sha))
        case e.ApprovalRenewed(gate=Gate.PLAN, content_sha256=sha):
            return replace(moved, plan_approval=Approval(version, sha))
        case e.RecommendationMade(gate=gate, recommendation=advised):
            return replace(moved, advice=Advice(version, gate, advised))
        case e.SpecApproved(content_sha256=sha):
            return replace(moved, spec_approval=Approval(version, sha))
        case e.PlanApproved(content_sha256=sha):
            return replace(moved, plan_approval=Approval(version, sha))
        case e.TestsApproved(content_sha256=sha):
            return replace(moved, tests_approval=Approval(version, sha))
        case e.ImplementationCompleted(content_sha256=sha):
            return replace(moved, implementation=Deliverable(version, sha))
        case e.SecurityReviewed(content_sha256=sha, verdict=verdict):
            return replace(moved, security_review=Review(version, sha, verdict))
        case e.CodeReviewed(content_sha256=sha, verdict=verdict):
            return replace(moved, code_review=Review(version, sha, verdict))
        case e.VerdictReached(verdict=Verdict.FAIL):
            return replace(moved, rework=_rework(content))
        case e.FeatureRetried(restored=restored) | e.FeatureReplayed(restored=restored):
            return replace(restored, since=version)
        case _:
            return moved


def _carried(content: Content, part: Part, event: e.Carried, version: int) -> Content:
    made = Deliverable(version, getattr(event, "content_sha256", ""))
    match part:
        case Part.BRIEF:
            return replace(content, brief=made)
        case Part.SPEC:
            return replace(content, spec=made, advice=None)
        case Part.PLAN:
            return replace(content, plan=made, advice=None)
        case Part.TESTS:
            return replace(content, tests=made, advice=None)
        case Part.ADVICE if isinstance(event, e.RecommendationMade):
            return replace(content, advice=Advice(version, event.gate, event.recommendation))
        case Part.PREVIOUS_SPEC:
            return replace(content, previous_spec=version)
        case Part.PREVIOUS_PLAN:
            return replace(content, previous_plan=version)
        case Part.PREVIOUS_TESTS:
            return replace(content, previous_tests=version)
        case Part.REWORK_IMPLEMENTATION:
            return replace(content, rework=Rework(version, None, None))
        case Part.REWORK_SECURITY_REVIEW if content.rework:
            return replace(content, rework=replace(content.rework, security_review=version))
        case Part.REWORK_CODE_REVIEW if content.rework:
            return replace(content, rework=replace(content.rework, code_review=version))
        case _:
            return content


def _replaced(current: Deliverable | None, before: int | None) -> int | None:
    return current.version if current else before


def _rework(content: Content) -> Rework | None:
    if content.implementation is None:
        return None
    return Rework(
        content.implementation.version,
        content.security_review.version if content.security_review else None,
        content.code_review.version if content.code_review else None,
    )


def _work(feature: Feature, event: e.FeatureEvent, version: int) -> Feature:
    """Which steps wait, run, or are over."""
    due = {
        step: version for step in due_after(event) if not (step is Step.TITLE and feature.titled)
    }
    match event:
        case e.FeatureCreated():
            return feature
        case e.FeatureForked(epoch=epoch, titled=titled, parts=parts):
            return replace(feature, epoch=epoch, due=due, titled=titled, carrying=parts)
        case e.PartCarried(event=carried):
            left = replace(feature, carrying=max(0, feature.carrying - 1))
            result: str | None = getattr(carried, "manifest_sha256", None)
            if result is None:
                return left
            return replace(left, recorded={result: version, **feature.recorded})
        case e.ApprovalRenewed():
            return feature
        case e.FeatureRenamed():
            return replace(_ended(feature, Step.TITLE), titled=True)
        case (
            e.BriefConfirmed(epoch=epoch)
            | e.BriefRevised(epoch=epoch)
            | e.FeatureRetried(epoch=epoch)
            | e.FeatureReplayed(epoch=epoch)
        ):
            return replace(feature, epoch=epoch, due=due, running={})
        case e.FeatureDeleted():
            return replace(feature, due={}, running={})
        case e.StepStarted(attempt=attempt):
            return replace(
                feature,
                running={**feature.running, attempt.step: attempt},
                attempts={**feature.attempts, attempt.step: attempt.number},
            )
        case e.AttemptFailed(attempt=attempt):
            return replace(feature, running=_without(feature.running, attempt.step))
        case e.StepAbandoned(step=step):
            return _ended(feature, step)
        case e.FeatureFailed():
            return replace(feature, due={}, running={})
        case e.VerdictReached():
            return feature
        case e.SpecApproved() | e.PlanApproved() | e.TestsApproved() | e.MessagePosted():
            # Advice or a reply still under way is about what stood before: it is not waited for.
            over = _superseded_by(event)
            kept = {s: v for s, v in feature.due.items() if s not in over}
            running = {s: a for s, a in feature.running.items() if s not in over}
            return replace(feature, due={**kept, **due}, running=running)
        case e.RunDiscarded():
            return feature
        case e.AgentReplied(attempt=attempt):
            return _ended(feature, attempt.step)
        case e.FeatureTitled(attempt=attempt):
            return replace(_ended(feature, attempt.step), titled=True)
        case (
            e.SpecGenerated(attempt=attempt, manifest_sha256=manifest)
            | e.PlanGenerated(attempt=attempt, manifest_sha256=manifest)
            | e.TestsGenerated(attempt=attempt, manifest_sha256=manifest)
            | e.RecommendationMade(attempt=attempt, manifest_sha256=manifest)
            | e.ImplementationCompleted(attempt=attempt, manifest_sha256=manifest)
            | e.SecurityReviewed(attempt=attempt, manifest_sha256=manifest)
            | e.CodeReviewed(attempt=attempt, manifest_sha256=manifest)
        ):
            ended = _ended(feature, attempt.step)
            ended = replace(ended, due={**ended.due, **due})
            if getattr(event, "verdict", None) is Verdict.FAIL:
                return ended  # Whoever retries after a bad review wants another look, not the same.
            first = feature.recorded.get(manifest, version)
            return replace(ended, recorded={**feature.recorded, manifest: first})
        case _:
            assert_never(event)


def _superseded_by(event: e.FeatureEvent) -> frozenset[Step]:
    if isinstance(event, e.MessagePosted):
        return frozenset()
    return frozenset(s for s in AGENT_OF if s.startswith("align_") or s is Step.CONVERSE)


def _ended(feature: Feature, step: Step) -> Feature:
    return replace(
        feature, due=_without(feature.due, step), running=_without(feature.running, step)
    )


def _without(mapping: Mapping[Step, V], step: Step) -> Mapping[Step, V]:
    return {k: v for k, v in mapping.items() if k is not step}


GATE_STATUS: Mapping[Status, Gate] = dict(
    zip(sorted(GATES, key=list(Status).index), (Gate.SPEC, Gate.PLAN, Gate.TESTS), strict=True)
)
"""The gate at each status where a person decides."""
