"""Which fact makes which step due. The fold, the fan-out and the reconciler all read this table."""

from collections.abc import Iterable, Mapping
from typing import Final

from domain import events as e
from domain.content import Content
from domain.status import Agent, Gate, Status, Step

DUE_AFTER: Final[Mapping[type[e.FeatureEvent], tuple[Step, ...]]] = {
    e.MessagePosted: (Step.CONVERSE,),
    e.BriefConfirmed: (Step.SPEC,),
    e.BriefRevised: (Step.SPEC,),
    e.SpecGenerated: (Step.ALIGN_SPEC, Step.TITLE),
    e.SpecApproved: (Step.PLAN,),
    e.PlanGenerated: (Step.ALIGN_PLAN,),
    e.PlanApproved: (Step.TESTS,),
    e.TestsGenerated: (Step.ALIGN_TESTS,),
    e.TestsApproved: (Step.IMPLEMENT,),
    e.ImplementationCompleted: (Step.SECURITY_REVIEW, Step.CODE_REVIEW),
}

RESULT_OF: Final[Mapping[Step, type[e.FeatureEvent]]] = {
    Step.SPEC: e.SpecGenerated,
    Step.PLAN: e.PlanGenerated,
    Step.TESTS: e.TestsGenerated,
    Step.IMPLEMENT: e.ImplementationCompleted,
}
"""What a step leads to, where its result makes further steps due."""

AGENT_OF: Final[Mapping[Step, Agent]] = {
    Step.CONVERSE: Agent.BA,
    Step.SPEC: Agent.SPEC,
    Step.TITLE: Agent.TITLE,
    Step.ALIGN_SPEC: Agent.ALIGNMENT_REVIEW,
    Step.PLAN: Agent.PLANNER,
    Step.ALIGN_PLAN: Agent.ALIGNMENT_REVIEW,
    Step.TESTS: Agent.CONTRACT_TEST,
    Step.ALIGN_TESTS: Agent.ALIGNMENT_REVIEW,
    Step.IMPLEMENT: Agent.IMPLEMENTER,
    Step.SECURITY_REVIEW: Agent.SECURITY_REVIEW,
    Step.CODE_REVIEW: Agent.CODE_REVIEW,
}

DISPENSABLE: Final = frozenset(
    {Step.CONVERSE, Step.TITLE, Step.ALIGN_SPEC, Step.ALIGN_PLAN, Step.ALIGN_TESTS}
)
"""Steps that the pipeline can do without: when they give up, the feature goes on."""

GATE_OF: Final[Mapping[Step, Gate]] = {
    Step.ALIGN_SPEC: Gate.SPEC,
    Step.ALIGN_PLAN: Gate.PLAN,
    Step.ALIGN_TESTS: Gate.TESTS,
}

WORK_AT: Final[Mapping[Status, tuple[Step, ...]]] = {
    Status.SPEC_GENERATING: (Step.SPEC,),
    Status.SPEC_APPROVED: (Step.PLAN,),
    Status.PLAN_GENERATING: (Step.PLAN,),
    Status.PLAN_APPROVED: (Step.TESTS,),
    Status.TESTS_GENERATING: (Step.TESTS,),
    Status.TESTS_APPROVED: (Step.IMPLEMENT,),
    Status.IMPLEMENTING: (Step.IMPLEMENT,),
    Status.REVIEW: (Step.SECURITY_REVIEW, Step.CODE_REVIEW),
}
"""The steps a feature waits for at each working status."""

ADVICE_AT: Final[Mapping[Status, Step]] = {
    Status.SPEC_READY: Step.ALIGN_SPEC,
    Status.PLAN_READY: Step.ALIGN_PLAN,
    Status.TESTS_READY: Step.ALIGN_TESTS,
}
"""The step that advises at each gate."""


def until_a_person(steps: Iterable[Step]) -> tuple[Step, ...]:
    """These steps and all that follows from their results before somebody has to decide."""
    ahead = tuple(steps)
    after = (DUE_AFTER.get(RESULT_OF[step], ()) for step in ahead if step in RESULT_OF)
    return (*ahead, *(step for steps in after for step in steps if step not in ahead))


def work_left(content: Content) -> tuple[Step, ...]:
    """The steps that content restored from a checkpoint still waits for."""
    done = {
        Step.SECURITY_REVIEW: content.security_review,
        Step.CODE_REVIEW: content.code_review,
    }
    if content.status is None:
        return ()
    if content.status in ADVICE_AT:
        return () if content.advice else (ADVICE_AT[content.status],)
    return tuple(step for step in WORK_AT.get(content.status, ()) if done.get(step) is None)


def due_after(event: e.FeatureEvent) -> tuple[Step, ...]:
    """The steps that an event makes due."""
    match event:
        case (
            e.FeatureRetried(resume=steps)
            | e.FeatureReplayed(resume=steps)
            | e.FeatureForked(resume=steps)
        ):
            return steps
        case _:
            return DUE_AFTER.get(type(event), ())
