"""The pipeline as one table: a row for each step of each output mode.

Invariant: whatever else says something about steps is read from `STEPS`. The fold, the fan-out, the
reconciler, the worker, the estimates, the pages and the web app's types all follow a row.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from domain import commands as c
from domain import events as e
from domain.content import Content
from domain.status import Agent, Gate, Input, OutputMode, Stage, Status, Step

V = TypeVar("V")

FULL_CODE: Final = OutputMode.FULL_CODE


class PipelineStep(NamedTuple):
    """What there is to know of a step, but how its agent does it."""

    agent: Agent
    due_after: tuple[type[e.FeatureEvent], ...]
    """The events that make it due."""
    answer: type[c.AgentAnswer]
    """The command that hands its result over."""
    result: type[e.FeatureEvent]
    """The event that records it; may make further steps due."""
    reads: tuple[Input, ...]
    """What its agent is given, in this order; what is empty is left out."""
    waits_at: tuple[Status, ...] = ()
    """The statuses of a feature that waits for it: first where it is due, last where its first
    announcement takes the feature. Empty: no status is about it."""
    gate: Gate | None = None
    """The gate that it advises on."""
    stage: Stage | None = None
    """The stage that fails with it. None: the pipeline can do without it and goes on."""


STEPS: Final[Mapping[tuple[Step, OutputMode], PipelineStep]] = {
    (Step.CONVERSE, FULL_CODE): PipelineStep(
        Agent.BA,
        due_after=(e.MessagePosted,),
        answer=c.RecordReply,
        result=e.AgentReplied,
        reads=(Input.STATUS, Input.BRIEF, Input.GATE, Input.DELIVERABLE, Input.CONVERSATION),
    ),
    (Step.SPEC, FULL_CODE): PipelineStep(
        Agent.SPEC,
        due_after=(e.BriefConfirmed, e.BriefRevised),
        answer=c.RecordDocument,
        result=e.SpecGenerated,
        reads=(Input.BRIEF, Input.POINTS, Input.PREVIOUS_SPEC, Input.FROZEN, Input.COMMENTS),
        waits_at=(Status.SPEC_GENERATING,),
        stage=Stage.SPEC,
    ),
    (Step.ALIGN_SPEC, FULL_CODE): PipelineStep(
        Agent.ALIGNMENT_REVIEW,
        due_after=(e.SpecGenerated, e.SpecEdited),
        answer=c.RecordRecommendation,
        result=e.RecommendationMade,
        reads=(Input.GATE, Input.BRIEF, Input.POINTS, Input.PREVIOUS_SPEC, Input.DELIVERABLE),
        waits_at=(Status.SPEC_READY,),
        gate=Gate.SPEC,
    ),
    (Step.TITLE, FULL_CODE): PipelineStep(
        Agent.TITLE,
        due_after=(e.SpecGenerated,),
        answer=c.RecordTitle,
        result=e.FeatureTitled,
        reads=(Input.BRIEF,),
    ),
    (Step.PLAN, FULL_CODE): PipelineStep(
        Agent.PLANNER,
        due_after=(e.SpecApproved,),
        answer=c.RecordDocument,
        result=e.PlanGenerated,
        reads=(Input.SPEC, Input.PREVIOUS_PLAN, Input.FROZEN, Input.COMMENTS),
        waits_at=(Status.SPEC_APPROVED, Status.PLAN_GENERATING),
        stage=Stage.PLAN,
    ),
    (Step.ALIGN_PLAN, FULL_CODE): PipelineStep(
        Agent.ALIGNMENT_REVIEW,
        due_after=(e.PlanGenerated, e.PlanEdited),
        answer=c.RecordRecommendation,
        result=e.RecommendationMade,
        reads=(
            Input.GATE,
            Input.BRIEF,
            Input.POINTS,
            Input.SPEC,
            Input.PREVIOUS_PLAN,
            Input.DELIVERABLE,
        ),
        waits_at=(Status.PLAN_READY,),
        gate=Gate.PLAN,
    ),
    (Step.TESTS, FULL_CODE): PipelineStep(
        Agent.CONTRACT_TEST,
        due_after=(e.PlanApproved,),
        answer=c.RecordDocument,
        result=e.TestsGenerated,
        reads=(Input.SPEC, Input.PLAN, Input.PREVIOUS_TESTS, Input.FROZEN, Input.COMMENTS),
        waits_at=(Status.PLAN_APPROVED, Status.TESTS_GENERATING),
        stage=Stage.TESTS,
    ),
    (Step.ALIGN_TESTS, FULL_CODE): PipelineStep(
        Agent.ALIGNMENT_REVIEW,
        due_after=(e.TestsGenerated, e.TestsEdited),
        answer=c.RecordRecommendation,
        result=e.RecommendationMade,
        reads=(
            Input.GATE,
            Input.BRIEF,
            Input.POINTS,
            Input.SPEC,
            Input.PLAN,
            Input.PREVIOUS_TESTS,
            Input.DELIVERABLE,
        ),
        waits_at=(Status.TESTS_READY,),
        gate=Gate.TESTS,
    ),
    (Step.IMPLEMENT, FULL_CODE): PipelineStep(
        Agent.IMPLEMENTER,
        due_after=(e.TestsApproved, e.MendingStarted),
        answer=c.RecordImplementation,
        result=e.ImplementationCompleted,
        reads=(
            Input.SPEC,
            Input.PLAN,
            Input.TESTS,
            Input.FROZEN,
            Input.PREVIOUS_FILES,
            Input.ACCEPTED_FILES,
            Input.REFUSED_FILES,
            Input.REVIEWS,
            Input.EARLIER_REVIEWS,
            Input.MAY_CHANGE,
        ),
        waits_at=(Status.TESTS_APPROVED, Status.IMPLEMENTING),
        stage=Stage.IMPLEMENTATION,
    ),
    (Step.SECURITY_REVIEW, FULL_CODE): PipelineStep(
        Agent.SECURITY_REVIEW,
        due_after=(e.ImplementationCompleted,),
        answer=c.RecordReview,
        result=e.SecurityReviewed,
        reads=(
            Input.SPEC,
            Input.PLAN,
            Input.EARLIER_FINDINGS,
            Input.FILES,
            Input.REFUSED_FILES,
        ),
        waits_at=(Status.REVIEW,),
        stage=Stage.REVIEW,
    ),
    (Step.CODE_REVIEW, FULL_CODE): PipelineStep(
        Agent.CODE_REVIEW,
        due_after=(e.ImplementationCompleted,),
        answer=c.RecordReview,
        result=e.CodeReviewed,
        reads=(
            Input.SPEC,
            Input.PLAN,
            Input.EARLIER_FINDINGS,
            Input.FILES,
            Input.REFUSED_FILES,
        ),
        waits_at=(Status.REVIEW,),
        stage=Stage.REVIEW,
    ),
}
"""In the order in which one event makes them due. `docs/decisions/0038-one-row-a-step.md`."""


def row_of(step: Step, mode: OutputMode = FULL_CODE) -> PipelineStep:
    """A step's row. Raises KeyError: the mode has no such step."""
    return STEPS[step, mode]


def _by_step(column: str) -> dict[Step, Any]:
    """A column by step, in the order of `Step`. What it says must be the same in every mode."""
    found: dict[Step, Any] = {}
    for (step, mode), row in STEPS.items():
        value = getattr(row, column)
        if found.setdefault(step, value) != value:
            raise ValueError(f"`{column}` of {step} is another in {mode}")
    return {step: found[step] for step in Step if step in found}


def _grouped(pairs: Iterable[tuple[V, Step]]) -> dict[V, tuple[Step, ...]]:
    found: dict[V, tuple[Step, ...]] = {}
    for key, step in pairs:
        if step not in found.get(key, ()):
            found[key] = (*found.get(key, ()), step)
    return found


AGENT_OF: Final[Mapping[Step, Agent]] = _by_step("agent")
ANSWER_OF: Final[Mapping[Step, type[c.AgentAnswer]]] = _by_step("answer")
RESULT_OF: Final[Mapping[Step, type[e.FeatureEvent]]] = _by_step("result")
RESULTS: Final = frozenset(RESULT_OF.values())
"""The events that record what a step came to."""

STAGE_OF: Final[Mapping[Step, Stage]] = {s: x for s, x in _by_step("stage").items() if x}
"""The stage of each step that can fail a feature."""
DISPENSABLE: Final = frozenset(AGENT_OF.keys() - STAGE_OF.keys())
"""Steps that the pipeline can do without: when they give up, the feature goes on."""

GATE_OF: Final[Mapping[Step, Gate]] = {s: x for s, x in _by_step("gate").items() if x}
"""The gate that a step advises on."""
REVIEWS: Final = tuple(step for step, answer in ANSWER_OF.items() if answer is c.RecordReview)
"""The steps that review an implementation. All have to pass before it is done."""
REVIEWED_BY: Final[Mapping[type[e.FeatureEvent], Step]] = {RESULT_OF[s]: s for s in REVIEWS}
"""The review that each event records."""
_WAITS_AT: Final[Mapping[Step, tuple[Status, ...]]] = _by_step("waits_at")
ADVICE_AT: Final[Mapping[Status, Step]] = {_WAITS_AT[step][0]: step for step in GATE_OF}
"""The step that advises at each gate."""
WORK_AT: Final[Mapping[Status, tuple[Step, ...]]] = _grouped(
    (status, step) for step in STAGE_OF for status in _WAITS_AT[step]
)
"""The steps a feature waits for at each working status."""
START_OF: Final[Mapping[Step, Status]] = {
    step: statuses[-1] for step, statuses in _WAITS_AT.items() if len(statuses) > 1
}
"""Where a step's first announcement moves the feature; other steps stay."""

WRITING_AT: Final[Mapping[Gate, Status]] = {gate: _WAITS_AT[Step(gate.value)][-1] for gate in Gate}
"""Where the document of each gate is written."""

DUE_AFTER: Final[Mapping[type[e.FeatureEvent], tuple[Step, ...]]] = _grouped(
    (event, step) for (step, _), row in STEPS.items() for event in row.due_after
)
"""The steps that an event makes due in any mode. Who knows the mode asks `due_after`."""
_DUE_IN: Final[Mapping[tuple[type[e.FeatureEvent], OutputMode], tuple[Step, ...]]] = _grouped(
    ((event, mode), step) for (step, mode), row in STEPS.items() for event in row.due_after
)


def until_a_person(steps: Iterable[Step]) -> tuple[Step, ...]:
    """These steps and all that follows from their results before somebody has to decide."""
    ahead = tuple(steps)
    after = (DUE_AFTER.get(RESULT_OF[step], ()) for step in ahead)
    return (*ahead, *(step for steps in after for step in steps if step not in ahead))


def work_left(content: Content) -> tuple[Step, ...]:
    """The steps that content restored from a checkpoint still waits for."""
    if content.status is None:
        return ()
    if content.status in ADVICE_AT:
        return () if content.advice else (ADVICE_AT[content.status],)
    return tuple(step for step in WORK_AT.get(content.status, ()) if content.review(step) is None)


def due_after(event: e.FeatureEvent, mode: OutputMode) -> tuple[Step, ...]:
    """The steps that an event makes due in a feature of this mode."""
    match event:
        case (
            e.FeatureRetried(resume=steps)
            | e.FeatureReplayed(resume=steps)
            | e.FeatureForked(resume=steps)
            | e.WorkResumed(resume=steps)
            | e.RewriteRequested(resume=steps)
        ):
            return steps
        case _:
            return _DUE_IN.get((type(event), mode), ())
