"""Spec, plan and contract tests: one document each, obtained, checked and rendered.

Invariant: the Markdown that people approve is made from the very structure that passed the checks.
"""

from msgspec.structs import replace

from application.agents.checks.fidelity import fidelity_findings
from application.agents.checks.plan import plan_findings
from application.agents.checks.spec import spec_findings, with_history
from application.agents.checks.tests import tests_findings
from application.agents.freezing import frozen_plan, frozen_spec, frozen_tests
from application.agents.inspection import StaticFinding, errors
from application.agents.language import asked_in, in_language, language_of
from application.agents.render import plan_markdown, spec_markdown, tests_markdown
from application.agents.steps.need import needed
from application.agents.steps.step_context import StepContext
from application.agents.submission import obtain
from application.agents.tools import SUBMIT_PLAN, SUBMIT_SPEC, SUBMIT_TESTS
from domain import commands as c
from domain.documents import Plan, Spec, Tests
from domain.runs import Run
from domain.status import Gate

_SPEC_TASK = "Write the specification of the brief, and hand it over with `submit_spec`."
_PLAN_TASK = "Write the implementation plan of the specification; hand it over with `submit_plan`."
_TESTS_TASK = "Write the contract tests of the specification; hand them over with `submit_tests`."
_AGAIN = (
    " There is a previous version: keep its ids and whatever still holds, and change what the new "
    "input changes."
)


async def write_spec(work: StepContext) -> c.RecordDocument:
    """The specification of the confirmed brief."""
    material = work.material
    points, previous = material.points, material.previous_spec
    before = material.previous_reading.points if material.previous_reading else ()

    standing = material.standing

    def kept(spec: Spec) -> tuple[Spec, list[str]]:
        return frozen_spec(spec, standing) if standing else (replace(spec, also_changed=()), [])

    async def check(spec: Spec) -> list[str]:
        merged, unasked = kept(spec)
        return unasked or await work.context.compute(spec_findings, merged, points, previous)

    async def doubts(spec: Spec) -> list[str]:
        merged, _ = kept(spec)
        return await work.context.compute(fidelity_findings, merged, points, previous, before)

    task = _SPEC_TASK + (_AGAIN if previous else "") + asked_in(material.brief)
    spec, _ = kept(await obtain(work.exchange(task), SUBMIT_SPEC, Spec, check, doubts))
    spec = with_history(spec, previous)
    language = language_of(material.brief)
    page = await work.context.compute(spec_markdown, spec, language)
    return c.RecordDocument(
        attempt=work.attempt,
        run=Run(),
        document=spec,
        markdown=in_language(page, language),
        manifest_sha256=work.manifest_sha256,
    )


async def write_plan(work: StepContext) -> c.RecordDocument:
    """The plan of the approved specification."""
    spec = needed(work.material.spec)

    standing = work.material.standing

    def kept(plan: Plan) -> tuple[Plan, list[str]]:
        if standing is None:
            return replace(plan, also_changed=()), []
        return frozen_plan(plan, standing, spec)

    async def check(plan: Plan) -> list[str]:
        plan, unasked = kept(plan)
        found = unasked or await work.context.compute(plan_findings, plan, spec)
        return found or [str(one) for one in await work.context.inspect({}, plan.packages, plan)]

    task = _PLAN_TASK + (_AGAIN if Gate.PLAN in work.material.previous else "")
    task += asked_in(_words(spec))
    plan, _ = kept(await obtain(work.exchange(task), SUBMIT_PLAN, Plan, check))
    page = await work.context.compute(plan_markdown, plan)
    return c.RecordDocument(
        attempt=work.attempt,
        run=Run(),
        document=plan,
        markdown=in_language(page, language_of(_words(spec))),
        manifest_sha256=work.manifest_sha256,
    )


async def write_tests(work: StepContext) -> c.RecordDocument:
    """The contract tests of the approved specification and plan."""
    spec, plan = needed(work.material.spec), needed(work.material.plan)

    standing = work.material.standing

    def kept(tests: Tests) -> tuple[Tests, list[str]]:
        return frozen_tests(tests, standing) if standing else (replace(tests, also_changed=()), [])

    async def check(tests: Tests) -> list[str]:
        tests, unasked = kept(tests)
        found = unasked or await work.context.compute(tests_findings, tests, spec, plan)
        return found or [str(finding) for finding in await _inspected(work, tests, plan)]

    task = _TESTS_TASK + (_AGAIN if Gate.TESTS in work.material.previous else "")
    task += asked_in(_words(spec))
    tests, _ = kept(await obtain(work.exchange(task), SUBMIT_TESTS, Tests, check))
    page = await work.context.compute(tests_markdown, tests)
    return c.RecordDocument(
        attempt=work.attempt,
        run=Run(),
        document=tests,
        markdown=in_language(page, language_of(_words(spec))),
        manifest_sha256=work.manifest_sha256,
    )


def _words(spec: Spec) -> str:
    """Words of a specification by which its language is told: that of the brief."""
    said = (f"{one.trigger} {one.response}" for one in spec.requirements)
    return "\n".join([spec.title, spec.summary, *said])


async def _inspected(work: StepContext, tests: Tests, plan: Plan) -> list[StaticFinding]:
    """Errors that parsers find in the test files, beside which the planned files stand empty.

    So an import of a file that nobody plans is found before the tests are frozen.
    """
    contents = {file.path: file.content for file in tests.files}
    planned = {file.path: "" for file in plan.files}
    found = await work.context.inspect({**planned, **contents}, plan.packages, plan)
    return [finding for finding in errors(found) if finding.path in contents]
