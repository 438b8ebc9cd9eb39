"""Facts about a feature, in the past tense. Written once, read for ever.

The tag, never the class path, is what the log stores; `schema_version` counts the shapes a tag has
had. Fields named in `personal` are sealed under the feature's data key, so that deleting the key
makes them unreadable everywhere while the chain over the sealed bytes still verifies.
"""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, TypeAlias
from uuid import UUID

from msgspec import Struct

from domain import documents as d
from domain.comments import AnsweredComment, Comment
from domain.content import Content
from domain.mending import CodeFault, StopReason
from domain.reading import Reading
from domain.runs import Attempt, InputFingerprint, Run
from domain.status import Agent, Gate, OutputMode, Part, Recommendation, Step, Verdict


class Event(Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Something that happened to a feature."""

    personal: ClassVar[frozenset[str]] = frozenset()
    schema_version: ClassVar[int] = 1


class FeatureCreated(Event, frozen=True, tag="feature_created"):
    """A person began a feature."""

    personal: ClassVar[frozenset[str]] = frozenset({"title"})
    title: str


class FeatureRenamed(Event, frozen=True, tag="feature_renamed"):
    """A person gave it another title."""

    personal: ClassVar[frozenset[str]] = frozenset({"title"})
    title: str


class FeatureDeleted(Event, frozen=True, tag="feature_deleted"):
    """A person deleted it; its data key is destroyed with this event, its files soon after."""


class MessagePosted(Event, frozen=True, tag="message_posted"):
    """A person said something to the BA agent."""

    personal: ClassVar[frozenset[str]] = frozenset({"text"})
    message_id: UUID
    text: str


class StepStarted(Event, frozen=True, tag="step_started"):
    """An attempt is announced, before any request leaves."""

    attempt: Attempt
    agent: Agent
    task_id: UUID
    manifest: InputFingerprint


class FileWritten(Struct, frozen=True, omit_defaults=True):
    """A generated file: where it stands in the zip, and its bytes by hash in the object store."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    by: Agent = Agent.IMPLEMENTER
    also_in: tuple[UUID, ...] = ()
    """Of a fork: the features it descends from, nearest first, one of which stores the bytes."""


class RefusedFile(Struct, frozen=True):
    """A file that the checks refused to the end. No reviewer can clear it."""

    path: str
    faults: tuple[str, ...]
    """Why, a sentence each."""


class AttemptFailed(Event, frozen=True, tag="attempt_failed"):
    """An attempt gave no result. What it used and what it had stored is recorded all the same."""

    personal: ClassVar[frozenset[str]] = frozenset({"reason", "files"})
    attempt: Attempt
    code: str
    reason: str
    run: Run
    retried: bool
    """Whether another attempt follows by itself."""
    retry_after_seconds: float = 0.0
    """The pause before it."""
    files: tuple[FileWritten, ...] = ()
    """Files that it had written, and that were accepted: a retry goes on from them."""


class RunDiscarded(Event, frozen=True, tag="run_discarded"):
    """A late answer was refused: something newer had replaced its attempt, or it was stopped."""

    personal: ClassVar[frozenset[str]] = frozenset({"files"})
    attempt: Attempt
    code: str
    run: Run
    files: tuple[FileWritten, ...] = ()
    """Files that it had written, and that were accepted for the tests that still stand."""


class AgentReplied(Event, frozen=True, tag="agent_replied"):
    """The BA agent answered a message, perhaps with a question or a proposed brief."""

    personal: ClassVar[frozenset[str]] = frozenset({"text", "question", "brief", "brief_markdown"})
    attempt: Attempt
    message_id: UUID
    text: str
    run: Run
    question: d.Question | None = None
    brief: d.Brief | None = None
    brief_markdown: str | None = None


class BriefConfirmed(Event, frozen=True, tag="brief_confirmed"):
    """A person confirmed a brief: the pipeline starts."""

    personal: ClassVar[frozenset[str]] = frozenset({"brief", "reading", "wanted"})
    brief: str
    content_sha256: str
    epoch: int
    mode: OutputMode = OutputMode.FULL_CODE
    """What is made of it. Absent in events from before there was a choice."""
    reading: Reading | None = None
    """What was understood of it. Absent in events from before it was recorded."""
    wanted: tuple[str, ...] = ()
    """Sentences of the background that the person made points."""


class BriefRevised(Event, frozen=True, tag="brief_revised"):
    """A person revised the brief: what follows is made from it; what had ended begins a round."""

    personal: ClassVar[frozenset[str]] = frozenset({"brief", "reading", "wanted"})
    brief: str
    content_sha256: str
    epoch: int
    mode: OutputMode = OutputMode.FULL_CODE
    """What is made of it. Absent in events from before there was a choice."""
    reading: Reading | None = None
    """What was understood of it. Absent in events from before it was recorded."""
    wanted: tuple[str, ...] = ()
    """Sentences of the background that the person made points."""


class SpecGenerated(Event, frozen=True, tag="spec_generated"):
    """The specification, as a structure and as the Markdown that people see and approve."""

    personal: ClassVar[frozenset[str]] = frozenset({"document", "markdown", "answered"})
    attempt: Attempt
    document: d.Spec
    markdown: str
    content_sha256: str
    manifest_sha256: str
    run: Run
    reused_from: int | None = None
    answered: tuple[AnsweredComment, ...] = ()
    """The comments that it was written anew with, and what was done about each."""


class PlanGenerated(Event, frozen=True, tag="plan_generated"):
    """The implementation plan."""

    personal: ClassVar[frozenset[str]] = frozenset({"document", "markdown", "answered"})
    attempt: Attempt
    document: d.Plan
    markdown: str
    content_sha256: str
    manifest_sha256: str
    run: Run
    reused_from: int | None = None
    answered: tuple[AnsweredComment, ...] = ()
    """The comments that it was written anew with, and what was done about each."""


class TestsGenerated(Event, frozen=True, tag="tests_generated"):
    """The contract tests; the Markdown holds every test file whole."""

    __test__ = False
    personal: ClassVar[frozenset[str]] = frozenset({"document", "markdown", "answered"})
    attempt: Attempt
    document: d.Tests
    markdown: str
    content_sha256: str
    manifest_sha256: str
    run: Run
    reused_from: int | None = None
    answered: tuple[AnsweredComment, ...] = ()
    """The comments that it was written anew with, and what was done about each."""


class RewriteRequested(Event, frozen=True, tag="rewrite_requested"):
    """At a gate a person commented on the document: that step alone writes it anew."""

    personal: ClassVar[frozenset[str]] = frozenset({"comments"})
    gate: Gate
    content_sha256: str
    """Of what was commented on."""
    comments: tuple[Comment, ...]
    epoch: int
    resume: tuple[Step, ...]
    """The step that writes it."""


class SpecEdited(Event, frozen=True, tag="spec_edited"):
    """A person edited the specification at the gate: it passed the checks of an agent's."""

    personal: ClassVar[frozenset[str]] = frozenset({"document", "markdown"})
    document: d.Spec
    markdown: str
    content_sha256: str
    replaces_sha256: str
    """Of the text that was edited."""


class PlanEdited(Event, frozen=True, tag="plan_edited"):
    """A person edited the plan at the gate: it passed the checks of an agent's."""

    personal: ClassVar[frozenset[str]] = frozenset({"document", "markdown"})
    document: d.Plan
    markdown: str
    content_sha256: str
    replaces_sha256: str
    """Of the text that was edited."""


class TestsEdited(Event, frozen=True, tag="tests_edited"):
    """A person edited the contract tests at the gate: it passed the checks of an agent's."""

    __test__ = False
    personal: ClassVar[frozenset[str]] = frozenset({"document", "markdown"})
    document: d.Tests
    markdown: str
    content_sha256: str
    replaces_sha256: str
    """Of the text that was edited."""


class RecommendationMade(Event, frozen=True, tag="recommendation_made"):
    """What the alignment reviewer advises at a gate, for exactly this content."""

    personal: ClassVar[frozenset[str]] = frozenset(
        {"document", "lost", "added", "left_out", "notes", "cited"}
    )
    attempt: Attempt
    gate: Gate
    recommendation: Recommendation
    content_sha256: str
    document: d.Alignment
    manifest_sha256: str
    run: Run
    reused_from: int | None = None
    lost: tuple[str, ...] = ()
    """Ids that the previous deliverable had and this one has not, computed by code."""
    added: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Points of the brief that the specification leaves out on purpose."""
    notes: tuple[str, ...] = ()
    """What code saw and is not sure of: numbers and names that are missing, a sentence each."""
    cited: tuple[d.Cited, ...] = ()
    """The sentences of all these ids, as far as they are known."""


class FeatureTitled(Event, frozen=True, tag="feature_titled"):
    """The title agent named it, or code did from the brief when the agent could not."""

    personal: ClassVar[frozenset[str]] = frozenset({"title"})
    attempt: Attempt
    title: str
    run: Run
    by_model: bool = True


class SpecApproved(Event, frozen=True, tag="spec_approved"):
    """A person approved exactly this specification."""

    personal: ClassVar[frozenset[str]] = frozenset({"note"})
    content_sha256: str
    recommendation: Recommendation | None
    """What the reviewer had advised; None if it had not spoken."""
    override: bool
    """Approved although REVISE was advised."""
    note: str = ""
    proposal_put_aside: int | None = None
    """Version of the reply whose proposed brief the person approved without."""


class PlanApproved(Event, frozen=True, tag="plan_approved"):
    """A person approved exactly this plan."""

    personal: ClassVar[frozenset[str]] = frozenset({"note"})
    content_sha256: str
    recommendation: Recommendation | None
    override: bool
    note: str = ""
    proposal_put_aside: int | None = None
    """Version of the reply whose proposed brief the person approved without."""


class TestsApproved(Event, frozen=True, tag="tests_approved"):
    """A person approved exactly these tests: from here on they are frozen."""

    __test__ = False
    personal: ClassVar[frozenset[str]] = frozenset({"note"})
    content_sha256: str
    recommendation: Recommendation | None
    override: bool
    note: str = ""
    proposal_put_aside: int | None = None
    """Version of the reply whose proposed brief the person approved without."""


class ApprovalRenewed(Event, frozen=True, tag="approval_renewed"):
    """A person approved again what stands before the gate: a fork inherits no approval."""

    personal: ClassVar[frozenset[str]] = frozenset({"note"})
    gate: Gate
    content_sha256: str
    note: str = ""
    proposal_put_aside: int | None = None
    """Version of the reply whose proposed brief the person approved without."""


class ImplementationCompleted(Event, frozen=True, tag="implementation_completed"):
    """All planned files are written, checked and stored, but for those that were refused."""

    personal: ClassVar[frozenset[str]] = frozenset({"files", "notes", "refused", "also_changed"})
    attempt: Attempt
    files: tuple[FileWritten, ...]
    content_sha256: str
    """Over the sorted list of paths and file hashes."""
    manifest_sha256: str
    run: Run
    notes: str = ""
    reused_from: int | None = None
    refused: tuple[RefusedFile, ...] = ()
    """Files that the checks refused to the end. What could be stored of them is among `files`."""
    also_changed: tuple[d.AlsoChanged, ...] = ()
    """Files that were to stay as they are in this round and were written again, with the reasons.
    Absent in events from before files were frozen."""


class SecurityReviewed(Event, frozen=True, tag="security_reviewed"):
    """The security review of exactly this implementation."""

    personal: ClassVar[frozenset[str]] = frozenset(
        {"document", "markdown", "reasons", "faults", "beside"}
    )
    attempt: Attempt
    document: d.Report
    markdown: str
    content_sha256: str
    manifest_sha256: str
    verdict: Verdict
    run: Run
    reasons: tuple[str, ...] = ()
    """Why code computed this verdict, a sentence each."""
    dropped_findings: int = 0
    """Findings whose quote is in no file. Until 2026-11 they were dropped; since then they are kept
    in `document`, and a grave one leaves the verdict undecided."""
    reused_from: int | None = None
    faults: tuple[CodeFault, ...] = ()
    """What failed it, each with its fingerprint and the files that it names."""
    beside: tuple[str, ...] = ()
    """Files that import one of these, or are imported by one."""
    reviewed_files: int = 0


class CodeReviewed(Event, frozen=True, tag="code_reviewed"):
    """The code review of exactly this implementation."""

    personal: ClassVar[frozenset[str]] = frozenset(
        {"document", "markdown", "reasons", "faults", "beside"}
    )
    attempt: Attempt
    document: d.Report
    markdown: str
    content_sha256: str
    manifest_sha256: str
    verdict: Verdict
    run: Run
    reasons: tuple[str, ...] = ()
    dropped_findings: int = 0
    reused_from: int | None = None
    faults: tuple[CodeFault, ...] = ()
    beside: tuple[str, ...] = ()
    reviewed_files: int = 0


class VerdictReached(Event, frozen=True, tag="verdict_reached"):
    """Both reviews are in: done if both pass, failed if either does not or came to no verdict."""

    verdict: Verdict
    security_review: Verdict
    code_review: Verdict


class MendingStarted(Event, frozen=True, tag="mending_started"):
    """After a failed review the code is mended without a person: these files, and no other."""

    personal: ClassVar[frozenset[str]] = frozenset({"files"})
    epoch: int
    round: int
    """Its number since a person last decided, from 1."""
    of: int
    """How many such rounds are allowed."""
    files: tuple[str, ...]
    """The files that may change: those that a fault names, and what hangs on them directly."""
    frozen: int
    """How many files may not, tests included."""
    faults: tuple[str, ...]
    """What is to be mended: a severity and a fingerprint each."""
    cost_usd: Decimal | None = None
    """About what it costs at most: what writing and reviewing this code cost the last time. None
    where that is not known, for a recorded result was used again."""


class MendingStopped(Event, frozen=True, tag="mending_stopped"):
    """After a failed review nothing is mended by itself: a person decides."""

    personal: ClassVar[frozenset[str]] = frozenset({"files"})
    epoch: int
    why: StopReason
    round: int
    """Rounds that were begun since a person last decided."""
    of: int
    stage: d.ReturnStage
    """The earliest stage at fault."""
    files: tuple[str, ...]
    """The files that may change if a person has the code mended; none: nothing is frozen."""
    frozen: int
    faults: tuple[str, ...]
    """What is still wrong: a severity and a fingerprint each."""


class StepAbandoned(Event, frozen=True, tag="step_abandoned"):
    """A step that the pipeline can do without gave up: a reply, a recommendation, a title."""

    personal: ClassVar[frozenset[str]] = frozenset({"reason"})
    step: Step
    epoch: int
    code: str
    reason: str


class FeatureFailed(Event, frozen=True, tag="feature_failed"):
    """A step gave up. The reason is in plain words; `advice` says what to do next."""

    personal: ClassVar[frozenset[str]] = frozenset({"reason"})
    step: Step
    epoch: int
    code: str
    reason: str
    advice: str


class FeatureRetried(Event, frozen=True, tag="feature_retried"):
    """After a failure a person went back to the last good checkpoint."""

    to_version: int
    epoch: int
    restored: Content
    resume: tuple[Step, ...]


class FeatureReplayed(Event, frozen=True, tag="feature_replayed"):
    """A person went back to a checkpoint. Nothing is deleted, nothing recorded is bought again."""

    to_version: int
    epoch: int
    restored: Content
    resume: tuple[Step, ...]
    """Steps that run again, as new attempts, because the checkpoint stands before their result."""


class WorkStopped(Event, frozen=True, tag="work_stopped"):
    """A person stopped the agents. The status stays; nothing is due until work is resumed."""

    personal: ClassVar[frozenset[str]] = frozenset({"reason"})
    epoch: int
    """Raised, so that every attempt under way is late from here on."""
    steps: tuple[Step, ...]
    """The steps that waited or ran."""
    reason: str = ""


class WorkResumed(Event, frozen=True, tag="work_resumed"):
    """A person let the agents go on after a stop."""

    resume: tuple[Step, ...]
    """The steps that are due again."""
    accepted: int | None = None
    """Version of the attempt whose files the code is written on from."""


class FeatureForked(Event, frozen=True, tag="feature_forked"):
    """A person began a feature from a checkpoint of another; what it brings along follows."""

    personal: ClassVar[frozenset[str]] = frozenset({"title"})
    title: str
    parent: UUID
    parent_version: int
    parent_hash: str
    """Hash of the parent's event at that version: which history it continues."""
    epoch: int
    parts: int
    """How many `part_carried` follow, all in the same append."""
    titled: bool = False
    """Whether a person or the title agent had named it."""
    resume: tuple[Step, ...] = ()
    """Advice that is still wanted at the gate where it stands; no other step starts by itself."""


Carried: TypeAlias = (
    MessagePosted
    | AgentReplied
    | BriefConfirmed
    | BriefRevised
    | SpecGenerated
    | PlanGenerated
    | TestsGenerated
    | SpecEdited
    | PlanEdited
    | TestsEdited
    | RecommendationMade
    | ImplementationCompleted
    | SecurityReviewed
    | CodeReviewed
)
"""Events whose words a fork brings along."""


class PartCarried(Event, frozen=True, tag="part_carried"):
    """A fork brought this along from its parent, sealed anew under its own key."""

    personal: ClassVar[frozenset[str]] = frozenset({"event"})
    part: Part
    parent_version: int
    by: str
    """Who caused the event in the feature where it happened first."""
    at: datetime
    """When it happened there."""
    event: Carried
    """As it was recorded there; what it cost was paid there."""
    event_schema_version: int = 1
    """The shape of `event`, which has a life of its own."""


FeatureEvent: TypeAlias = (
    FeatureCreated
    | FeatureForked
    | PartCarried
    | FeatureRenamed
    | FeatureDeleted
    | MessagePosted
    | StepStarted
    | AttemptFailed
    | RunDiscarded
    | AgentReplied
    | BriefConfirmed
    | BriefRevised
    | SpecGenerated
    | PlanGenerated
    | TestsGenerated
    | RewriteRequested
    | SpecEdited
    | PlanEdited
    | TestsEdited
    | RecommendationMade
    | FeatureTitled
    | SpecApproved
    | PlanApproved
    | TestsApproved
    | ApprovalRenewed
    | ImplementationCompleted
    | SecurityReviewed
    | CodeReviewed
    | VerdictReached
    | MendingStarted
    | MendingStopped
    | StepAbandoned
    | FeatureFailed
    | FeatureRetried
    | FeatureReplayed
    | WorkStopped
    | WorkResumed
)


SpecWritten: TypeAlias = SpecGenerated | SpecEdited
"""Whoever wrote it: an agent or a person. So with the next two."""
PlanWritten: TypeAlias = PlanGenerated | PlanEdited
TestsWritten: TypeAlias = TestsGenerated | TestsEdited


def told(event: FeatureEvent) -> FeatureEvent:
    """What an event tells: of a carried part, the event that was carried."""
    return event.event if isinstance(event, PartCarried) else event


def tag_of(event: Event | type[Event]) -> str:
    """The tag under which the log stores an event."""
    return str(event.__struct_config__.tag)
