"""A context whose model answers by script, and material for every step."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from application.agents.inspection import RuleNote, StaticFinding
from application.agents.perform import perform
from application.agents.step_inputs import Message, StepInputs
from application.agents.table import agent_configs_of
from application.ports import Block, ModelAnswer, ModelError, ModelRequest
from domain import commands as c
from domain import documents as d
from domain.events import FileWritten
from domain.runs import Attempt, Run, Tokens
from domain.status import Gate, Step
from infrastructure.computing.frames import signature_of
from infrastructure.inspection.imports import neighbours
from tests.given import holding

BRIEF = """# Repairs

## What it must do

- **BF-1** Customers ask for a repair.
- **BF-2** I confirm or refuse it.
"""
USER = "019a0000-0000-7000-8000-000000000001"
AGENT = "019a0000-0000-7000-8000-000000000002"

SPEC = d.Spec(
    title="Repairs",
    summary="Customers ask, the owner answers.",
    requirements=(
        d.Requirement(
            "FR-1", "customer", "asks for a repair", "keeps the request", ("BF-1",),
            (d.Criterion("AC-1", "a bicycle", "its owner asks", "the request is listed"),),
        ),
        d.Requirement(
            "FR-2", "owner", "confirms a request", "marks it as confirmed", ("BF-2",),
            (d.Criterion("AC-2", "a request", "the owner confirms", "it shows as confirmed"),),
        ),
    ),
)  # fmt: skip
PLAN = d.Plan(
    summary="Two files.",
    files=(
        d.PlannedFile("src/requests.ts", "keeps requests", "T-1"),
        d.PlannedFile("README.md", "how to start it", "T-2"),
    ),
    tasks=(
        d.Task("T-1", "Requests", ("FR-1", "FR-2"), ("src/requests.ts",)),
        d.Task("T-2", "Words", (), ("README.md",), depends_on=("T-1",)),
    ),
    packages=("pg",),
)
"""Of a time when plans named no exports."""
_PROJECT = ("package.json", "tsconfig.json", ".env.example")
WHOLE_PLAN = replace(
    PLAN,
    files=(*PLAN.files, *(d.PlannedFile(path, "sets it up", "T-2") for path in _PROJECT)),
    tasks=(PLAN.tasks[0], replace(PLAN.tasks[1], writes=("README.md", *_PROJECT))),
    exports=(
        d.PlannedExport("src/requests.ts", "Repair", "interface"),
        d.PlannedExport("src/requests.ts", "ask", "(part: string): Repair"),
    ),
)
TEST_CODE = """import test from "node:test";
import assert from "node:assert/strict";
import { ask } from "../src/requests.js";

test("FR-1 AC-1 FR-2 AC-2: a request is listed", () => {
  assert.equal(ask("chain").state, "asked");
});
"""
TESTS = d.Tests(
    summary="Requests are kept.",
    files=(d.TestFile("tests/requests.test.ts", TEST_CODE, ("FR-1", "AC-1", "FR-2", "AC-2")),),
)
CODE = """export interface Repair {
  part: string;
  state: "asked" | "confirmed";
}

export function ask(part: string): Repair {
  return { part, state: "asked" };
}
"""
README = "# Repairs\n\nRun `npm start`.\n"
FILES = {"src/requests.ts": CODE, "README.md": README, "tests/requests.test.ts": TEST_CODE}
REPORT = d.Report(summary="Nothing stands out.")
BEFORE_SPEC = StepInputs(brief=BRIEF)
BEFORE_PLAN = holding(BEFORE_SPEC, Gate.SPEC, SPEC, "# Repairs\n")
BEFORE_TESTS = holding(BEFORE_PLAN, Gate.PLAN, PLAN, "# Plan\n")
BEFORE_CODE = holding(BEFORE_TESTS, Gate.TESTS, TESTS, "# Tests\n")
BEFORE_REVIEW = replace(BEFORE_CODE, files=FILES)
TALKING = StepInputs(conversation=(Message("user", "I mend bicycles.", USER),))

_NUMBERS = iter(range(1, 1_000_000))


def call(name: str, given: Any) -> Block:
    """A completed tool call."""
    raw = given if isinstance(given, bytes) else msgspec.json.encode(given)
    return Block("tool_use", id=f"call-{next(_NUMBERS)}", name=name, input=Raw(raw))


def prose(text: str) -> Block:
    return Block("text", text=text)


def answer(*blocks: Block, stop: str = "", truncated: bool = False) -> ModelAnswer:
    """An answer of these blocks; its stop reason follows from them unless it is given."""
    used = any(block.type == "tool_use" for block in blocks)
    return ModelAnswer(
        blocks, stop or ("tool_use" if used else "end_turn"), Tokens(10, 5), "model",
        truncated=truncated,
    )  # fmt: skip


def cut(*blocks: Block) -> ModelAnswer:
    """An answer that ended at its limit, the open block dropped."""
    return answer(*blocks, stop="max_tokens", truncated=True)


def written(files: Mapping[str, str]) -> Block:
    return call("write_files", {"files": [{"path": p, "content": t} for p, t in files.items()]})


class ScriptedContext:
    """Answers one request after the other; what it was asked, stored and showed can be read."""

    def __init__(
        self,
        *answers: ModelAnswer | ModelError,
        inspect: Callable[[Mapping[str, str]], Sequence[StaticFinding]] = lambda _: (),
        notes: Sequence[RuleNote] = (),
    ) -> None:
        self.answers = list(answers)
        self.requests: list[ModelRequest] = []
        self.stored: dict[str, bytes] = {}
        self.kept: dict[str, FileWritten] = {}
        self.shown: list[tuple[str, dict[str, Any]]] = []
        self.inspected: list[Mapping[str, str]] = []
        self._inspect = inspect
        self._notes = notes

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        # Kept as bytes and read again, so that a later change to it would be seen as a defect.
        self.requests.append(msgspec.json.decode(msgspec.json.encode(request), type=ModelRequest))
        found = self.answers.pop(0)
        if isinstance(found, ModelError):
            raise found
        return found

    async def store(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.stored[digest] = content
        return digest

    def accepted(self, file: FileWritten) -> None:
        self.kept[file.path] = file

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str], plan: Any = None
    ) -> Sequence[StaticFinding]:
        self.inspected.append(dict(files))
        return self._inspect(files)

    async def notes(self, files: Mapping[str, str], plan: Any = None) -> Sequence[RuleNote]:
        return self._notes

    async def beside(self, files: Mapping[str, str], paths: Sequence[str]) -> Sequence[str]:
        return neighbours(dict(files), tuple(paths))

    async def compute(self, work: Callable[..., Any], *args: Any) -> Any:
        # Through the very encoding that takes it to another process.
        signature = signature_of(work)
        given = msgspec.msgpack.decode(msgspec.msgpack.encode(args), type=signature.takes)
        return msgspec.msgpack.decode(msgspec.msgpack.encode(work(*given)), type=signature.gives)

    def show(self, kind: str, **what: Any) -> None:
        self.shown.append((kind, what))

    @property
    def last_words(self) -> str:
        """Everything that the last request's last message says."""
        return _text(self.requests[-1].messages[-1])


def _text(message: dict[str, Any]) -> str:
    return "\n".join(
        str(block.get("text") or block.get("content") or "") for block in message["content"]
    )


def first_message(request: ModelRequest) -> str:
    return _text(request.messages[0])


def attempt(step: Step) -> Attempt:
    return Attempt(step, 1, 1)


async def done(step: Step, material: StepInputs, context: ScriptedContext) -> c.AgentAnswer:
    """What the step gives, all scripted answers used."""
    outcome = await perform(step, attempt(step), material, context, agent_configs_of())
    assert not context.answers
    return outcome.with_run(Run(turns=len(context.requests)))
