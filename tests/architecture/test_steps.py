"""`STEPS` and `AGENTS` are complete, and whatever is read from them agrees with the lifecycle."""

import re
from typing import get_args

import pytest
from msgspec import Struct

from application.agents.inputs import VALUE_OF
from application.agents.output import OUTPUTS
from application.agents.prompting import data_words, prompt_text
from application.agents.table import AGENTS
from application.audit.estimate import TYPICAL
from application.audit.past_runs import READS, TELLING
from application.execution.reuse import recorded_again
from domain import commands as c
from domain import events as e
from domain.content import Content, Rework
from domain.decider import NOT_RECORDED
from domain.documents import AgentDocument
from domain.lifecycle import DOCUMENTS, GATES, LIFECYCLE
from domain.pipeline import (
    ANSWER_OF,
    DUE_AFTER,
    FULL_CODE,
    RESULT_OF,
    RESULTS,
    REVIEWS,
    STEPS,
    PipelineStep,
)
from domain.status import Agent, Gate, Input, OutputMode, Part, Stage, Step
from projections.breadcrumb import STAGE_AT
from projections.feature import Deliverables
from tests.architecture.pages import PROJECT
from tests.given import done

ROWS = [pytest.param(step, row, id=f"{step}-{mode}") for (step, mode), row in STEPS.items()]
COMPUTED = {"content_sha256", "recommendation"}
"""Fields of results that the decider adds to what an answer says."""


def test_every_step_stands_in_the_table_and_every_mode_describes_its_output() -> None:
    assert {step for step, _ in STEPS} == set(Step)
    assert {mode for _, mode in STEPS} == set(OutputMode) == set(OUTPUTS)
    assert {step for step, mode in STEPS if mode is FULL_CODE} == set(Step)


def test_every_agent_stands_in_the_table_and_can_work() -> None:
    assert set(AGENTS) == set(Agent)
    for row in AGENTS.values():
        assert row.entry.tools
        assert prompt_text(row.entry.prompt)
        for few, many in (row.output, row.requests):
            assert 0 < few <= many


def test_every_input_can_be_given_and_is_read_by_some_step() -> None:
    assert set(VALUE_OF) == set(Input) == {one for row in STEPS.values() for one in row.reads}


def test_every_step_has_its_estimate_and_every_result_but_a_reply_tells_what_it_cost() -> None:
    assert set(TYPICAL) == set(READS) == set(Step)
    assert RESULTS - set(TELLING) == {e.AgentReplied}


@pytest.mark.parametrize(("step", "row"), ROWS)
def test_a_row_names_events_and_commands_that_there_are(step: Step, row: PipelineStep) -> None:
    assert {row.result, *row.due_after} <= set(get_args(e.FeatureEvent))
    assert row.due_after
    assert row.answer in get_args(c.AgentAnswer)
    assert step not in DUE_AFTER.get(row.result, ())


@pytest.mark.parametrize(("step", "row"), ROWS)
def test_a_result_records_what_its_answer_says_and_what_code_computes(
    step: Step, row: PipelineStep
) -> None:
    said = set(row.answer.__struct_fields__) - NOT_RECORDED
    recorded = set(row.result.__struct_fields__)
    assert said <= recorded | COMPUTED, step
    assert recorded - said <= COMPUTED, step


@pytest.mark.parametrize(("step", "row"), ROWS)
def test_a_step_is_waited_for_where_the_lifecycle_takes_the_feature(
    step: Step, row: PipelineStep
) -> None:
    if not row.waits_at:
        assert row.stage is None
        assert row.gate is None
        return
    for event in row.due_after:
        assert LIFECYCLE[event].targets & set(row.waits_at), step
    for status in row.waits_at:
        assert status in LIFECYCLE[e.StepStarted].sources
    assert row.waits_at[-1] in LIFECYCLE[row.result].sources
    assert (row.stage is None) == (row.gate is not None)


def test_every_stage_is_some_steps_and_some_statuss() -> None:
    assert {row.stage for row in STEPS.values()} == {*Stage, None}
    assert set(STAGE_AT.values()) == set(Stage)


def test_what_was_used_and_answered_is_a_result_or_in_vain() -> None:
    used = {kind for kind in get_args(e.FeatureEvent) if "run" in kind.__struct_fields__}
    assert used == RESULTS | {e.AttemptFailed, e.RunDiscarded}


@pytest.mark.parametrize("gate", Gate)
def test_a_gate_has_its_document_and_its_places(gate: Gate) -> None:
    row = DOCUMENTS[gate]
    assert issubclass(row.document, AgentDocument)
    assert LIFECYCLE[row.written].targets == {row.status} <= GATES
    assert row.status in LIFECYCLE[row.approved].sources
    assert {gate.value, f"{gate}_approval", f"previous_{gate}"} <= fields_of(Content)
    assert gate.value in fields_of(Deliverables)
    assert {Part(gate.value), Part(f"previous_{gate}")} <= set(Part)
    assert {Input(gate.value), Input(f"previous_{gate}")} <= set(Input)
    assert [step for step, result in RESULT_OF.items() if result is row.written] == [
        Step(gate.value)
    ]


@pytest.mark.parametrize("step", REVIEWS)
def test_a_review_has_its_places(step: Step) -> None:
    for struct in (Content, Rework, e.VerdictReached, Deliverables):
        assert step.value in fields_of(struct), struct
    assert Part(f"rework_{step}") in set(Part)


def fields_of(kind: type[Struct]) -> set[str]:
    return set(kind.__struct_fields__)


def test_every_result_can_be_recorded_again_but_what_nobody_would_want_again() -> None:
    reusable = {s for s, answer in ANSWER_OF.items() if "reused_from" in fields_of(answer)}
    assert set(Step) - reusable == {Step.CONVERSE, Step.TITLE}
    again = 0
    for version, event in enumerate(done().events, 1):
        attempt = getattr(event, "attempt", None)
        if type(event) in RESULTS and attempt.step in reusable:
            command = recorded_again(event, attempt, version)
            assert type(command) is ANSWER_OF[attempt.step]
            assert (command.reused_from, command.run.turns) == (version, 0)
            assert fields_same(command, event, but={"run", "reused_from", *NOT_RECORDED})
            again += 1
    assert again == len(REVIEWS) + len(Gate) + 1


def fields_same(one: Struct, other: Struct, but: set[str]) -> bool:
    names = fields_of(type(one)) - but
    return all(getattr(one, name) == getattr(other, name) for name in names)


def test_an_answer_of_another_step_is_no_answer() -> None:
    story = done()
    made = next(event for event in story.events if isinstance(event, e.SpecGenerated))
    plan = next(event for event in story.events if isinstance(event, e.PlanGenerated))
    with pytest.raises(TypeError, match="SpecGenerated"):
        recorded_again(made, plan.attempt, 1)


def test_the_kind_of_result_is_said_by_its_output_and_its_stack_profile() -> None:
    words = re.compile(r"""TypeScript|typescript|tsconfig|package\.json\b|[`'"]node:""")
    said = [
        path.relative_to(PROJECT).as_posix()
        for folder in ("domain", "application", "projections")
        for path in sorted((PROJECT / folder).rglob("*"))
        if path.suffix in {".py", ".md"} and words.search(path.read_text(encoding="utf-8"))
    ]
    # How its files are set up is the stack profile's, which governance states and a check holds.
    assert said == [
        "application/agents/checks/stack.py",
        "application/agents/output.py",
        "application/agents/prompts/governance.md",
        "application/agents/stack_profile.py",
    ]


@pytest.mark.parametrize("mode", OutputMode)
def test_every_word_of_an_output_stands_in_some_prompt_or_is_looked_for(mode: OutputMode) -> None:
    folder = PROJECT / "application" / "agents" / "prompts"
    asked = set(re.findall(r"\{(\w+)\}", "".join(p.read_text() for p in folder.iterdir())))
    known = set(OUTPUTS[mode].words())
    assert asked - data_words().keys() <= known
    assert data_words().keys() <= asked
    assert known - asked == {"declaration", "built_in"}
    assert not re.search(r"\{\w+\}", prompt_text("governance.md", mode))
