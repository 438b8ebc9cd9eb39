"""What a step is given, whom it may ask, and what comes of it.

Invariant: a step sees nothing but its material and its context; ledger, key, lease and log are the
runner's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from application.agents.freezing import Frozen
from application.agents.inspection import RuleNote, StaticFinding
from application.ports import ModelAnswer, ModelRequest
from domain import commands as c
from domain import documents as d
from domain.comments import Comment
from domain.content import sha256_of
from domain.documents import Plan
from domain.events import FileWritten, RefusedFile
from domain.feature import Feature
from domain.reading import BriefPoint, Reading, reading_of
from domain.runs import Run
from domain.status import Gate, Step

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=d.AgentDocument)


class Message(Struct, frozen=True):
    """One visible message of the conversation."""

    role: str
    """`user` or `agent`."""
    text: str
    message_id: str


class StepInputs(Struct, frozen=True, kw_only=True):
    """Everything a step may read, whatever the attempt."""

    feature: Feature = Feature()
    brief: str = ""
    """The confirmed brief's Markdown; empty while drafting."""
    recorded_reading: Reading | None = None
    """What was understood of it when it was confirmed."""
    previous_reading: Reading | None = None
    """Of the brief that the specification of an earlier epoch was made from."""
    conversation: tuple[Message, ...] = ()
    documents: Mapping[Gate, d.AgentDocument] = {}
    """What is written at each gate."""
    markdowns: Mapping[Gate, str] = {}
    """What people see of it."""
    previous: Mapping[Gate, d.AgentDocument] = {}
    """The last ones of an earlier epoch, whose ids stay stable."""
    comments: tuple[Comment, ...] = ()
    """What the person said about the previous version; each has the number of its place, from 1."""
    files: Mapping[str, str] = {}
    """The implementation by path, frozen tests included."""
    previous_files: Mapping[str, str] = {}
    """The implementation that failed its review, when it is written again; else the one that stood
    when this round began."""
    standing: Frozen | None = None
    """The application that a later round goes on from, and what of it stays; None in the first
    round, in a fork, and where it is not known."""
    accepted_files: Mapping[str, str] = {}
    """What an attempt before a retry had written when it failed."""
    refused_files: tuple[RefusedFile, ...] = ()
    """What of `files`, or of `previous_files`, the checks refused to the end."""
    reports: Mapping[Step, d.Report] = {}
    """The reviews that it failed."""
    earlier_reports: tuple[Mapping[Step, d.Report], ...] = ()
    """Those that failed before, while the same code was mended; oldest first."""
    may_change: tuple[str, ...] = ()
    """The files that may be written, while faults are mended; empty: any planned one."""
    frozen: Mapping[str, FileWritten] = {}
    """Files that stand as they are and may not be written, by path; without the tests."""

    def reports_of(self, step: Step) -> tuple[d.Report, ...]:
        """What a review found before, in all rounds, oldest first."""
        every = (*self.earlier_reports, self.reports)
        return tuple(reports[step] for reports in every if step in reports)

    @property
    def reading(self) -> Reading:
        """What is understood of the brief; as it was recorded, if it was."""
        return self.recorded_reading or reading_of(self.brief)

    @property
    def points(self) -> tuple[BriefPoint, ...]:
        """The points of the brief."""
        return self.reading.points

    @property
    def spec(self) -> d.Spec | None:
        """The specification."""
        return _as(d.Spec, self.documents.get(Gate.SPEC))

    @property
    def plan(self) -> d.Plan | None:
        """The plan."""
        return _as(d.Plan, self.documents.get(Gate.PLAN))

    @property
    def tests(self) -> d.Tests | None:
        """The contract tests."""
        return _as(d.Tests, self.documents.get(Gate.TESTS))

    @property
    def previous_spec(self) -> d.Spec | None:
        """The specification of an earlier epoch."""
        return _as(d.Spec, self.previous.get(Gate.SPEC))

    def content_sha256(self, gate: Gate) -> str:
        """What they approve: the hash of what they see."""
        return sha256_of(self.markdowns.get(gate, ""))


def _as(kind: type[T], document: object) -> T | None:
    """The document, if it is of that kind."""
    return document if isinstance(document, kind) else None


class AttemptContext(Protocol):
    """Whom a step may ask. The runner keeps the ledger, the key and the live text."""

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """One request to the model, announced and recorded.

        Raises:
            ModelError: no usable answer.
            LeaseLost: the step is another worker's by now.
        """

    async def store(self, content: bytes) -> str:
        """Keep a file; its SHA-256 in lower-case hex."""

    def accepted(self, file: FileWritten) -> None:
        """Take note of a file that is accepted and stored: it outlives a failure of the attempt.

        One of the same path replaces an earlier one.
        """

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str], plan: Plan | None = None
    ) -> Sequence[StaticFinding]:
        """Static checks by parsers; see `inspection.Inspection`."""

    async def notes(self, files: Mapping[str, str], plan: Plan | None = None) -> Sequence[RuleNote]:
        """Places that a reviewer must answer for; see `inspection.Inspection`."""

    async def beside(self, files: Mapping[str, str], paths: Sequence[str]) -> Sequence[str]:
        """Files that import one of these, or that one of them imports; see `Inspection`."""

    async def compute(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function gives, computed where long texts hold up nobody; see `computing`.

        Raises:
            StepFailed: the text took it too much time or memory.
        """

    def show(self, kind: str, **what: Any) -> None:  # noqa: ANN401 - JSON for whoever watches.
        """Live words for people: `progress` {words, turn}, `file` {path, size}."""


class StepOutcome(Struct, frozen=True):
    """What a step brought, short of what it used, which the runner knows."""

    command: c.AgentAnswer

    def with_run(self, run: Run) -> c.AgentAnswer:
        """The command to be decided."""
        return replace(self.command, run=run)
