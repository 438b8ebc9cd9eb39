"""What can be asked of a feature, in the imperative. A person's commands are HTTP bodies too."""

from typing import Annotated, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from domain import documents as d
from domain.characters import one_line
from domain.comments import AnsweredComment, Comment
from domain.events import FileWritten, RefusedFile
from domain.mending import CodeFault
from domain.runs import Attempt, InputFingerprint, Run
from domain.status import Agent, Gate, Step, Verdict

BriefText = Annotated[
    str, Meta(min_length=1, max_length=40_000, description="Markdown, at most 40,000 characters")
]
Wanted = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=2_000)], ...],
    Meta(max_length=500, description="At most 500 sentences of at most 2,000 characters"),
]
MessageText = Annotated[
    str, Meta(min_length=1, max_length=20_000, description="At most 20,000 characters")
]
TitleText = Annotated[
    str, Meta(min_length=1, max_length=120, description="One line, at most 120 characters")
]
NoteText = Annotated[str, Meta(max_length=2_000, description="At most 2,000 characters")]
Sha256 = Annotated[
    str,
    # Also by its length: the pattern alone lets a line break follow.
    Meta(pattern="^[0-9a-f]{64}$", max_length=64, description="SHA-256 in lower-case hex"),
]
LARGEST_VERSION = 2**31 - 1
"""Of a stream: what the log's column holds."""
Version = Annotated[
    int, Meta(ge=1, le=LARGEST_VERSION, description="A version of the feature's stream")
]

UNTITLED = "Untitled feature"


class Command(Struct, frozen=True, forbid_unknown_fields=True):
    """A request that may be refused."""


class Unfit(ValueError):
    """A value that no command may hold."""

    def __init__(self, field: str, detail: str) -> None:
        """Take the command's field, and what to do about it."""
        super().__init__(detail)
        self.field = field


def _on_one_line(command: Command, title: str) -> None:
    """Put a command's title on one line, whoever made the command. Raises Unfit."""
    try:
        force_setattr(command, "title", one_line(title))
    except ValueError as refused:
        raise Unfit("title", str(refused)) from None


class CreateFeature(Command, frozen=True):
    """Begin a feature in `drafting`."""

    title: TitleText = UNTITLED

    def __post_init__(self) -> None:
        """Put the title on one line. Raises Unfit."""
        _on_one_line(self, self.title)


class RenameFeature(Command, frozen=True):
    """Give it another title."""

    title: TitleText

    def __post_init__(self) -> None:
        """Put the title on one line. Raises Unfit."""
        _on_one_line(self, self.title)


class DeleteFeature(Command, frozen=True):
    """Delete it, for good: its content becomes unreadable."""


class PostMessage(Command, frozen=True):
    """Say something to the BA agent."""

    message_id: UUID
    text: MessageText


class ConfirmBrief(Command, frozen=True, omit_defaults=True):
    """Confirm the brief; the spec agent starts."""

    brief: BriefText
    wanted: Wanted = ()
    """Sentences of its background that are points as well, word by word as the reading has them."""


class ReviseBrief(Command, frozen=True, omit_defaults=True):
    """At a gate: start again from a revised brief. Of an ended feature: begin its next round."""

    brief: BriefText
    wanted: Wanted = ()
    """Sentences of its background that are points as well, word by word as the reading has them."""


class Approve(Command, frozen=True):
    """Approve exactly the content with this hash, whatever was recommended."""

    gate: Gate
    content_sha256: Sha256
    note: NoteText = ""
    proposal_put_aside: Version | None = None
    """Approve without the pending proposal of this version, which is not to be taken."""


class RequestRewrite(Command, frozen=True):
    """At a gate: have the document with this hash written anew, with these comments."""

    gate: Gate
    content_sha256: Sha256
    comments: Annotated[
        tuple[Comment, ...],
        Meta(min_length=1, max_length=100, description="At least one comment, at most 100"),
    ]

    def __post_init__(self) -> None:
        """Look for words in each comment. Raises Unfit."""
        for number, comment in enumerate(self.comments, start=1):
            if comment.is_empty:
                detail = f"Comment {number} says nothing: write what is wrong or what is missing"
                raise Unfit("comments", detail)


class EditSpec(Command, frozen=True, tag_field="gate", tag="spec"):
    """At its gate: put this specification in the place of the one with this hash."""

    content_sha256: Sha256
    document: d.Spec


class EditPlan(Command, frozen=True, tag_field="gate", tag="plan"):
    """At its gate: put this plan in the place of the one with this hash."""

    content_sha256: Sha256
    document: d.Plan


class EditTests(Command, frozen=True, tag_field="gate", tag="tests"):
    """At their gate: put these tests in the place of those with this hash."""

    content_sha256: Sha256
    document: d.Tests


EditDocument: TypeAlias = EditSpec | EditPlan | EditTests


class RecordEdit(Command, frozen=True):
    """A person's document that passed its checks, as people see it."""

    gate: Gate
    content_sha256: Sha256
    """Of the text that was edited."""
    based_on: int
    """The version of the document that it was checked against."""
    document: d.AgentDocument
    markdown: str


class RetryFeature(Command, frozen=True):
    """After a failure: back to the last good checkpoint."""


class ReplayFeature(Command, frozen=True):
    """Go back to any checkpoint."""

    version: Version


class ForkFeature(Command, frozen=True):
    """Begin a new feature from a checkpoint of this one, which stays as it is."""

    version: Version
    title: TitleText | None = None
    """Null: the title that this feature had then."""
    brief_only: bool = False
    """Begin a similar one: only the brief comes along, to be changed and confirmed."""

    def __post_init__(self) -> None:
        """Put the title on one line. Raises Unfit."""
        if self.title is not None:
            _on_one_line(self, self.title)


class StopWork(Command, frozen=True, omit_defaults=True):
    """Stop the agents until work is resumed."""

    reason: NoteText = ""


class ResumeWork(Command, frozen=True):
    """Let the agents go on where they were stopped."""


class StartStep(Command, frozen=True):
    """A worker announces an attempt. `due_since` is the version whose event made the step due."""

    step: Step
    due_since: int
    agent: Agent
    task_id: UUID
    manifest: InputFingerprint
    lost: Run = Run()
    """What an attempt still open is known to have used: its worker is gone."""


class Answer(Command, frozen=True):
    """What came of an attempt."""

    attempt: Attempt
    run: Run


class RecordReply(Answer, frozen=True):
    """The BA agent's answer."""

    message_id: UUID
    text: str
    question: d.Question | None = None
    brief: d.Brief | None = None
    brief_markdown: str | None = None


class RecordDocument(Answer, frozen=True):
    """A document that passed its checks (the attempt's step says which), as people see it."""

    document: d.AgentDocument
    markdown: str
    manifest_sha256: str
    reused_from: int | None = None
    answered: tuple[AnsweredComment, ...] = ()


class RecordRecommendation(Answer, frozen=True):
    """What the alignment reviewer advises for the content with this hash."""

    gate: Gate
    content_sha256: str
    document: d.Alignment
    manifest_sha256: str
    reused_from: int | None = None
    lost: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cited: tuple[d.Cited, ...] = ()


class RecordTitle(Answer, frozen=True):
    """A title."""

    title: TitleText
    by_model: bool = True

    def __post_init__(self) -> None:
        """Put the title on one line. Raises Unfit."""
        _on_one_line(self, self.title)


class RecordImplementation(Answer, frozen=True):
    """All planned files, stored by hash, but for what was refused to the end."""

    files: tuple[FileWritten, ...]
    manifest_sha256: str
    notes: str = ""
    reused_from: int | None = None
    refused: tuple[RefusedFile, ...] = ()
    also_changed: tuple[d.AlsoChanged, ...] = ()


class RecordReview(Answer, frozen=True):
    """A security or code review (the attempt's step says which), verdict computed by code."""

    document: d.Report
    markdown: str
    manifest_sha256: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    dropped_findings: int = 0
    reused_from: int | None = None
    faults: tuple[CodeFault, ...] = ()
    beside: tuple[str, ...] = ()
    reviewed_files: int = 0
    mending_rounds: int | None = None
    """How many rounds of mending are allowed without a person, where the code fails its reviews;
    None: nothing is said of mending. Stands in the events that follow, not in the review's."""


class FailAttempt(Answer, frozen=True):
    """An attempt gave no result. `final`: nobody tries again by themselves."""

    code: str
    reason: str
    advice: str
    final: bool
    retry_after_seconds: float = 0.0
    """The pause before the next attempt, if one follows."""
    files: tuple[FileWritten, ...] = ()
    """What it had written and stored by then."""


class GiveUp(Command, frozen=True):
    """Nobody will do a due step any more: its attempts are used up, or it fell silent."""

    step: Step
    due_since: int
    code: str
    reason: str
    advice: str


class DiscardRun(Answer, frozen=True):
    """An answer came too late; keep what it used."""

    code: str
    files: tuple[FileWritten, ...] = ()
    """What it had written and stored by then."""


FeatureCommand: TypeAlias = (
    CreateFeature
    | RenameFeature
    | DeleteFeature
    | PostMessage
    | ConfirmBrief
    | ReviseBrief
    | Approve
    | RequestRewrite
    | RecordEdit
    | RetryFeature
    | ReplayFeature
    | StopWork
    | ResumeWork
    | StartStep
    | RecordReply
    | RecordDocument
    | RecordRecommendation
    | RecordTitle
    | RecordImplementation
    | RecordReview
    | FailAttempt
    | GiveUp
    | DiscardRun
)

AgentAnswer: TypeAlias = (
    RecordReply
    | RecordDocument
    | RecordRecommendation
    | RecordTitle
    | RecordImplementation
    | RecordReview
)
