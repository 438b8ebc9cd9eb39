"""What a step is given, whom it may ask, and what comes of it.

Invariant: a step sees nothing but its material and its desk; ledger, key, lease and log are the
runner's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from application.agents.inspection import StaticFinding
from application.ports import ModelAnswer, ModelRequest
from domain import commands as c
from domain import documents as d
from domain.content import sha256_of
from domain.feature import Feature
from domain.runs import Run
from domain.status import Gate

P = ParamSpec("P")
R = TypeVar("R")


class Message(Struct, frozen=True):
    """One visible message of the conversation."""

    role: str
    """`user` or `agent`."""
    text: str
    message_id: str


class Material(Struct, frozen=True, kw_only=True):
    """Everything a step may read, whatever the attempt."""

    feature: Feature = Feature()
    brief: str = ""
    """The confirmed brief's Markdown; empty while drafting."""
    conversation: tuple[Message, ...] = ()
    spec: d.Spec | None = None
    plan: d.Plan | None = None
    tests: d.Tests | None = None
    spec_markdown: str = ""
    plan_markdown: str = ""
    tests_markdown: str = ""
    files: Mapping[str, str] = {}
    """The implementation by path, frozen tests included."""
    previous_spec: d.Spec | None = None
    """The last one of an earlier epoch, whose ids stay stable."""
    previous_plan: d.Plan | None = None
    previous_tests: d.Tests | None = None
    previous_files: Mapping[str, str] = {}
    """The implementation that failed its review, when it is written again."""
    security_report: d.Report | None = None
    """The review that it failed, or the current one."""
    code_report: d.Report | None = None

    def document(self, gate: Gate) -> d.Spec | d.Plan | d.Tests | None:
        """The document that a gate is about."""
        return {Gate.SPEC: self.spec, Gate.PLAN: self.plan, Gate.TESTS: self.tests}[gate]

    def markdown(self, gate: Gate) -> str:
        """What people see of it."""
        return {
            Gate.SPEC: self.spec_markdown,
            Gate.PLAN: self.plan_markdown,
            Gate.TESTS: self.tests_markdown,
        }[gate]

    def content_sha256(self, gate: Gate) -> str:
        """What they approve: the hash of what they see."""
        return sha256_of(self.markdown(gate))


class Desk(Protocol):
    """Whom a step may ask. The runner keeps the ledger, the key and the live text."""

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """One request to the model, announced and recorded.

        Raises:
            ModelError: no usable answer.
            LeaseLost: the step is another worker's by now.
        """

    async def store(self, content: bytes) -> str:
        """Keep a file; its SHA-256 in lower-case hex."""

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str]
    ) -> Sequence[StaticFinding]:
        """Static checks by parsers; see `inspection.Inspection`."""

    async def compute(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function gives, computed where long texts hold up nobody; see `computing`.

        Raises:
            StepFailed: the text took it too much time or memory.
        """

    def show(self, kind: str, **what: Any) -> None:  # noqa: ANN401 - JSON for whoever watches.
        """Live words for people: `progress` {words, turn}, `file` {path, size}."""


class Outcome(Struct, frozen=True):
    """What a step brought, short of what it used, which the runner knows."""

    command: c.AgentAnswer

    def with_run(self, run: Run) -> c.AgentAnswer:
        """The command to be decided."""
        return replace(self.command, run=run)
