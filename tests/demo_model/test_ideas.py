"""Every everyday idea becomes an application: no check takes its words for missing code."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from application.agents.inspection import RuleNote, StaticFinding
from application.agents.perform import perform
from application.agents.step_inputs import Message, StepInputs
from application.agents.table import agent_configs_of
from application.ports import Block, ModelAnswer, ModelRequest
from application.running.computing import Here
from domain.documents import Plan
from domain.events import FileWritten
from domain.runs import Attempt, Run, Tokens
from domain.status import Gate, Step, Verdict
from infrastructure.demo_model.answering import Answered, answered
from infrastructure.demo_model.reply import Call
from infrastructure.inspection import Inspector
from interface.cli.demo import GO_AHEAD
from tests.demo_model.ideas import IDEAS
from tests.given import holding


class Desk:
    """The demo model without its server; it remembers what it was refused."""

    def __init__(self) -> None:
        self.asked = 0
        self.refusals: list[str] = []
        self.stored: dict[str, bytes] = {}

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        self.asked += 1
        self.refusals += [
            block["content"] for block in request.messages[-1]["content"] if block.get("is_error")
        ]
        found = answered(_body(request), "ok")
        assert isinstance(found, Answered), found
        blocks = tuple(
            Block(
                "tool_use", id=f"{self.asked}-{n}", name=b.name, input=msgspec.Raw(b.raw.encode())
            )
            if isinstance(b, Call)
            else Block("text", text=b.text)
            for n, b in enumerate(found.reply.blocks)
        )
        return ModelAnswer(blocks, found.reply.stopped, Tokens(), request.model)

    async def store(self, content: bytes) -> str:
        name = str(len(self.stored))
        self.stored[name] = content
        return name

    def accepted(self, file: FileWritten) -> None:
        assert file.sha256 in self.stored

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str], plan: Plan | None = None
    ) -> Sequence[StaticFinding]:
        return await INSPECTOR.inspect(None, files, packages, plan)

    async def notes(self, files: Mapping[str, str], plan: Plan | None = None) -> Sequence[RuleNote]:
        return await INSPECTOR.notes(None, files, plan)

    async def beside(self, files: Mapping[str, str], paths: Sequence[str]) -> Sequence[str]:
        return await INSPECTOR.beside(None, files, paths)

    async def compute(self, work: Any, *args: Any) -> Any:
        return work(*args)

    def show(self, kind: str, **what: Any) -> None:
        return None


INSPECTOR = Inspector(Here())
STEPS = (
    Step.SPEC,
    Step.PLAN,
    Step.TESTS,
    Step.IMPLEMENT,
    Step.SECURITY_REVIEW,
    Step.CODE_REVIEW,
)


def _body(request: ModelRequest) -> bytes:
    return msgspec.json.encode(
        {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "system": request.system,
            "messages": request.messages,
            "tools": request.tools,
            "stream": True,
        }
    )


async def _done(desk: Desk, step: Step, material: StepInputs) -> Any:
    outcome = await perform(step, Attempt(step, 1, 1), material, desk, agent_configs_of())
    return outcome.with_run(Run())


async def _proposed(desk: Desk, idea: str) -> str:
    """The brief that comes of a conversation about an idea, as `./bp demo` leads it."""
    said = [Message("user", idea, str(UUID(int=1)))]
    for number in range(2, 12, 2):
        reply = await _done(desk, Step.CONVERSE, StepInputs(conversation=tuple(said)))
        if reply.brief_markdown is not None:
            return str(reply.brief_markdown)
        said += [
            Message("agent", reply.text, str(UUID(int=number))),
            Message("user", GO_AHEAD, str(UUID(int=number + 1))),
        ]
    raise AssertionError(said)


def test_there_are_fifty_of_them() -> None:
    assert len(IDEAS) == len(set(IDEAS)) == 50


SAMPLED = 4
"""The suite tries every fourth idea, the campaign all others."""


def _tried(number: int, idea: str) -> Any:
    marks = () if number % SAMPLED == 0 else (pytest.mark.campaign,)
    return pytest.param(idea, marks=marks, id=idea.partition("\n")[0].strip("# "))


@pytest.mark.parametrize("idea", [_tried(number, idea) for number, idea in enumerate(IDEAS)])
async def test_an_everyday_idea_becomes_an_application(idea: str) -> None:
    desk = Desk()
    material = StepInputs(brief=await _proposed(desk, idea))
    for step in STEPS:
        command = await _done(desk, step, material)
        if step in (Step.SECURITY_REVIEW, Step.CODE_REVIEW):
            assert command.verdict is Verdict.PASS, command.reasons
        elif step is Step.IMPLEMENT:
            assert command.refused == ()
            files = {f.path: desk.stored[f.sha256].decode() for f in command.files}
            material = replace(material, files=files)
        else:
            material = holding(material, Gate(step.value), command.document, command.markdown)
    # Nothing was refused on the way, either: each document at once, the files in a few answers.
    assert desk.refusals == []
