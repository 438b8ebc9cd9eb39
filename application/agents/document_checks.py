"""What a document at a gate has to fulfil, and how it is shown: whoever wrote it.

Invariant: an agent's document and a person's pass the same checks and become the same page.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, Protocol, TypeVar

from application.agents.checks.plan import plan_findings
from application.agents.checks.spec import spec_findings, with_history
from application.agents.checks.tests import tests_findings
from application.agents.inspection import StaticFinding, errors
from application.agents.language import in_language, language_of
from application.agents.render import plan_markdown, spec_markdown, tests_markdown
from application.agents.step_inputs import StepInputs
from application.agents.steps.need import needed
from domain.documents import AgentDocument, Plan, Spec, Tests

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=AgentDocument)


class CheckTools(Protocol):
    """What checks need: parsers, and a place for what takes time."""

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str], plan: Plan | None = None
    ) -> Sequence[StaticFinding]:
        """Static checks by parsers; see `inspection.Inspection`."""

    async def compute(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function gives, computed where long texts hold up nobody."""


async def findings_in(
    document: AgentDocument, material: StepInputs, tools: CheckTools
) -> list[str]:
    """What is wrong with a document, a sentence each; none if it may stand at its gate.

    Args:
        document: A specification, a plan or tests.
        material: What it was made from, with the version before it in `previous`.
        tools: Parsers.
    """
    match document:
        case Spec():
            points, previous = material.points, material.previous_spec
            return await tools.compute(spec_findings, document, points, previous)
        case Plan():
            found = await tools.compute(plan_findings, document, needed(material.spec))
            if found:
                return found
            return [str(one) for one in await tools.inspect({}, document.packages, document)]
        case Tests():
            spec, plan = needed(material.spec), needed(material.plan)
            found = await tools.compute(tests_findings, document, spec, plan)
            return found or [str(one) for one in await _inspected(document, plan, tools)]
        case _:
            raise TypeError(f"{type(document).__name__} stands at no gate")


async def _inspected(tests: Tests, plan: Plan, tools: CheckTools) -> list[StaticFinding]:
    """Errors that parsers find in the test files, beside which the planned files stand empty.

    So an import of a file that nobody plans is found before the tests are frozen.
    """
    contents = {file.path: file.content for file in tests.files}
    planned = {file.path: "" for file in plan.files}
    found = await tools.inspect({**planned, **contents}, plan.packages, plan)
    return [finding for finding in errors(found) if finding.path in contents]


def completed(document: T, material: StepInputs) -> T:
    """The document with what code adds to it: the ids that were ever taken."""
    if isinstance(document, Spec):
        return with_history(document, material.previous_spec)  # type: ignore[return-value]
    return document


async def page_of(document: AgentDocument, material: StepInputs, tools: CheckTools) -> str:
    """The Markdown that people see and approve."""
    match document:
        case Spec():
            language = language_of(material.brief)
            page = await tools.compute(spec_markdown, document, language)
            return in_language(page, language)
        case Plan():
            page = await tools.compute(plan_markdown, document)
        case Tests():
            page = await tools.compute(tests_markdown, document)
        case _:
            raise TypeError(f"{type(document).__name__} stands at no gate")
    return in_language(page, language_of(words_of(needed(material.spec))))


def words_of(spec: Spec) -> str:
    """Words of a specification by which its language is told: that of the brief."""
    said = (f"{one.trigger} {one.response}" for one in spec.requirements)
    return "\n".join([spec.title, spec.summary, *said])
