"""Tests as sentences: `given(events).when(command).then(events)` or `.refused(Refusal)`.

Also the small cast of facts and commands that tell a feature's ordinary life.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from application.agents.step_inputs import StepInputs
from domain import commands as c
from domain import documents as d
from domain import events as e
from domain.content import sha256_of
from domain.decider import decide
from domain.errors import Refused
from domain.feature import Feature, evolve, fold
from domain.forking import fork_of
from domain.mending import CodeFault
from domain.pipeline import AGENT_OF, ANSWER_OF, GATE_OF, RESULT_OF
from domain.recorded import Recorded
from domain.runs import Attempt, InputFingerprint, Run, Tokens
from domain.status import Gate, Recommendation, Step, Verdict
from tests.golden.filled import filled

TASK = UUID(int=7)
MESSAGE = UUID(int=8)
PARENT = UUID(int=9)
PERSON = "user:00000000-0000-0000-0000-000000000003"
BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
RUN = Run(Tokens(100, 50), Decimal("0.0042"), 1.5, 1)

SPEC = d.Spec(
    title="Tool library",
    summary="Neighbours lend tools.",
    requirements=(
        d.Requirement(
            "FR-1",
            "member",
            "asks for a tool",
            "the tool is reserved",
            ("BF-1",),
            (d.Criterion("AC-1", "a free tool", "a member asks", "it is reserved"),),
        ),
    ),
)
PLAN = d.Plan(
    summary="One file.",
    files=(d.PlannedFile("src/server.ts", "the server", "T-1"),),
    tasks=(d.Task("T-1", "Server", ("FR-1",), ("src/server.ts",)),),
)
TESTS = d.Tests(
    summary="One test.",
    files=(d.TestFile("tests/lend.test.ts", "assert.ok(true)", ("FR-1", "AC-1")),),
)
REPORT = d.Report(summary="Nothing found.")
SOURCE = b"console.log(1)\n"
FILES = (e.FileWritten("src/server.ts", len(SOURCE), sha256(SOURCE).hexdigest()),)


def manifest(step: Step, salt: str = "") -> InputFingerprint:
    """A manifest whose hash differs by step and salt."""
    sha = sha256_of(f"{step}{salt}")
    return InputFingerprint("claude-sonnet-5-5", "cd" * 32, "prices-2026-11", {}, {}, sha)


def holding(
    material: StepInputs, gate: Gate, document: d.AgentDocument, markdown: str = ""
) -> StepInputs:
    """What a step may read, with a document at a gate."""
    return replace(
        material,
        documents={**material.documents, gate: document},
        markdowns={**material.markdowns, gate: markdown or material.markdowns.get(gate, "")},
    )


def start(feature: Feature, step: Step, salt: str = "") -> c.StartStep:
    """The announcement of the next attempt of a due step."""
    return c.StartStep(step, feature.due[step], AGENT_OF[step], TASK, manifest(step, salt))


def answer(feature: Feature, step: Step, *, verdict: Verdict = Verdict.PASS) -> c.FeatureCommand:
    """A good answer to the running attempt of a step."""
    attempt = feature.running[step]
    sha = manifest(step).sha256
    match step:
        case _ if step not in TOLD:
            return made_up(attempt, sha)
        case Step.CONVERSE:
            return c.RecordReply(attempt, RUN, MESSAGE, "Who will use it?")
        case Step.SPEC:
            return c.RecordDocument(attempt, RUN, SPEC, f"# Spec {feature.epoch}", sha)
        case Step.PLAN:
            return c.RecordDocument(attempt, RUN, PLAN, f"# Plan {feature.epoch}", sha)
        case Step.TESTS:
            return c.RecordDocument(attempt, RUN, TESTS, f"# Tests {feature.epoch}", sha)
        case Step.TITLE:
            return c.RecordTitle(attempt, RUN, "Tool library")
        case Step.IMPLEMENT:
            return c.RecordImplementation(attempt, RUN, FILES, sha)
        case Step.SECURITY_REVIEW | Step.CODE_REVIEW:
            return c.RecordReview(attempt, RUN, REPORT, "# Review", sha, verdict)
        case Step.ALIGN_SPEC | Step.ALIGN_PLAN | Step.ALIGN_TESTS:
            gate = Gate(step.removeprefix("align_"))
            shown = feature.content.deliverable(gate)
            advice = d.Alignment(Recommendation.REVISE, (), "It lost a wish.")
            return c.RecordRecommendation(
                attempt, RUN, gate, shown.content_sha256 if shown else "", advice, sha
            )


def faulty(*names: str, path: str = "src/server.ts", **more: Any) -> tuple[CodeFault, ...]:
    """Faults of these fingerprints, all in one file."""
    given = {"severity": d.Severity.HIGH, "says": "High: it leaks.", "paths": (path,), **more}
    return tuple(CodeFault(name, **given) for name in names)


def failing(
    feature: Feature, step: Step, faults: tuple[CodeFault, ...], rounds: int | None = 2
) -> c.RecordReview:
    """A review that fails the code for these faults."""
    said = answer(feature, step, verdict=Verdict.FAIL)
    assert isinstance(said, c.RecordReview)
    return replace(said, faults=faults, reviewed_files=2, mending_rounds=rounds)


TOLD = frozenset(
    {
        Step.CONVERSE,
        Step.SPEC,
        Step.PLAN,
        Step.TESTS,
        Step.TITLE,
        Step.IMPLEMENT,
        Step.SECURITY_REVIEW,
        Step.CODE_REVIEW,
        *GATE_OF,
    }
)
"""Steps whose answers are written out; whatever others record is made up from its shape."""


def made_up(attempt: Attempt, sha: str) -> c.FeatureCommand:
    """An answer of any step, as its result may be recorded."""
    result = filled(RESULT_OF[attempt.step])[0]
    kind = ANSWER_OF[attempt.step]
    known = {"attempt": attempt, "run": RUN, "manifest_sha256": sha, "reused_from": None}
    values = {
        name: known[name] if name in known else getattr(result, name)
        for name in kind.__struct_fields__
    }
    return kind(**values)


def approve(feature: Feature, gate: Gate) -> c.Approve:
    """An approval of exactly what stands at the gate."""
    shown = feature.content.deliverable(gate)
    assert shown is not None
    return c.Approve(gate, shown.content_sha256)


def recorded(event: e.FeatureEvent, version: int, actor: str, at: datetime) -> Recorded:
    """An event as it would stand in the log, in the stream of one feature alone."""
    return Recorded(
        position=version,
        tenant_id=UUID(int=1),
        feature_id=UUID(int=2),
        version=version,
        event_id=UUID(int=1000 + version),
        type=e.tag_of(event),
        schema_version=event.schema_version,
        event=event,
        actor=actor,
        correlation_id=UUID(int=4),
        causation_id=None,
        recorded_at=at,
        hash=bytes([version % 256]) * 32,
        previous_hash=bytes([(version - 1) % 256]) * 32,
    )


class Story:
    """A feature's life so far, told by commands; `events` is its log."""

    def __init__(self, *events: e.FeatureEvent) -> None:
        self.events: list[e.FeatureEvent] = list(events)
        self.feature = fold(events)

    def do(self, command: c.FeatureCommand) -> "Story":
        """A command that is accepted."""
        for event in decide(command, self.feature, shown=self.shown(command)):
            self.events.append(event)
            self.feature = evolve(self.feature, event)
        return self

    def shown(self, command: c.FeatureCommand) -> e.FeatureEvent | None:
        """The event of the document at the gate that a command is about."""
        gate = getattr(command, "gate", None)
        made = self.feature.content.deliverable(gate) if gate else None
        return e.told(self.events[made.version - 1]) if made else None

    def fork(self, version: int, title: str | None = None, *, brief_only: bool = False) -> "Story":
        """The life of a fork from one of its checkpoints; its own goes on beside it."""
        history = [
            recorded(event, n, PERSON, BEGINNING + timedelta(seconds=n))
            for n, event in enumerate(self.events[:version], 1)
        ]
        command = c.ForkFeature(version, title, brief_only)
        return Story(*fork_of(command, PARENT, self.feature, history, "ab" * 32))

    def work(self, step: Step, *, verdict: Verdict = Verdict.PASS, salt: str = "") -> "Story":
        """An attempt of a due step, announced and answered."""
        self.do(start(self.feature, step, salt))
        given_answer = answer(self.feature, step, verdict=verdict)
        if salt and hasattr(given_answer, "manifest_sha256"):
            given_answer = replace(given_answer, manifest_sha256=manifest(step, salt).sha256)
        return self.do(given_answer)

    def reviewed(self, *names: str, rounds: int | None = 2, **more: Any) -> "Story":
        """Both reviews of the code; the second fails it for these faults, or passes without any."""
        self.work(Step.SECURITY_REVIEW).do(start(self.feature, Step.CODE_REVIEW))
        if not names:
            return self.do(answer(self.feature, Step.CODE_REVIEW))
        faults = faulty(*names, **more)
        return self.do(failing(self.feature, Step.CODE_REVIEW, faults, rounds))

    def approve(self, gate: Gate) -> "Story":
        """A person's yes."""
        return self.do(approve(self.feature, gate))


def drafted(title: str = "Tools") -> Story:
    """A feature that was just created."""
    return Story().do(c.CreateFeature(title))


def at_gate(gate: Gate) -> Story:
    """A feature whose deliverable waits for approval at a gate."""
    story = drafted().do(c.ConfirmBrief("- BF-1 lend tools")).work(Step.SPEC)
    if gate is not Gate.SPEC:
        story.approve(Gate.SPEC).work(Step.PLAN)
    if gate is Gate.TESTS:
        story.approve(Gate.PLAN).work(Step.TESTS)
    return story


def in_review() -> Story:
    """A feature whose implementation waits for its reviews."""
    return at_gate(Gate.TESTS).approve(Gate.TESTS).work(Step.IMPLEMENT)


def done() -> Story:
    """A feature that passed both reviews."""
    return in_review().work(Step.SECURITY_REVIEW).work(Step.CODE_REVIEW)


def attempt_of(story: Story, step: Step) -> Attempt:
    """The running attempt of a step."""
    return story.feature.running[step]


class Given:
    """The part of a sentence after `given`."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._command: c.FeatureCommand | None = None

    def when(self, command: c.FeatureCommand) -> "Given":
        """The command under test."""
        self._command = command
        return self

    def then(self, *expected: e.FeatureEvent) -> None:
        """It is answered with exactly these events."""
        assert self._command is not None
        shown = self._story.shown(self._command)
        assert decide(self._command, self._story.feature, shown=shown) == expected

    def refused(self, refusal: type[Refused]) -> Refused:
        """It is refused, and nothing happens."""
        assert self._command is not None
        shown = self._story.shown(self._command)
        with pytest.raises(refusal) as caught:
            decide(self._command, self._story.feature, shown=shown)
        return caught.value


def given(story: Story) -> Given:
    """Begin a sentence."""
    return Given(story)
