"""All nine agents, from a brief to reviewed files, through the SDK against the demo model."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from application.agents.failures import StepFailed
from application.agents.inspection import RuleNote, StaticFinding
from application.agents.perform import perform
from application.agents.step_inputs import Message, StepInputs
from application.agents.table import agent_configs_of
from application.ports import ModelAnswer, ModelRequest
from application.running.computing import Here
from domain.events import FileWritten
from domain.reading import reading_of
from domain.runs import Attempt, Run
from domain.status import Gate, Recommendation, Step, Verdict
from infrastructure.anthropic.model import AnthropicModel
from infrastructure.demo_model import DemoModel
from infrastructure.inspection import Inspector
from tests.given import holding

pytestmark = pytest.mark.servers

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.md"))
KEY = "sk-ant-test-0123456789"
MESSAGE = UUID(int=1)


class RealDesk:
    """A context without ledger and store: the model and the parsers are real."""

    def __init__(self, url: str) -> None:
        self.model = AnthropicModel(url)
        self.files: dict[str, bytes] = {}
        self.kept: dict[str, FileWritten] = {}
        self.asked = 0
        self._inspector = Inspector(Here())

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        self.asked += 1
        return await self.model.ask(
            request,
            KEY,
            idempotency_key=f"test-{self.asked}",
            on_text=lambda _: None,
            on_draft=lambda _: None,
            on_progress=lambda: None,
        )

    async def store(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.files[digest] = content
        return digest

    def accepted(self, file: FileWritten) -> None:
        self.kept[file.path] = file

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str], plan: Any = None
    ) -> Sequence[StaticFinding]:
        return await self._inspector.inspect(None, files, packages, plan)

    async def notes(self, files: Mapping[str, str], plan: Any = None) -> Sequence[RuleNote]:
        return await self._inspector.notes(None, files, plan)

    async def beside(self, files: Mapping[str, str], paths: Sequence[str]) -> Sequence[str]:
        return await self._inspector.beside(None, files, paths)

    async def compute(self, work: Any, *args: Any) -> Any:
        return work(*args)

    def show(self, kind: str, **what: Any) -> None:
        pass


class Pipeline:
    """Steps one after the other; each adds what it made to the material."""

    def __init__(self, demo: DemoModel, brief: str) -> None:
        self.demo = demo
        self.context = RealDesk(demo.url)
        self.material = StepInputs(brief=brief)

    async def do(self, step: Step) -> Any:
        outcome = await perform(
            step, Attempt(step, 1, 1), self.material, self.context, agent_configs_of()
        )
        return outcome.with_run(Run())

    async def until(self, last: Step) -> Any:
        """Everything up to and with `last`."""
        for step in (Step.SPEC, Step.PLAN, Step.TESTS, Step.IMPLEMENT, Step.SECURITY_REVIEW):
            done = await self.do(step)
            if step is last:
                return done
            self.keep(step, done)
        raise AssertionError(last)

    def keep(self, step: Step, done: Any) -> None:
        if step is Step.IMPLEMENT:
            files = {f.path: self.context.files[f.sha256].decode() for f in done.files}
            self.material = replace(self.material, files=files)
        else:
            gate = Gate(step.value)
            self.material = holding(self.material, gate, done.document, done.markdown)


@pytest.fixture
async def demo():
    async with DemoModel(pace=0.0) as running:
        yield running


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
async def test_a_brief_becomes_files_that_pass_their_reviews(demo, example):
    line = Pipeline(demo, example.read_text())
    spec = await line.do(Step.SPEC)
    line.keep(Step.SPEC, spec)
    answered = {s for r in spec.document.requirements for s in r.sources}
    answered |= {s for x in spec.document.out_of_scope for s in x.sources}
    assert answered == {point.id for point in reading_of(line.material.brief).points}
    assert 1 <= len((await line.do(Step.TITLE)).title.split()) <= 6
    for step, gate in (
        (Step.PLAN, Step.ALIGN_SPEC),
        (Step.TESTS, Step.ALIGN_PLAN),
        (Step.IMPLEMENT, Step.ALIGN_TESTS),
    ):
        assert (await line.do(gate)).document.recommendation in Recommendation
        line.keep(step, await line.do(step))
    assert {f.path for f in line.material.plan.files} < set(line.material.files)
    for step in (Step.SECURITY_REVIEW, Step.CODE_REVIEW):
        review = await line.do(step)
        assert review.verdict is Verdict.PASS, review.reasons
        assert review.dropped_findings == 0
    await line.context.model.close()


async def test_a_conversation_is_answered(demo):
    line = Pipeline(demo, "")
    said = Message("user", "We lend tools to our neighbours.", str(MESSAGE))
    line.material = StepInputs(conversation=(said,))
    reply = await line.do(Step.CONVERSE)
    assert reply.text
    assert reply.question or reply.brief
    await line.context.model.close()


STEP_OF = {
    "spec": Step.SPEC,
    "planner": Step.PLAN,
    "contract_test": Step.TESTS,
    "implementer": Step.IMPLEMENT,
    "security_review": Step.SECURITY_REVIEW,
}


@pytest.mark.parametrize(
    ("agent", "fault"),
    [
        *((agent, "truncated_tool") for agent in STEP_OF),
        *((agent, "malformed_json") for agent in STEP_OF),
        *((agent, "empty_answer") for agent in STEP_OF),
        *((agent, "prose_instead_of_tool") for agent in STEP_OF),
        ("spec", "wrong_ids"),
        ("planner", "wrong_ids"),
        ("contract_test", "wrong_ids"),
        ("implementer", "bad_paths"),
        ("implementer", "missing_file"),
        ("implementer", "placeholder"),
    ],
)
async def test_one_spoiled_answer_is_mended(demo, agent, fault):
    line = Pipeline(demo, EXAMPLES[0].read_text())
    demo.script(agent, [fault])
    await line.until(STEP_OF[agent])
    assert any(entry.fault == fault for entry in demo.requests)
    await line.context.model.close()


@pytest.mark.parametrize(
    ("agent", "fault", "code"),
    [
        ("spec", "refusal", "model_refused"),
        ("spec", "wrong_ids", "check_failed"),
        ("spec", "truncated_tool", "answer_too_long"),
        ("planner", "malformed_json", "check_failed"),
        ("contract_test", "empty_answer", "no_result"),
        ("implementer", "truncated_tool", "answer_too_long"),
    ],
)
async def test_answers_that_stay_spoiled_fail_in_words(demo, agent, fault, code):
    line = Pipeline(demo, EXAMPLES[0].read_text())
    demo.script(agent, [fault] * 5)
    with pytest.raises(StepFailed) as failed:
        await line.until(STEP_OF[agent])
    assert failed.value.code == code
    assert failed.value.reason.endswith((".", "…"))
    await line.context.model.close()


@pytest.mark.parametrize(("fault", "times"), [("bad_paths", 3), ("placeholder", 12)])
async def test_what_is_refused_again_is_kept_as_refused_and_no_review_passes_it(demo, fault, times):
    line = Pipeline(demo, EXAMPLES[0].read_text())
    demo.script("implementer", [fault] * times)
    made = await line.until(Step.IMPLEMENT)
    demo.forget()
    assert made.refused
    line.keep(Step.IMPLEMENT, made)
    line.material = replace(line.material, refused_files=made.refused)
    for step in (Step.SECURITY_REVIEW, Step.CODE_REVIEW):
        assert (await line.do(step)).verdict is Verdict.FAIL
    line.material = replace(line.material, previous_files=line.material.files, files={})
    again = await line.do(Step.IMPLEMENT)
    assert again.refused == ()
    line.keep(Step.IMPLEMENT, again)
    line.material = replace(line.material, refused_files=(), previous_files={})
    assert (await line.do(Step.CODE_REVIEW)).verdict is Verdict.PASS
    await line.context.model.close()


async def test_a_review_that_finds_fault_fails_and_the_code_is_written_again(demo):
    line = Pipeline(demo, EXAMPLES[0].read_text())
    demo.script("security_review", ["review_fail"])
    review = await line.until(Step.SECURITY_REVIEW)
    assert review.verdict is Verdict.FAIL
    line.material = replace(
        line.material,
        previous_files=line.material.files,
        files={},
        reports={Step.SECURITY_REVIEW: review.document},
    )
    again = await line.do(Step.IMPLEMENT)
    line.keep(Step.IMPLEMENT, again)
    assert (await line.do(Step.SECURITY_REVIEW)).verdict is Verdict.PASS
    await line.context.model.close()
