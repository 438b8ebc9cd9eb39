"""Why lines are there: read by the real parsers, over the demo application and small ones."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from msgspec.structs import replace

from application.delivery.attribution import Attribution, ServingBasis, attribution_of
from application.delivery.points_said import SaidMessage, SaidPoint
from application.delivery.trace import trace_of
from application.delivery.why import (
    points_of_message,
    points_of_sentence,
    reason_for,
    standing_on,
)
from application.delivery.writings import Writing, Writings
from domain import documents as d
from domain.errors import NotFound
from domain.events import FileWritten
from infrastructure.inspection.pieces import pieces_of
from tests.demo_model.asking import EXAMPLES
from tests.demo_model.test_application import Made

AT = datetime(2026, 1, 1, tzinfo=UTC)
OK = (d.PlannedAnswer(200),)


def attributed(
    brief: str, spec: d.Spec, plan: d.Plan, tests: d.Tests, files: Mapping[str, str]
) -> Attribution:
    """A whole feature of these documents, whose files one attempt wrote."""
    every = {**files, **{file.path: file.content for file in tests.files}}
    written = tuple(
        FileWritten(path, len(text.encode()), sha256(text.encode()).hexdigest())
        for path, text in sorted(every.items())
    )
    trace = trace_of(brief, spec, plan, tests, written)
    hashes = {file.path: file.sha256 for file in written}
    one = Writing(9, UUID(int=9), AT, "agent:implementer", 1, "implement:1", files=hashes, plan=5)
    bodies = {hashes[path]: text.encode() for path, text in every.items()}
    message = SaidMessage("m-1", 2, "We lend tools. Who is late must be seen.")
    points = tuple(
        SaidPoint(point.id, point.text, 3, (message,) if point.id == "BF-1" else ())
        for point in trace.points
    )
    structure = pieces_of(every, plan)
    return attribution_of(trace, points, structure, Writings({9: one}), 9, bodies, {5: plan})


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def demo(request: pytest.FixtureRequest) -> Attribution:
    made = Made(request.param.read_text())
    return attributed(
        made.brief,
        msgspec.convert(made.spec, d.Spec),
        msgspec.convert(made.plan, d.Plan),
        msgspec.convert(made.tests, d.Tests),
        made.files,
    )


def lines_of(whole: Attribution) -> list[tuple[str, int]]:
    return [
        (file.path, line)
        for file in whole.files
        for line in range(1, (file.segments[-1].last if file.segments else 0) + 1)
    ]


def test_a_requirement_of_the_demo_stands_on_a_third_of_the_files_at_most(demo):
    for need in demo.trace.requirements:
        found = standing_on(demo, requirements=(need.id,))
        paths = {place.path for place in found.places}
        assert 3 * len(paths) <= len(demo.files), (need.id, sorted(paths))
        assert any(path.startswith("src/entities/") for path in paths)
        assert any(path.startswith("tests/") for path in paths)
        assert found.tests
        assert not paths & {"package.json", "tsconfig.json", "src/server.ts", "README.md"}


def test_there_and_back_lead_to_the_same_lines(demo):
    there = {
        (path, line, need.id)
        for path, line in lines_of(demo)
        for need in reason_for(demo, path, line).requirements
    }
    back = {
        (place.path, line, need)
        for one in demo.trace.requirements
        for place in standing_on(demo, requirements=(one.id,)).places
        for need in place.requirements
        for line in range(place.first, place.last + 1)
    }
    assert there == back
    assert there


def test_every_line_of_the_demo_has_one_writer_and_an_answer(demo):
    assert {file.path for file in demo.files} == {file.path for file in demo.trace.files}
    for path, line in lines_of(demo):
        reason = reason_for(demo, path, line)
        assert reason.first <= line <= reason.last
        assert reason.written
        assert reason.written.attempt == "implement:1"
        assert bool(reason.requirements) == (
            reason.basis not in {ServingBasis.SHARED, ServingBasis.STACK, ServingBasis.NOT_KNOWN}
        )
        assert reason.basis is not ServingBasis.NOT_KNOWN
    for path in ("package.json", "tsconfig.json", ".env.example"):
        assert reason_for(demo, path, 1).basis is ServingBasis.STACK


def test_what_is_of_each_file_is_covered_once_and_in_order(demo):
    for file in demo.files:
        ends = [0, *(one.last for one in file.segments)]
        assert [one.first for one in file.segments] == [end + 1 for end in ends[:-1]]


def need(number: int, *sources: str) -> d.Requirement:
    return d.Requirement(
        f"FR-{number}",
        "member",
        f"does {number}",
        "it is done",
        sources or ("BF-1",),
        (d.Criterion(f"AC-{number}", "a", "b", "c"),),
    )


BRIEF = "- BF-1 We lend tools\n- BF-2 Who is late must be seen\n- BF-3 no letters\n"
SPEC = d.Spec(
    "Tools",
    "Lending.",
    (need(1), need(2, "BF-2"), need(3), need(4)),
    out_of_scope=(d.Exclusion("Letters are left out.", ("BF-3",)),),
)
PLAN = d.Plan(
    summary="Small.",
    files=(),
    tasks=(
        d.Task("T-1", "All of it", ("FR-1", "FR-2", "FR-3", "FR-4"), ("db/001.sql", "src/app.ts")),
        d.Task("T-2", "Loans", ("FR-1", "FR-2"), ("src/loans.ts",)),
        d.Task("T-3", "Nothing", ("FR-3",), ("src/empty.ts", "src/crlf.ts", "src/long.ts")),
    ),
    routes=(
        d.PlannedRoute(d.HttpMethod.GET, "/api/loans", ("anybody",), OK),
        d.PlannedRoute(d.HttpMethod.DELETE, "/api/loans/:id", ("anybody",), OK),
    ),
)  # fmt: skip
FILES = {
    "src/loans.ts": (
        'import { db } from "./db.ts";\n\n'
        "/** Lends. */\n"
        "export async function lend(tool: string) {\n"
        "  return db.query(`INSERT INTO loans (tool) VALUES ($1)`, [tool]);\n"
        "}\n\n"
        "function late(day: string) {\n  return day;\n}\n\n"
        "export { late as overdue };"
    ),
    "src/app.ts": (
        'import { lend } from "./loans.ts";\n'
        'app.get("/api/loans", async () => {\n  return lend("saw");\n});\n'
        'app.delete("/api/loans/:id", async () => {\n  return null;\n});\n'
    ),
    "db/001.sql": (
        "-- loans\nCREATE TABLE IF NOT EXISTS loans (\n  tool text\n);\n"
        "CREATE TABLE other (a int);\n"
    ),
    "src/empty.ts": "",
    "src/crlf.ts": "export const a = 1;\r\nexport const b = 2;\r\n",
    "src/long.ts": "export const long = 1; // " + "x" * 50_000,
    "src/stray.ts": "export const nobody = 1;\n",
    "package.json": "{}\n",
}
TESTS = d.Tests(
    "Two.",
    (
        d.TestFile(
            "tests/loans.test.ts",
            'import { lend, overdue } from "../src/loans.ts";\n'
            "const made = () => lend(1);\n"
            'describe("FR-1", () => {\n'
            '  test("AC-1 it is lent", async () => { assert.ok(await made()); });\n'
            "});\n"
            'test("FR-2: who is late", async () => {\n'
            "  assert.ok(overdue(1));\n"
            '  await call("GET", "/api/loans");\n'
            "});\n",
            ("FR-1", "FR-2", "FR-3", "FR-4"),
        ),
    ),
)


@pytest.fixture(scope="module")
def small() -> Attribution:
    return attributed(BRIEF, SPEC, PLAN, TESTS, FILES)


def story(whole: Attribution, path: str, line: int) -> tuple[ServingBasis, list[str]]:
    reason = reason_for(whole, path, line)
    return reason.basis, [one.id for one in reason.requirements]


def test_a_requirement_is_narrowed_to_the_export_that_its_tests_use(small):
    assert story(small, "src/loans.ts", 3) == (ServingBasis.TESTED, ["FR-1"])
    assert story(small, "src/loans.ts", 5) == (ServingBasis.TESTED, ["FR-1"])
    assert story(small, "src/loans.ts", 9) == (ServingBasis.TESTED, ["FR-2"])
    assert story(small, "src/loans.ts", 1) == (ServingBasis.TASK, ["FR-1", "FR-2"])
    assert reason_for(small, "src/loans.ts", 9).part_of == "export overdue"


def test_routes_tables_and_tests_are_found_by_their_lines(small):
    assert story(small, "src/app.ts", 3) == (ServingBasis.TESTED, ["FR-2"])
    assert story(small, "src/app.ts", 5) == (ServingBasis.SHARED, [])
    assert story(small, "db/001.sql", 3) == (ServingBasis.NAMED, ["FR-1"])
    assert story(small, "db/001.sql", 5) == (ServingBasis.SHARED, [])
    assert story(small, "tests/loans.test.ts", 4) == (ServingBasis.TEST, ["FR-1"])
    assert story(small, "tests/loans.test.ts", 8) == (ServingBasis.TEST, ["FR-2"])
    assert story(small, "tests/loans.test.ts", 1) == (ServingBasis.SHARED, [])
    assert reason_for(small, "src/app.ts", 3).part_of == "route GET /api/loans"


def test_what_no_task_and_no_test_names_is_not_known(small):
    assert story(small, "src/stray.ts", 1) == (ServingBasis.NOT_KNOWN, [])
    assert story(small, "package.json", 1) == (ServingBasis.STACK, [])


def test_a_reason_leads_to_task_tests_points_and_message(small):
    reason = reason_for(small, "src/loans.ts", 4)
    assert reason.written_for
    assert (reason.written_for.id, reason.written_for.title) == ("T-2", "Loans")
    assert [test.title for test in reason.tests] == ["FR-1 AC-1 it is lent"]
    assert [(one.first, one.last) for one in reason.tests] == [(4, 4)]
    assert [(p.id, [m.id for m in p.messages]) for p in reason.points] == [("BF-1", ["m-1"])]
    assert [p.messages for p in reason_for(small, "src/loans.ts", 9).points] == [()]


def test_what_stands_on_words_is_found_by_point_message_and_sentence(small):
    late = standing_on(small, points=points_of_sentence(small, "who is late must be seen."))
    assert [one.id for one in late.requirements] == ["FR-2"]
    assert [(p.path, p.first, p.last) for p in late.places] == [
        ("src/app.ts", 2, 4),
        ("src/loans.ts", 1, 2),
        ("src/loans.ts", 7, 12),
        ("tests/loans.test.ts", 6, 9),
    ]
    assert [one.id for one in late.tasks] == ["T-1", "T-2"]
    assert late.shared == ("db/001.sql", "src/app.ts", "tests/loans.test.ts")
    assert points_of_message(small, "m-1") == ("BF-1",)
    assert points_of_sentence(small, "lend") == ("BF-1",)
    assert points_of_sentence(small, "  ") == ()
    assert points_of_sentence(small, "nothing of the kind") == ()
    letters = standing_on(small, points=("BF-3",))
    assert (letters.requirements, letters.left_out) == ((), ("Letters are left out.",))
    assert standing_on(small, points=("BF-99",)).places == ()


@pytest.mark.parametrize(
    ("path", "lines"), [("src/empty.ts", 0), ("src/crlf.ts", 2), ("src/long.ts", 1)]
)
def test_unusual_files_have_a_line_for_a_line(small, path, lines):
    for line in range(1, lines + 1):
        assert story(small, path, line) == (ServingBasis.TASK, ["FR-3"])
    with pytest.raises(NotFound):
        reason_for(small, path, lines + 1)
    with pytest.raises(NotFound):
        reason_for(small, "src/none.ts", 1)


TASKED = st.lists(
    st.sets(st.sampled_from(["FR-1", "FR-2", "FR-3", "FR-4"])).map(sorted).map(tuple),
    min_size=3,
    max_size=3,
)


@forall(TASKED, st.sets(st.sampled_from(["FR-1", "FR-2", "FR-3", "FR-4", "AC-4"])))
def test_whatever_a_plan_says_there_and_back_are_the_same(small, tasked, covers):
    tasks = tuple(
        replace(task, requirements=needs) for task, needs in zip(PLAN.tasks, tasked, strict=True)
    )
    tests = replace(TESTS, files=(replace(TESTS.files[0], covers=tuple(sorted(covers))),))
    whole = attributed(BRIEF, SPEC, replace(PLAN, tasks=tasks), tests, FILES)
    for one in SPEC.requirements:
        back = {
            (place.path, line)
            for place in standing_on(whole, requirements=(one.id,)).places
            for line in range(place.first, place.last + 1)
        }
        assert back == {
            (path, line) for path, line in lines_of(whole) if one.id in story(whole, path, line)[1]
        }
