"""What agents hand over, as structures: the people's Markdown is rendered from these by code.

Every struct is also the schema of the tool an agent answers with, so a docstring or a field's
comment here is part of what the model reads.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from domain.status import Recommendation

Line = Annotated[str, Meta(min_length=1, max_length=2_000)]
Ident = Annotated[str, Meta(pattern=r"^[A-Z]{1,3}-[0-9]{1,4}$")]
Path = Annotated[str, Meta(min_length=1, max_length=240)]


class AgentDocument(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something an agent hands over."""


class Example(AgentDocument, frozen=True):
    """A concrete example of wanted behaviour."""

    given: Line
    when: Line
    then: Line


class Point(AgentDocument, frozen=True):
    """One thing the software must do, as the user put it. Ids are BF-1, BF-2, …"""

    id: Ident
    text: Line
    sources: tuple[str, ...] = ()
    """The conversation's messages it comes from, by id."""


class Brief(AgentDocument, frozen=True):
    """The brief proposed to the user."""

    title: Line
    goal: Line
    users: tuple[Line, ...]
    must_haves: Annotated[tuple[Point, ...], Meta(min_length=1, max_length=60)]
    wont_haves: tuple[Line, ...] = ()
    data: tuple[Line, ...] = ()
    examples: tuple[Example, ...] = ()
    constraints: tuple[Line, ...] = ()
    assumptions: tuple[Line, ...] = ()


class Question(AgentDocument, frozen=True):
    """One question to the user, answerable by a click."""

    question: Line
    why: Line
    options: Annotated[tuple[Line, ...], Meta(max_length=6)] = ()
    recommended: Line | None = None


class Criterion(AgentDocument, frozen=True):
    """An acceptance criterion. Ids are AC-1, AC-2, … across the whole specification."""

    id: Ident
    given: Line
    when: Line
    then: Line


class Priority(StrEnum):
    """How much a requirement matters."""

    MUST = "must"
    SHOULD = "should"
    COULD = "could"


class Requirement(AgentDocument, frozen=True):
    """A functional requirement. Ids are FR-1, FR-2, …"""

    id: Ident
    actor: Line
    trigger: Line
    response: Line
    sources: Annotated[tuple[Ident, ...], Meta(min_length=1)]
    """The points of the brief (BF-n) it comes from."""
    criteria: Annotated[tuple[Criterion, ...], Meta(min_length=1)]
    priority: Priority = Priority.MUST


class Field(AgentDocument, frozen=True):
    """One field of an entity."""

    name: Line
    type: Line
    required: bool = True
    note: str = ""


class Entity(AgentDocument, frozen=True):
    """A thing the software keeps."""

    name: Line
    description: Line
    fields: Annotated[tuple[Field, ...], Meta(min_length=1)]


class Role(AgentDocument, frozen=True):
    """Who may do what."""

    name: Line
    may: tuple[Line, ...]


class ErrorCase(AgentDocument, frozen=True):
    """What goes wrong, and what the user then sees."""

    when: Line
    then: Line


class Exclusion(AgentDocument, frozen=True):
    """What is left out on purpose, with the points of the brief it answers."""

    text: Line
    sources: tuple[Ident, ...] = ()


class AlsoChanged(AgentDocument, frozen=True):
    """Something that was to stay as it is, and that the change is impossible without."""

    id: Line
    """As it stands in `frozen`."""
    reason: Line
    """Why, in words for the user."""


class Spec(AgentDocument, frozen=True):
    """The specification."""

    title: Line
    summary: Line
    requirements: Annotated[tuple[Requirement, ...], Meta(min_length=1, max_length=200)]
    entities: tuple[Entity, ...] = ()
    roles: tuple[Role, ...] = ()
    bounds: tuple[Line, ...] = ()
    """Non-functional bounds: speed, size, privacy, accessibility."""
    errors: tuple[ErrorCase, ...] = ()
    out_of_scope: tuple[Exclusion, ...] = ()
    superseded: tuple[Ident, ...] = ()
    """Ids of an earlier version that no longer hold. Ids are never used again."""
    also_changed: tuple[AlsoChanged, ...] = ()
    """Requirements of `frozen` that must change all the same."""


class CommentAnswer(AgentDocument, frozen=True):
    """What was done about a comment."""

    comment: Annotated[int, Meta(ge=1)]
    """The comment's number."""
    done: Line
    """What you did, or why you left it as it is, in plain words for the user."""
    changed: tuple[Line, ...] = ()
    """Everything that you changed, added or took away for it: ids, paths, names, or `title` and
    `summary`. What is named by no comment and no answer stays as it was."""


class SaidSpec(Spec, frozen=True):
    """The specification, with what was done about comments on its previous version."""

    answers: tuple[CommentAnswer, ...] = ()
    """To each of `comments`, by its number."""


class Decision(AgentDocument, frozen=True):
    """A choice and its reason."""

    choice: Line
    reason: Line


class PlannedFile(AgentDocument, frozen=True):
    """A file to be written, owned by exactly one task."""

    path: Path
    purpose: Line
    task: Ident


class Interface(AgentDocument, frozen=True):
    """Another boundary, in words: a format of files, a message, a setting."""

    name: Line
    description: Line


class PlannedExport(AgentDocument, frozen=True):
    """What a file gives to others, so that tests and code agree without seeing each other."""

    path: Path
    name: Line
    """`default` for the default export."""
    signature: Line
    """Of a function `(loans: Loan[], today: string): Loan[]`; else its type, or what it is."""


class HttpMethod(StrEnum):
    """The method of a route."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


ANYBODY: Final = "anybody"
SIGNED_IN: Final = "signed in"
"""Beside the roles of the specification: who may call a route."""


class PlannedAnswer(AgentDocument, frozen=True):
    """What a route may answer."""

    status: Annotated[int, Meta(ge=100, le=599)]
    body: str = ""
    """What it holds, in words or as a type."""


class PlannedRoute(AgentDocument, frozen=True):
    """An address of the server."""

    method: HttpMethod
    path: Line
    """From the first slash on, what varies as `:name`."""
    who: Annotated[tuple[Line, ...], Meta(min_length=1)]
    """Roles of the specification, `signed in`, or `anybody`."""
    answers: Annotated[tuple[PlannedAnswer, ...], Meta(min_length=1)]
    input: str = ""
    """What is sent: fields of the query and of the body, with their types."""


class PlannedColumn(AgentDocument, frozen=True):
    """A column of a table."""

    name: Line
    type: Line
    """As PostgreSQL names it."""
    note: str = ""
    """Whether it may be empty, what it refers to, what it must fulfil."""


class PlannedTable(AgentDocument, frozen=True):
    """A table of the database."""

    name: Line
    columns: Annotated[tuple[PlannedColumn, ...], Meta(min_length=1)]


class Task(AgentDocument, frozen=True):
    """A piece of implementation work. Ids are T-1, T-2, …"""

    id: Ident
    title: Line
    requirements: tuple[Ident, ...]
    writes: tuple[Path, ...]
    reads: tuple[Path, ...] = ()
    depends_on: tuple[Ident, ...] = ()
    done_when: Line = "The files are complete."


class Plan(AgentDocument, frozen=True):
    """The implementation plan."""

    summary: Line
    files: Annotated[tuple[PlannedFile, ...], Meta(min_length=1, max_length=400)]
    tasks: Annotated[tuple[Task, ...], Meta(min_length=1, max_length=200)]
    decisions: tuple[Decision, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    packages: tuple[Line, ...] = ()
    """Third-party packages the code may import, by name."""
    exports: Annotated[tuple[PlannedExport, ...], Meta(max_length=400)] = ()
    routes: Annotated[tuple[PlannedRoute, ...], Meta(max_length=200)] = ()
    tables: Annotated[tuple[PlannedTable, ...], Meta(max_length=100)] = ()
    also_changed: tuple[AlsoChanged, ...] = ()
    """Tasks, files and interfaces of `frozen` that must change all the same."""


class SaidPlan(Plan, frozen=True):
    """The implementation plan, with what was done about comments on its previous version."""

    answers: tuple[CommentAnswer, ...] = ()
    """To each of `comments`, by its number."""


class SourceFile(AgentDocument, frozen=True):
    """A whole file."""

    path: Path
    content: str


class TestFile(AgentDocument, frozen=True):
    """A test file and what it covers, or a file that helps tests and covers nothing."""

    __test__ = False

    path: Path
    content: Annotated[str, Meta(min_length=1)]
    covers: tuple[Ident, ...] = ()
    """Requirements (FR-n) and criteria (AC-n). Empty of a helper, which holds no test."""


class Untestable(AgentDocument, frozen=True):
    """What no test covers, and why."""

    id: Ident
    reason: Line


class Tests(AgentDocument, frozen=True):
    """The contract tests, written before the code and frozen once approved."""

    __test__ = False

    summary: Line
    files: Annotated[tuple[TestFile, ...], Meta(min_length=1, max_length=100)]
    untestable: tuple[Untestable, ...] = ()
    also_changed: tuple[AlsoChanged, ...] = ()
    """Test files of `frozen` that must change all the same."""


class SaidTests(Tests, frozen=True):
    """The contract tests, with what was done about comments on their previous version."""

    answers: tuple[CommentAnswer, ...] = ()
    """To each of `comments`, by its number."""


class Severity(StrEnum):
    """How bad a finding is."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Confidence(StrEnum):
    """How sure the reviewer is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class ReturnStage(StrEnum):
    """Where to go back to."""

    SPEC = "spec"
    PLAN = "plan"
    TESTS = "tests"
    IMPLEMENT = "implement"


class SaidFinding(AgentDocument, frozen=True):
    """Something wrong, with an exact quote as evidence."""

    title: Line
    severity: Severity
    confidence: Confidence
    path: Path
    line: Annotated[int, Meta(ge=1)]
    """The number of the first quoted line."""
    quote: Line
    """Copied exactly from the file, without the line numbers."""
    explanation: Line
    fix: Line
    back_to: ReturnStage = ReturnStage.IMPLEMENT
    end_line: Annotated[int, Meta(ge=0)] = 0
    """The number of the last quoted line; 0 if it is the first."""
    may_stay: str = ""
    """Of a medium finding: why the software may be handed over with it. Empty: it may not. Of a
    lesser one that names a grave weakness: why it does no harm, with the path that shows it."""


class Finding(SaidFinding, frozen=True):
    """A finding as it is recorded, with what code makes of it."""

    fingerprint: str = ""
    """Of review, path and quoted text: the same wherever the lines have moved."""
    placed: bool = True
    """Whether the quote stands in a file; then `path` and `line` say where it really does."""
    note: str = ""
    """Where it was placed otherwise than the reviewer said, or the nearest text if nowhere."""


class ControlState(StrEnum):
    """Whether a control of the checklist is met."""

    MET = "met"
    NOT_MET = "not_met"
    NOT_APPLICABLE = "not_applicable"


class Control(AgentDocument, frozen=True):
    """One control of the checklist (OWASP ASVS or ISM), with evidence."""

    id: Line
    name: Line
    state: ControlState
    evidence: Line


class ReadFile(AgentDocument, frozen=True):
    """A file that was read, to its last line."""

    path: Path
    last_line: Annotated[int, Meta(ge=0)]
    """The number of the last line that was read; 0 of an empty file."""


class FindingAnswer(AgentDocument, frozen=True):
    """The answer to an earlier finding, or to the finding of a rule."""

    id: Line
    stands: bool
    """Whether the fault is in the files as they are now."""
    reason: Line
    """Why, with the path of the file that shows it."""


class SaidReport(AgentDocument, frozen=True):
    """A review: findings and controls. Code computes the verdict from them."""

    summary: Line
    findings: Annotated[tuple[SaidFinding, ...], Meta(max_length=200)] = ()
    controls: tuple[Control, ...] = ()
    not_reviewed: tuple[Line, ...] = ()
    """What was not judged, a line each, with its path or id first and the reason."""
    read: tuple[ReadFile, ...] = ()
    """Every file that was read."""
    answers: tuple[FindingAnswer, ...] = ()
    """To each of `earlier_findings` and `rule_findings`, by id."""


class Report(AgentDocument, frozen=True):
    """A review as it is recorded: all that the reviewer said, whatever the verdict."""

    summary: str
    findings: tuple[Finding, ...] = ()
    controls: tuple[Control, ...] = ()
    not_reviewed: tuple[Line, ...] = ()
    read: tuple[ReadFile, ...] = ()
    answers: tuple[FindingAnswer, ...] = ()
    raw: tuple[str, ...] = ()
    """What was handed over in another shape than was asked for, as it came."""
    prose: str = ""
    """What was said beside what was handed over."""


class Reason(AgentDocument, frozen=True):
    """A reason that cites ids of the documents."""

    text: Line
    ids: tuple[Ident, ...] = ()


class Alignment(AgentDocument, frozen=True):
    """The recommendation at a gate, for a reader who is no developer."""

    recommendation: Recommendation
    reasons: Annotated[tuple[Reason, ...], Meta(max_length=3)]
    summary: Line


class Cited(AgentDocument, frozen=True):
    """An id and the sentence that it stands for."""

    id: Ident
    text: str


class Title(AgentDocument, frozen=True):
    """A title of at most six words, in the user's vocabulary."""

    title: Annotated[str, Meta(min_length=1, max_length=80)]
