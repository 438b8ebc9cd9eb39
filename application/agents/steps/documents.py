"""Spec, plan and contract tests: one document each, obtained, checked and rendered.

Invariant: the Markdown that people approve is made from the very structure that passed the checks.
"""

from typing import TypeVar

from application.agents.checks.commented import (
    answered,
    comment_findings,
    plain,
    put_back,
    unheeded,
    without_unnamed,
)
from application.agents.checks.fidelity import fidelity_findings
from application.agents.document_checks import completed, findings_in, page_of, words_of
from application.agents.freezing import asked_before, held
from application.agents.language import asked_in
from application.agents.steps.need import needed
from application.agents.steps.step_context import StepContext
from application.agents.submission import obtain
from application.agents.tools import SUBMIT_PLAN, SUBMIT_SPEC, SUBMIT_TESTS, Tool
from domain import commands as c
from domain.documents import AgentDocument, Plan, SaidPlan, SaidSpec, SaidTests, Spec, Tests
from domain.runs import Run
from domain.status import Gate

S = TypeVar("S", bound=SaidSpec | SaidPlan | SaidTests)

_SPEC_TASK = "Write the specification of the brief, and hand it over with `submit_spec`."
_PLAN_TASK = "Write the implementation plan of the specification; hand it over with `submit_plan`."
_TESTS_TASK = "Write the contract tests of the specification; hand them over with `submit_tests`."
_AGAIN = (
    " There is a previous version: keep its ids and whatever still holds, and change what the new "
    "input changes."
)
_COMMENTED = (
    " The user read the previous version and commented on it. Do what each of `comments` asks, and "
    "answer each of them in `answers`. Hand over the whole document; whatever no comment is about "
    "stays as it is, word for word, unless an answer names it and says why it had to change."
)


async def write_spec(work: StepContext) -> c.RecordDocument:
    """The specification of the confirmed brief."""
    task = _SPEC_TASK + _about(work, Gate.SPEC) + asked_in(work.material.brief)
    return await _write(work, Gate.SPEC, Spec, SaidSpec, SUBMIT_SPEC, task)


async def write_plan(work: StepContext) -> c.RecordDocument:
    """The plan of the approved specification."""
    task = _PLAN_TASK + _about(work, Gate.PLAN) + asked_in(words_of(needed(work.material.spec)))
    return await _write(work, Gate.PLAN, Plan, SaidPlan, SUBMIT_PLAN, task)


async def write_tests(work: StepContext) -> c.RecordDocument:
    """The contract tests of the approved specification and plan."""
    needed(work.material.plan)
    task = _TESTS_TASK + _about(work, Gate.TESTS) + asked_in(words_of(needed(work.material.spec)))
    return await _write(work, Gate.TESTS, Tests, SaidTests, SUBMIT_TESTS, task)


def _about(work: StepContext, gate: Gate) -> str:
    """What is said of a version before."""
    if work.material.comments:
        return _COMMENTED
    return _AGAIN if gate in work.material.previous else ""


async def _write(
    work: StepContext,
    gate: Gate,
    kind: type[AgentDocument],
    takes: type[S],
    tool: Tool,
    task: str,
) -> c.RecordDocument:
    """A document that passes its checks, and answers the comments that there are."""
    material, tools = work.material, work.context
    comments, previous = material.comments, material.previous.get(gate)

    def kept(said: S) -> tuple[AgentDocument, list[str]]:
        """The document with what stays, and what was changed of it unasked."""
        document = plain(said, kind)
        if not comments or previous is None:
            return held(document, material.standing, material.spec)
        named = without_unnamed(previous, document, comments, said.answers)
        return asked_before(named, previous), []

    async def check(said: S) -> list[str]:
        document, unasked = kept(said)
        found = unasked or await findings_in(document, material, tools)
        if not comments or previous is None:
            return found
        found = [*comment_findings(previous, document, comments, said.answers), *found]
        return [*found, *put_back(document, plain(said, kind))] if found else []

    async def doubts(said: S) -> list[str]:
        document, _ = kept(said)
        found: list[str] = []
        if comments and previous is not None:
            found = unheeded(previous, document, comments, said.answers)
        if isinstance(document, Spec):
            read = material.previous_reading
            before = read.points if read else ()
            found += await tools.compute(
                fidelity_findings, document, material.points, material.previous_spec, before
            )
        return found

    said = await obtain(work.exchange(task), tool, takes, check, doubts)
    document = completed(kept(said)[0], material)
    return c.RecordDocument(
        attempt=work.attempt,
        run=Run(),
        document=document,
        markdown=await page_of(document, material, tools),
        manifest_sha256=work.manifest_sha256,
        answered=answered(previous, document, comments, said.answers)
        if comments and previous is not None
        else (),
    )
