"""What reads answer with, where it is more than a row: the shapes that clients rely on.

Invariant: a name or a type here changes only with the API document, and is never taken back.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import Struct

from application.audit.events import AuditEntry
from application.ports import Why
from domain import documents as d
from domain import events as e
from domain.comments import AnsweredComment
from domain.mending import StopReason
from domain.reading import Reading
from domain.runs import Tokens
from domain.status import Agent, Gate, Recommendation, Status, Step, Verdict
from projections.breadcrumb import Crumb
from projections.dashboard import DashboardRow
from projections.feature import Checkpoint
from projections.forked_from import ForkedFrom
from projections.message import Speaker
from projections.run import RunRow


class Document(Struct, frozen=True):
    """A document as people see and approve it."""

    markdown: str
    content_sha256: str
    version: int
    """Of the event that recorded it."""
    by: str
    at: datetime
    verdict: Verdict | None = None
    """Of a review, as code computed it."""
    reasons: tuple[str, ...] = ()
    """Why a review came to its verdict."""
    edited: bool = False
    """Whether a person wrote this version by hand."""
    answered: tuple[AnsweredComment, ...] = ()
    """The comments that it was written anew with, and what was done about each."""
    reading: Reading | None = None
    """Of a brief: its points, and what was taken as background."""


class Documents(Struct, frozen=True):
    """All that was written so far; null is not written yet, or does not count any more."""

    brief: Document | None = None
    spec: Document | None = None
    plan: Document | None = None
    tests: Document | None = None
    security_review: Document | None = None
    code_review: Document | None = None


class DocumentParts(Struct, frozen=True):
    """A document at a gate as a structure."""

    gate: Gate
    version: int
    content_sha256: str
    """Of its page, which is what approvals, comments and edits name."""
    spec: d.Spec | None = None
    """At the gate of the specification; null at the others. So with the next two."""
    plan: d.Plan | None = None
    tests: d.Tests | None = None


class ApprovalView(Struct, frozen=True):
    """A person's yes that still counts."""

    gate: Gate
    content_sha256: str
    version: int
    by: str
    at: datetime


class Advised(Struct, frozen=True):
    """What the alignment reviewer recommends at the gate. The person decides."""

    gate: Gate
    verdict: Recommendation
    reasons: tuple[str, ...]
    summary: str
    lost: tuple[str, ...] = ()
    """Ids that the document before had and this one has not: what is missing."""
    added: tuple[str, ...] = ()
    """Ids that this document has and its last version had not: what is new."""
    left_out: tuple[str, ...] = ()
    """Points of the brief that the specification leaves out on purpose."""
    notes: tuple[str, ...] = ()
    """What code saw and is not sure of, such as a number that is missing, a sentence each."""
    cited: tuple[d.Cited, ...] = ()
    """What these ids stand for, in words, as far as it is recorded."""


class StillWrong(Struct, frozen=True):
    """Something that failed a review, in words."""

    review: Step
    title: str
    severity: d.Severity
    says: str
    """What it means for whoever uses the software."""
    path: str | None = None
    """Null where no file is named."""
    line: int | None = None


class WayBack(Struct, frozen=True):
    """A gate to go back to."""

    gate: Gate
    version: int
    """What `replay` takes."""
    cost_usd: Decimal
    """About what it costs: what was spent on all that came after it, in every round."""


class MendingView(Struct, frozen=True):
    """A failed review and what becomes of it: faults that are mended, or are to be."""

    round: int
    """Rounds begun without a person since one last decided; 0: a person decided since."""
    of: int
    """How many of these are allowed."""
    wrong: tuple[StillWrong, ...]
    may_change: tuple[str, ...]
    """The files that may be written while the faults are mended; none: any file may."""
    frozen: int
    """How many may not, tests included."""
    cost_usd: Decimal | None = None
    """About what a round costs at most; null where that is not known."""
    stopped: StopReason | None = None
    """Why no round begins by itself; null while one is under way."""
    stage: d.ReturnStage = d.ReturnStage.IMPLEMENT
    """The earliest stage at fault: where to go back to."""
    back: tuple[WayBack, ...] = ()
    """The gates to go back to, earliest first; none while agents work."""


class Proposal(Struct, frozen=True):
    """A changed brief that the conversation proposes, and that nobody has taken or put aside."""

    version: int
    """Of the reply: what `approve` takes as `proposal_put_aside`."""
    message_id: UUID
    at: datetime
    brief_markdown: str
    """What `revise` takes as `brief`."""


class Failed(Struct, frozen=True):
    """Why it failed, and what to do next."""

    step: Step
    code: str
    reason: str
    next: str
    """`retry`, `replay` to an earlier checkpoint, or `settings`."""
    advice: str = ""
    download: bool = False
    """Whether the code may be downloaded all the same, as not passed: `?not_passed=true`."""


class FileItem(Struct, frozen=True):
    """A generated file."""

    path: str
    size: int
    """Bytes."""
    sha256: str


class Pausing(Struct, frozen=True):
    """A step that is tried again by itself, later."""

    reason: str
    """In plain words."""
    until: datetime


class Working(Struct, frozen=True):
    """A step that waits for a worker, or runs."""

    step: Step
    agent: Agent
    due_since: int
    """The version that made it due."""
    attempt: int | None
    """The number of the attempt that runs; null while it waits."""
    pause: Pausing | None = None
    """Why the last attempt brought nothing and when the next one begins; null if none waits so."""


class Fork(Struct, frozen=True):
    """A feature that was forked from this one."""

    id: UUID
    version: int
    """The checkpoint of this feature that it began from."""
    title: str
    status: Status
    created_at: datetime


class RoundView(Struct, frozen=True):
    """An earlier round of the feature."""

    number: int
    status: Status
    """How it ended: `done` or `failed`."""
    version: int
    """Read the feature, its files and its zip with `?version=` this, and they are the round's."""


class StoppedWork(Struct, frozen=True):
    """Work that a person stopped: nothing is paid for until it is resumed."""

    version: int
    """Of the event that stopped it."""
    at: datetime
    by: str
    reason: str
    """What the person said with it; empty if nothing."""
    steps: tuple[Step, ...]
    """The steps that go on when work is resumed."""


class FeatureView(Struct, frozen=True):
    """Everything about one feature."""

    id: UUID
    title: str
    status: Status
    version: int
    epoch: int
    created_at: datetime
    updated_at: datetime
    breadcrumb: tuple[Crumb, ...]
    actions: tuple[str, ...]
    """What its owner may do now, from the lifecycle table."""
    deliverables: Documents
    approvals: tuple[ApprovalView, ...]
    recommendation: Advised | None
    failure: Failed | None
    in_progress: tuple[Working, ...]
    """Steps that wait for a worker, or run."""
    files: tuple[FileItem, ...]
    cost_usd: Decimal
    tokens: Tokens
    forked_from: ForkedFrom | None = None
    forks: tuple[Fork, ...] = ()
    """Features that were forked from this one, newest first, at most 50."""
    awaiting: tuple[Gate, ...] = ()
    """What `approve` takes now, in this order: several gates in a fork only."""
    present: bool = True
    """Whether this is the feature as it is now; of the past, `actions` are fewer."""
    round: int = 1
    """The number of this round: one more whenever a feature that had ended was changed."""
    rounds: tuple[RoundView, ...] = ()
    """The rounds before it, oldest first."""
    mending: MendingView | None = None
    """Of code that failed its reviews, until it is done or the brief is revised."""
    stopped: StoppedWork | None = None
    """Null: work is not stopped."""
    notes: str = ""
    """What the implementer tells the person about the code that stands, in Markdown."""
    called: str = ""
    """What its downloads are called, without the ending; empty before there is a specification."""
    pending_proposal: Proposal | None = None
    """Approving is refused until it is taken or put aside."""


class MessageView(Struct, frozen=True):
    """One message of the conversation."""

    message_id: UUID
    version: int
    role: Speaker
    at: datetime
    by: str
    text: str
    question: d.Question | None = None
    brief_markdown: str | None = None
    """A brief that the agent proposes, to be confirmed."""
    error: str | None = None
    """Why there is no answer: a code; `text` says it in words."""
    tokens: Tokens = Tokens()
    cost_usd: Decimal = Decimal(0)


class EventView(Struct, frozen=True):
    """An event as it stands in the log."""

    position: int
    version: int
    event_id: UUID
    type: str
    schema_version: int
    actor: str
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    payload: e.FeatureEvent
    hash: str
    previous_hash: str


class UnreadEvent(Struct, frozen=True):
    """An event that stands in the log and cannot be read by this version of the service."""

    position: int
    version: int
    event_id: UUID
    type: str
    schema_version: int
    actor: str
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    hash: str
    previous_hash: str
    why: Why
    """The code of the problem; see `/problems`."""


class FeaturePage(Struct, frozen=True, omit_defaults=True):
    """A page of features, newest first."""

    items: tuple[DashboardRow, ...]
    next_cursor: str | None
    unread: tuple[UUID, ...] = ()
    """Features of this page whose row a newer version wrote: shown once the update is through."""


class MessagePage(Struct, frozen=True):
    """A page of the visible conversation, oldest first."""

    items: tuple[MessageView, ...]
    next_cursor: str | None


class CheckpointPage(Struct, frozen=True):
    """A page of places to go back to, oldest first."""

    items: tuple[Checkpoint, ...]
    next_cursor: str | None


class RunItem(RunRow, frozen=True):
    """An attempt, and whose doing its end was."""

    cause: Literal["ours"] | None = None
    """`ours`: a restart or a loss of ours cut it off. It used up none of the step's attempts."""


class RunPage(Struct, frozen=True):
    """A page of agent runs, oldest first."""

    items: tuple[RunItem, ...]
    next_cursor: str | None


class FilePage(Struct, frozen=True):
    """A page of generated files, by path."""

    items: tuple[FileItem, ...]
    next_cursor: str | None


class AuditPage(Struct, frozen=True):
    """A page of the tenant's log, without content."""

    items: tuple[AuditEntry, ...]
    next_cursor: str | None
    titles: dict[UUID, str]
    """What the features on this page are called now; deleted ones are missing."""
    searched_to: datetime | None = None
    """Set where the search looked at as much as one request may, and found no full page: how far it
    came. What lies beyond is asked for with `next_cursor`."""


class EventPage(Struct, frozen=True, omit_defaults=True):
    """A page of the log, oldest first."""

    items: tuple[EventView, ...]
    next_cursor: str | None
    unread: tuple[UnreadEvent, ...] = ()
    """Events of this page that cannot be read here: their content is missing, and nothing else."""


class AgentWord(Struct, frozen=True, omit_defaults=True):
    """What an agent is doing right now; lost without harm, for the log has what came of it."""

    step: Step
    attempt: int
    text: str | None = None
    """A piece of what is being written (`delta`)."""
    offset: int | None = None
    """Where the piece stands; 0 begins anew."""
    path: str | None = None
    """A file that was written (`file`)."""
    size: int | None = None
    """Its bytes."""
    words: str | None = None
    """What goes on, for people (`progress`)."""
    turn: int | None = None
    """Which request of the attempt is under way."""
    feature_id: UUID | None = None
    """Whose, in the stream of all features."""


class Nothing(Struct, frozen=True):
    """No data: the event's name says it all."""
