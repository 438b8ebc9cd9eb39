"""What decisions must remember of a feature, and how each fact changes it.

`evolve` never refuses and never raises: what happened, happened. What screens show lives in
projections; texts stay in the log and are named here by hash and version.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from domain import events as e
from domain.content import (
    Advice,
    Approval,
    Content,
    Deliverable,
    Left,
    Mending,
    Review,
    Rework,
    Round,
    sha256_of,
)
from domain.lifecycle import (
    APPROVED_AT,
    EDITED_AT,
    ENDED,
    GATE_BY_PART,
    LIFECYCLE,
    WRITTEN_AT,
    target_of,
)
from domain.mending import REMEMBERED, FoundFaults, StopReason
from domain.pipeline import GATE_OF, RESULTS, REVIEWED_BY, REVIEWS, due_after
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
    """Input fingerprint of each accepted result to its version: what need not be paid for again."""
    checkpoints: tuple[Checkpoint, ...] = ()
    titled: bool = False
    """Whether a person or the title agent has named it."""
    left: Left | None = None
    """What the last attempt to write the code left behind when it failed."""
    found: Mapping[Step, FoundFaults] = {}
    """What each review failed the code for that stands: only until the verdict over all of them."""
    stopped: int | None = None
    """Version of the event that stopped work; None while work goes on."""
    held: tuple[Step, ...] = ()
    """The steps that are due again once work is resumed; empty while it goes on."""
    cut: Mapping[Step, Attempt] = {}
    """The attempts that the last stop cut off: what they had written is gone on from."""
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
    due = _due(feature, event, content, version)
    after = replace(
        _work(feature, event, version, due),
        version=version,
        content=content,
        used=_used(feature, event),
        found=_found(feature, event),
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


def _found(feature: Feature, event: e.FeatureEvent) -> Mapping[Step, FoundFaults]:
    match event:
        case e.SecurityReviewed() | e.CodeReviewed():
            found = FoundFaults(event.faults, event.beside, event.reviewed_files)
            return {**feature.found, REVIEWED_BY[type(event)]: found}
        case _:
            # Wherever the feature moves, these reviews are over.
            return feature.found if target_of(event) is None else {}


def _is_checkpoint(feature: Feature, event: e.FeatureEvent) -> bool:
    match event:
        case e.FeatureForked(parts=parts):
            return parts == 0
        case e.PartCarried():
            return feature.carrying == 1
        case _:
            leaves = target_of(event) or feature.status
            return LIFECYCLE[type(event)].checkpoint and leaves is not Status.FAILED


def _content(content: Content, event: e.FeatureEvent, version: int) -> Content:
    target = target_of(event)
    moved = content if target is None else replace(content, status=target)
    match event:
        case (
            e.BriefConfirmed(content_sha256=sha, mode=mode)
            | e.BriefRevised(content_sha256=sha, mode=mode)
        ):
            begun = Content(
                status=target,
                brief=Deliverable(version, sha),
                conversation=content.conversation,
                since=content.since,
                mode=mode,
                previous_brief=content.brief.version
                if content.brief and content.spec
                else content.previous_brief,
            )
            begun = reduce(lambda now, gate: _kept(now, gate, content), Gate, begun)
            return _going_on(begun, content, version)
        case e.PartCarried(part=part, event=carried):
            return _carried(moved, part, carried, version)
        case e.RewriteRequested(gate=gate):
            return replace(moved.replacing(gate), comments=version)
        case e.AgentReplied():
            return _proposed(moved, event, version)
        case e.ApprovalRenewed(gate=gate, content_sha256=sha):
            given = Approval(version, sha)
            return _put_aside(moved.with_approval(gate, given), event.proposal_put_aside)
        case e.RecommendationMade(gate=gate, recommendation=advised):
            return replace(moved, advice=Advice(version, gate, advised))
        case e.ImplementationCompleted(content_sha256=sha):
            return replace(moved, implementation=Deliverable(version, sha), accepted=None)
        case e.VerdictReached(verdict=verdict) if verdict is not Verdict.PASS:
            return replace(moved, rework=_rework(content))
        case e.MendingStarted():
            begun = replace(moved, implementation=None, security_review=None, code_review=None)
            return replace(begun, accepted=None, mending=_mended(content, event, version))
        case e.MendingStopped(why=why) if why is not StopReason.UNDECIDED:
            return replace(moved, mending=_mended(content, event, version))
        case e.FeatureRetried(restored=restored) | e.FeatureReplayed(restored=restored):
            return replace(restored, since=version)
        case e.RunDiscarded(files=files) if files:
            return replace(moved, accepted=version)
        case e.WorkResumed(accepted=accepted) if accepted:
            return replace(moved, accepted=accepted)
        case _:
            return _made(moved, event, version)


def _made(content: Content, event: e.FeatureEvent, version: int) -> Content:
    """With the document, approval or review that an event records."""
    kind, sha = type(event), getattr(event, "content_sha256", "")
    if kind in WRITTEN_AT:
        content = content.replacing(WRITTEN_AT[kind]) if kind in EDITED_AT else content
        return content.with_deliverable(WRITTEN_AT[kind], Deliverable(version, sha))
    if kind in APPROVED_AT:
        given = content.with_approval(APPROVED_AT[kind], Approval(version, sha))
        return _put_aside(given, getattr(event, "proposal_put_aside", None))
    if kind in REVIEWED_BY:
        verdict: Verdict = getattr(event, "verdict")  # noqa: B009 - of every review; see there.
        return content.with_review(REVIEWED_BY[kind], Review(version, sha, verdict))
    return content


def _proposed(content: Content, reply: e.AgentReplied, version: int) -> Content:
    """With the brief that a reply proposes, if it is another than the confirmed one."""
    if content.brief is None or reply.brief_markdown is None:
        return content
    same = sha256_of(reply.brief_markdown) == content.brief.content_sha256
    return replace(content, proposal=None if same else version)


def _put_aside(content: Content, proposal: int | None) -> Content:
    """Without a proposal that a person has put aside."""
    return replace(content, proposal=None) if content.proposal == proposal else content


def _kept(content: Content, gate: Gate, before: Content) -> Content:
    """With what a revised brief replaces at a gate: its ids stay taken."""
    current = before.deliverable(gate)
    return content.with_previous(gate, current.version if current else before.previous(gate))


def _going_on(content: Content, before: Content, version: int) -> Content:
    """With the rounds before, and the code that stands; another round, if the last had ended."""
    status, made, rounds = before.status, before.implementation, before.rounds
    if status is not None and status in ENDED:
        rounds = (*rounds, Round(version - 1, status))
    return replace(
        content,
        rounds=rounds,
        base=made.version if made else before.base,
        # What a review found fault with stays to be mended, whatever else is to change.
        rework=before.rework if rounds and status is not Status.DONE else None,
    )


def _carried(content: Content, part: Part, event: e.Carried, version: int) -> Content:
    made = Deliverable(version, getattr(event, "content_sha256", ""))
    rework = content.rework
    match part:
        case Part.BRIEF:
            mode = getattr(event, "mode", content.mode)
            return replace(content, brief=made, mode=mode)
        case Part.MESSAGE if isinstance(event, e.AgentReplied):
            return _proposed(content, event, version)
        case Part.ADVICE if isinstance(event, e.RecommendationMade):
            return replace(content, advice=Advice(version, event.gate, event.recommendation))
        case Part.PREVIOUS_IMPLEMENTATION:
            return replace(content, base=version)
        case Part.REWORK_IMPLEMENTATION:
            return replace(content, rework=Rework(version, None, None))
        case _ if part in GATE_BY_PART:
            return content.with_deliverable(Gate(part.value), made)
        case _ if part in _PREVIOUS:
            return content.with_previous(_PREVIOUS[part], version)
        case _ if part in _REWORKED and rework:
            return replace(content, rework=rework.with_review(_REWORKED[part], version))
        case _:
            return content


def _mended(content: Content, event: e.MendingStarted | e.MendingStopped, version: int) -> Mending:
    before = content.mending or Mending(version)
    reviews = (*before.reviews, content.rework) if content.rework else before.reviews
    return Mending(
        version,
        event.round,
        event.of,
        (*before.found, event.faults)[-REMEMBERED:],
        reviews[-REMEMBERED:],
    )


def _rework(content: Content) -> Rework | None:
    if content.implementation is None:
        return None
    found = Rework(content.implementation.version, None, None)
    for step in REVIEWS:
        if (review := content.review(step)) is not None:
            found = found.with_review(step, review.version)
    return found


def _due(
    feature: Feature, event: e.FeatureEvent, content: Content, version: int
) -> Mapping[Step, int]:
    """What the event makes due, with its version."""
    titled = feature.titled
    steps = due_after(event, content.mode)
    return {step: version for step in steps if not (step is Step.TITLE and titled)}


def _work(
    feature: Feature, event: e.FeatureEvent, version: int, due: Mapping[Step, int]
) -> Feature:
    """Which steps wait, run, or are over."""
    match event:
        case e.FeatureForked(epoch=epoch, titled=titled, parts=parts):
            return replace(feature, epoch=epoch, due=due, titled=titled, carrying=parts)
        case e.PartCarried(event=carried):
            left = replace(feature, carrying=max(0, feature.carrying - 1))
            result: str | None = getattr(carried, "manifest_sha256", None)
            if result is None:
                return left
            return replace(left, recorded={result: version, **feature.recorded})
        case e.FeatureRenamed():
            return replace(_ended(feature, Step.TITLE), titled=True)
        case (
            e.BriefConfirmed(epoch=epoch)
            | e.BriefRevised(epoch=epoch)
            | e.RewriteRequested(epoch=epoch)
            | e.FeatureRetried(epoch=epoch)
            | e.FeatureReplayed(epoch=epoch)
        ):
            return replace(feature, epoch=epoch, due=due, running={}, **_GOES_ON)
        case e.FeatureDeleted():
            return replace(feature, due={}, running={}, **_GOES_ON)
        case e.WorkStopped(epoch=epoch, steps=steps):
            cut = {**feature.cut, **feature.running}
            still = replace(feature, epoch=epoch, due={}, running={}, cut=cut)
            return replace(still, stopped=version, held=steps)
        case e.WorkResumed():
            return replace(feature, due=due, stopped=None, held=())
        case e.StepStarted(attempt=attempt):
            return replace(
                feature,
                running={**feature.running, attempt.step: attempt},
                attempts={**feature.attempts, attempt.step: attempt.number},
            )
        case e.AttemptFailed(attempt=attempt, files=files):
            behind = _left(feature, version) if files else feature.left
            return replace(feature, running=_without(feature.running, attempt.step), left=behind)
        case e.RunDiscarded(files=files) if files:
            return replace(feature, left=_left(feature, version))
        case e.StepAbandoned(step=step):
            return _ended(feature, step)
        case e.FeatureFailed():
            return replace(feature, due={}, running={})
        case e.FeatureTitled(attempt=attempt):
            return replace(_ended(feature, attempt.step), titled=True)
        case _ if type(event) in APPROVED_AT:
            # Advice or a reply still under way is about what stood before: it is not waited for.
            kept = {s: v for s, v in feature.due.items() if s not in _TALK}
            running = {s: a for s, a in feature.running.items() if s not in _TALK}
            return replace(feature, due={**kept, **due}, running=running)
        case _ if type(event) in EDITED_AT:
            # Advice still under way is about the text before, and is asked for anew.
            ended = reduce(_ended, due, feature)
            return replace(ended, due={**ended.due, **due})
        case _ if type(event) in RESULTS:
            return _answered(feature, event, version, due)
        case _:
            return replace(feature, due={**feature.due, **due}) if due else feature


def _answered(
    feature: Feature, event: e.FeatureEvent, version: int, due: Mapping[Step, int]
) -> Feature:
    """After the result of a step, which makes others due and need not be paid for again."""
    attempt: Attempt = getattr(event, "attempt")  # noqa: B009 - every result names its attempt.
    ended = _ended(feature, attempt.step)
    left = None if isinstance(event, e.ImplementationCompleted) else feature.left
    ended = replace(ended, due={**ended.due, **due}, left=left)
    fingerprint: str | None = getattr(event, "manifest_sha256", None)
    if fingerprint is None or getattr(event, "verdict", Verdict.PASS) is not Verdict.PASS:
        return ended  # Whoever retries after a bad review wants another look, not the same.
    first = feature.recorded.get(fingerprint, version)
    return replace(ended, recorded={**feature.recorded, fingerprint: first})


def _left(feature: Feature, version: int) -> Left | None:
    approval = feature.content.approval(LAST_GATE)
    return Left(version, approval.version) if approval else None


def _ended(feature: Feature, step: Step) -> Feature:
    return replace(
        feature,
        due=_without(feature.due, step),
        running=_without(feature.running, step),
        held=tuple(held for held in feature.held if held is not step),
    )


def _without(mapping: Mapping[Step, V], step: Step) -> Mapping[Step, V]:
    return {k: v for k, v in mapping.items() if k is not step}


_GOES_ON: Final[Mapping[str, Any]] = {"stopped": None, "held": (), "cut": {}}
"""After what replaces all that was due, nothing is stopped any more."""
_TALK: Final = frozenset({*GATE_OF, Step.CONVERSE})
"""Steps that speak about a document: whoever approves it waits for none of them."""
LAST_GATE: Final = list(Gate)[-1]
_PREVIOUS: Final[Mapping[Part, Gate]] = {Part(f"previous_{gate}"): gate for gate in Gate}
_REWORKED: Final[Mapping[Part, Step]] = {Part(f"rework_{step}"): step for step in REVIEWS}
