"""Each finding of the checks, one at a time."""

import pytest
from msgspec.structs import replace

from application.agents import render
from application.agents.checks import tests as test_checks
from application.agents.checks.plan import plan_findings
from application.agents.checks.spec import spec_findings
from domain import documents as d
from domain.reading import reading_of
from tests.application.agents.attempt_context import BRIEF, SPEC, TEST_CODE, TESTS
from tests.application.agents.attempt_context import WHOLE_PLAN as PLAN

POINTS = reading_of(BRIEF).points
FIRST, SECOND = SPEC.requirements
TASK, WORDS = PLAN.tasks
KEPT = d.PlannedTable("requests", (d.PlannedColumn("part", "text"),))


def exporting(path: str, name: str) -> d.Plan:
    return replace(PLAN, exports=(d.PlannedExport(path, name, "(part: string): Repair"),))


def routed(path: str, *who: str) -> d.Plan:
    callers, answers = who or ("signed in",), (d.PlannedAnswer(200),)
    return replace(PLAN, routes=(d.PlannedRoute(d.HttpMethod.GET, path, callers, answers),))


FILE = PLAN.files[0]
TEST = TESTS.files[0]


def test_the_samples_have_no_findings():
    assert spec_findings(SPEC, POINTS, None) == []
    assert plan_findings(PLAN, SPEC) == []
    assert test_checks.tests_findings(TESTS, SPEC, PLAN) == []


@pytest.mark.parametrize(
    ("spec", "finding"),
    [
        (replace(SPEC, requirements=(FIRST,)), "BF-2 of the brief (I confirm or refuse it.)"),
        (replace(SPEC, requirements=(FIRST, replace(SECOND, id="FR-1"))), "FR-1 stands 2 times"),
        (replace(SPEC, requirements=(FIRST, replace(SECOND, id="BF-2"))), "must be named FR-1"),
        (
            replace(SPEC, requirements=(FIRST, replace(SECOND, criteria=FIRST.criteria))),
            "AC-1 stands 2 times",
        ),
        (
            replace(SPEC, requirements=(FIRST, replace(SECOND, sources=("BF-2", "BF-9")))),
            "FR-2 names BF-9, which is not a point",
        ),
        (
            replace(SPEC, out_of_scope=(d.Exclusion("Payments", ("BF-8",)),)),
            "Out of scope names BF-8",
        ),
    ],
)
def test_a_spec_is_told_what_is_wrong_with_it(spec, finding):
    assert any(finding in found for found in spec_findings(spec, POINTS, None))


def test_a_point_may_be_left_out_by_name():
    left = replace(SPEC, requirements=(FIRST,), out_of_scope=(d.Exclusion("No answer", ("BF-2",)),))
    assert spec_findings(left, POINTS, None) == []


def test_a_criterion_does_not_move_to_another_requirement():
    swapped = (
        replace(FIRST, criteria=SECOND.criteria),
        replace(SECOND, criteria=FIRST.criteria),
    )
    found = spec_findings(replace(SPEC, requirements=swapped), POINTS, SPEC)
    assert any("AC-2 belonged to FR-2" in finding for finding in found)


def tasks(*changed: d.Task) -> d.Plan:
    return replace(PLAN, tasks=changed)


@pytest.mark.parametrize(
    ("plan", "finding"),
    [
        (tasks(replace(TASK, requirements=("FR-1",)), WORDS), "FR-2 has no task"),
        (tasks(replace(TASK, requirements=("FR-1", "FR-2", "FR-7")), WORDS), "names FR-7"),
        (tasks(replace(TASK, depends_on=("T-2",)), WORDS), "wait for each other in a circle"),
        (tasks(replace(TASK, depends_on=("T-1",)), WORDS), "wait for each other in a circle"),
        (tasks(TASK, replace(WORDS, depends_on=("T-9",))), "T-2 names T-9, which is not a task"),
        (tasks(TASK, replace(WORDS, id="T-1")), "T-1 stands 2 times"),
        (tasks(TASK, replace(WORDS, reads=("gone.ts",))), "reads names gone.ts"),
        (tasks(TASK, replace(WORDS, writes=("README.md", "src/requests.ts"))), "belongs to T-1"),
        (tasks(TASK, replace(WORDS, writes=())), "do not list it"),
        (tasks(TASK, replace(WORDS, writes=("README.md", "b.ts"))), "not in the list of files"),
        (replace(PLAN, files=(FILE, replace(FILE, task="T-2"))), "stands 2 times"),
        (replace(PLAN, files=(*PLAN.files, replace(FILE, path="SRC/Requests.ts"))), "same file"),
        (replace(PLAN, files=(*PLAN.files, replace(FILE, path="../x"))), "leads out of"),
        (replace(PLAN, files=(*PLAN.files, replace(FILE, path="a.ts", task="T-9"))), "not a task"),
        (replace(PLAN, packages=tuple(f"p{n}" for n in range(21))), "at most 20"),
        (replace(PLAN, packages=("pg", "pg")), "Package pg stands 2 times"),
        (replace(PLAN, files=PLAN.files[:2]), "`package.json` is missing"),
        (replace(PLAN, files=(*PLAN.files, replace(FILE, path="tests/a.ts"))), "among the tests"),
        (replace(PLAN, exports=()), "no export and no route"),
        (exporting("src/none.ts", "ask"), "not in the list of files"),
        (exporting("README.md", "ask"), "no script"),
        (exporting("src/requests.ts", "to ask"), "no name that a script can export"),
        (replace(PLAN, exports=PLAN.exports * 2), "stands 2 times"),
        (routed("requests"), "must begin with `/`"),
        (routed("/requests?page=1"), "no query"),
        (routed("/requests", "Strangers"), "which is nobody: name one or more of"),
        (routed("/requests", "anybody", "signed in"), "name nobody else"),
        (replace(PLAN, routes=(*routed("/a/:b").routes, *routed("/a/:c/").routes)), "2 times"),
        (replace(PLAN, tables=(KEPT, KEPT)), "Table `requests` stands 2 times"),
        (replace(PLAN, tables=(KEPT,)), "but no file `db/…"),
        (replace(PLAN, tables=(replace(KEPT, name="Repair requests"),)), "no name for a table"),
        (replace(PLAN, tables=(replace(KEPT, columns=KEPT.columns * 2),)), "Column of `requests`"),
    ],
)
def test_a_plan_is_told_what_is_wrong_with_it(plan, finding):
    assert any(finding in found for found in plan_findings(plan, SPEC))


def files(**changed: object) -> d.Tests:
    return replace(TESTS, files=(replace(TEST, **changed),))


@pytest.mark.parametrize(
    ("tests", "finding"),
    [
        (
            files(covers=("FR-1",), content=TEST_CODE.replace("FR-2 AC-2", "")),
            "FR-2 must be met, yet no test covers it",
        ),
        (
            files(covers=("FR-1", "FR-2"), content=TEST_CODE.replace(" AC-2", "")),
            "AC-2 of FR-2 must be met",
        ),
        (
            files(content=TEST_CODE.replace("FR-1 AC-1 FR-2 AC-2", "FR-77 AC-77")),
            "names FR-77, AC-77, not in the specification",
        ),
        (files(content=TEST_CODE.replace("AC-1 ", "") + "// AC-1\n"), "no test in it names AC-1"),
        (replace(TESTS, untestable=(d.Untestable("FR-1", "-"),)), "without a reason"),
        (files(covers=("FR-1", "FR-2", "AC-9")), "names AC-9"),
        (files(path="src/requests.ts"), "is a file of the plan"),
        (files(path="SRC/Requests.ts"), "is a file of the plan"),
        (files(path=".github/x.ts"), "hidden"),
        (files(content="test('FR-1 AC-1 FR-2 AC-2', () => {});"), "asserts nothing"),
        (files(content=f"{TEST_CODE}assert.ok(true);"), "cannot fail"),
        (files(content=f"{TEST_CODE}expect(true).toBe(true);"), "cannot fail"),
        (files(content=f"{TEST_CODE}assert.equal(1, 1);"), "cannot fail"),
        (files(content=f"{TEST_CODE}// ... rest of the tests unchanged"), "missing"),
        (files(content=TEST_CODE.replace("AC-1 ", "")), "no test in it names AC-1"),
        (files(content=TEST_CODE.replace("AC-2", "AC-2 AC-9")), "names AC-9, not in the spec"),
        (files(content=TEST_CODE + "test('works', () => assert.ok(ask));"), "names no requirement"),
        (
            files(content=TEST_CODE.replace(" AC-2", "") + 'const id = "AC-2";'),
            "no test in it names AC-2",
        ),
        (
            files(content=TEST_CODE.replace(" AC-2", "") + 'describe("AC-2", () => {});'),
            "AC-2 of FR-2 must be met",
        ),
        (files(path="src/a.test.ts"), "does not stand under `tests/`"),
        (files(path="tests/requests.ts"), "the runner does not find them there"),
        (files(path="tests/requests.spec.ts"), "the runner does not find them there"),
        (files(covers=()), "covers nothing"),
        *(
            (replace(TESTS, untestable=(d.Untestable("FR-1", why),)), "without a reason")
            for why in (
                "not testable",
                "Cannot be tested.",
                "no reason given",
                "see above",
                "无法测试",
            )
        ),
        (replace(TESTS, untestable=(d.Untestable("FR-9", "?"),)), "names FR-9"),
    ],
)
def test_tests_are_told_what_is_wrong_with_them(tests, finding):
    assert any(finding in found for found in test_checks.tests_findings(tests, SPEC, PLAN))


def test_untestable_is_an_answer_and_a_criterion_covers_its_requirement():
    why = (d.Untestable("FR-2", "A person must look."),)
    assert not test_checks.tests_findings(
        replace(files(covers=("AC-1",)), untestable=why), SPEC, PLAN
    )


def test_what_should_be_need_not_be_tested():
    soft = replace(SPEC, requirements=(FIRST, replace(SECOND, priority=d.Priority.SHOULD)))
    assert not test_checks.tests_findings(files(covers=("FR-1",)), soft, PLAN)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "line",
    ["//" + " " * 900_000, "// " + "." * 900_000, " " * 900_000 + "x", "throw new " * 90_000],
)
def test_no_line_takes_long_to_check(line):
    tests = files(content=TEST_CODE + line)
    assert isinstance(test_checks.tests_findings(tests, SPEC, PLAN), list)


CLOCK = d.TestFile("tests/helpers/clock.ts", "export const noon = 12;\n")


def with_helpers(*helpers: d.TestFile, line: str = 'import { noon } from "./helpers/clock.ts";'):
    using = replace(TEST, content=f"{line}\n{TEST_CODE}")
    return replace(TESTS, files=(using, *helpers))


def test_helpers_stand_among_the_tests_and_cover_nothing():
    samples = d.TestFile("tests/samples/loans.csv", "title\nAtlas\n")
    asserting = d.TestFile(
        "tests/helpers/seen.ts", 'import assert from "node:assert";\nimport "./clock.ts";\n'
    )
    for tests in (
        with_helpers(CLOCK),
        with_helpers(CLOCK, line='import { noon } from "./helpers/clock.js";'),
        with_helpers(CLOCK, asserting, line='import { seen } from "./helpers/seen.ts";'),
        with_helpers(samples, line='const at = new URL("./samples/loans.csv", import.meta.url);'),
    ):
        assert test_checks.tests_findings(tests, SPEC, PLAN) == []
    assert "helps the tests" in render.tests_markdown(with_helpers(CLOCK))


@pytest.mark.parametrize(
    ("tests", "finding"),
    [
        (with_helpers(replace(CLOCK, covers=("FR-1",))), "covers nothing: empty `covers`"),
        (with_helpers(CLOCK, line="// ./helpers/clock.ts"), "no test imports it"),
        (with_helpers(replace(CLOCK, content=TEST_CODE)), "the runner does not find them there"),
        (with_helpers(replace(CLOCK, path="src/clock.ts")), "does not stand under `tests/`"),
        (with_helpers(replace(CLOCK, content="// TODO: write\n")), "missing"),
    ],
)
def test_a_helper_is_told_what_is_wrong_with_it(tests, finding):
    assert any(finding in found for found in test_checks.tests_findings(tests, SPEC, PLAN))


def test_ids_of_a_suite_count_for_the_tests_in_it_and_for_no_other():
    inside = """describe("FR-1 AC-1", () => {
  test.each([[f(1), 2]])("FR-2 AC-2: %s", (a) => { assert.equal(ask("(").state, a); });
  it(`keeps`, () => { assert.ok(ask); });
});
"""
    assert test_checks.tests_findings(files(content=inside), SPEC, PLAN) == []
    outside = inside + 'test("after", () => { assert.ok(ask); });'
    (told,) = test_checks.tests_findings(files(content=outside), SPEC, PLAN)
    assert "`after` names no requirement" in told


def test_a_short_reason_of_wide_letters_is_one():
    why = (d.Untestable("FR-2", "需要人来看"),)
    assert not test_checks.tests_findings(replace(files(), untestable=why), SPEC, PLAN)
