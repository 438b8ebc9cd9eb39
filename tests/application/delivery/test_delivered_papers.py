"""What is computed for a delivery: the trace from brief to files, and the bill of materials."""

import json
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from msgspec.structs import replace

from application.delivery.manifest import bill_of_materials, is_declaration
from application.delivery.trace import trace_markdown, trace_of
from domain import documents as d
from domain.events import FileWritten
from tests.given import PLAN, SPEC, TESTS

FEATURE = UUID(int=2)
AT = datetime(2026, 1, 1, tzinfo=UTC)
BRIEF = "- BF-1 lend tools\n"
FILES = (
    FileWritten("src/server.ts", 1, "aa" * 32),
    FileWritten("tests/lend.test.ts", 1, "bb" * 32),
)


def test_a_point_is_followed_to_its_files_and_tests():
    trace = trace_of(BRIEF, SPEC, PLAN, TESTS, FILES)
    assert [point.requirements for point in trace.points] == [("FR-1",)]
    (need,) = trace.requirements
    assert (need.tasks, need.files, need.tests) == (
        ("T-1",),
        ("src/server.ts",),
        ("tests/lend.test.ts",),
    )
    assert [(c.id, c.tests) for c in need.criteria] == [("AC-1", ("tests/lend.test.ts",))]
    assert [(f.path, f.tasks, f.serves) for f in trace.files] == [
        ("src/server.ts", ("T-1",), ("FR-1",)),
        ("tests/lend.test.ts", (), ("FR-1", "AC-1")),
    ]
    assert trace.gaps == ()
    page = trace_markdown(trace)
    for word in ("BF-1", "FR-1", "AC-1", "T-1", "`src/server.ts`", "Nothing."):
        assert word in page


def test_what_leads_nowhere_is_a_gap():
    brief = BRIEF + "- BF-2 print a list\n- BF-3 send letters\n"
    spec = replace(
        SPEC,
        requirements=(*SPEC.requirements, replace(SPEC.requirements[0], id="FR-2", criteria=(
            d.Criterion("AC-2", "a", "b", "c"), d.Criterion("AC-3", "a", "b", "c")))),
        out_of_scope=(d.Exclusion("No letters.", ("BF-3",)),),
    )  # fmt: skip
    plan = replace(PLAN, tasks=(replace(PLAN.tasks[0], writes=("src/server.ts", "src/gone.ts")),))
    tests = replace(TESTS, untestable=(d.Untestable("AC-3", "It is a matter of taste."),))
    files = (*FILES, FileWritten("src/surplus.ts", 1, "cc" * 32))
    trace = trace_of(brief, spec, plan, tests, files)
    assert trace.gaps == (
        "BF-2 has no requirement, and nothing says that it is left out.",
        "FR-2 has no task.",
        "AC-2 has no test, and nothing says why.",
        "src/gone.ts was planned, and is not there.",
        "src/surplus.ts belongs to no task and covers nothing.",
    )
    page = trace_markdown(trace)
    assert "Left out: No letters." in page
    assert "It is a matter of taste." in page
    assert all(gap.split()[0] in page for gap in trace.gaps)


def bill(declared, planned=()):
    return json.loads(bill_of_materials(FEATURE, "Tool library", AT, declared, planned))


PACKAGE = json.dumps(
    {
        "name": "tools",
        "dependencies": {"express": "5.1.0", "@hono/node-server": "^1.2.3"},
        "devDependencies": {"typescript": "~5.9.0"},
        "optionalDependencies": {"fsevents": "*"},
        "peerDependencies": {"react": ">=19"},
    }
).encode()


def test_the_bill_lists_what_is_declared_at_the_ranges_that_are_declared():
    made = bill(
        {"package.json": PACKAGE, "web/package.json": PACKAGE}, ("pg", "express", "node:fs")
    )
    listed = {each["purl"]: each for each in made["components"]}
    assert {purl: each["scope"] for purl, each in listed.items()} == {
        "pkg:npm/express@5.1.0": "required",
        "pkg:npm/%40hono/node-server": "required",
        "pkg:npm/typescript": "excluded",
        "pkg:npm/fsevents": "optional",
        "pkg:npm/react": "optional",
        "pkg:npm/pg": "optional",
    }
    assert listed["pkg:npm/express@5.1.0"]["version"] == "5.1.0"
    assert "version" not in listed["pkg:npm/%40hono/node-server"]
    said = [(p["name"], p["value"]) for p in listed["pkg:npm/typescript"]["properties"]]
    assert said == [
        ("build-practical:declared_in", "package.json"),
        ("build-practical:declared_range", "~5.9.0"),
        ("build-practical:declared_in", "web/package.json"),
    ]
    assert made["compositions"] == [{"aggregate": "incomplete", "dependencies": ["delivery"]}]


def test_the_same_code_has_the_same_bill_and_other_code_another_number():
    one = bill_of_materials(FEATURE, "Tools", AT, {"package.json": PACKAGE}, ("pg",))
    assert one == bill_of_materials(FEATURE, "Tools", AT, {"package.json": PACKAGE}, ("pg",))
    other = json.loads(bill_of_materials(FEATURE, "Tools", AT, {"package.json": PACKAGE}, ()))
    assert json.loads(one)["serialNumber"] != other["serialNumber"]


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff", b'{"dependencies": []}', b""])
def test_a_declaration_that_cannot_be_read_is_named(text):
    made = bill({"package.json": text})
    assert made["components"] == []
    assert [p["value"] for p in made["metadata"]["properties"]] == ["package.json"]
    _valid(made)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
sections = st.dictionaries(words, words | st.integers() | st.none(), max_size=3)


@forall(
    st.dictionaries(
        st.sampled_from(["dependencies", "devDependencies", "peerDependencies", "name"]),
        sections | words,
    ),
    st.lists(words, max_size=3),
)
def test_any_bill_has_what_the_format_requires(package, planned):
    _valid(bill({"package.json": json.dumps(package).encode()}, planned))


def _valid(made):
    """What CycloneDX 1.6 requires, where this bill uses it: fields, words, unique references."""
    assert made["$schema"] == "http://cyclonedx.org/schema/bom-1.6.schema.json"
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(
        "urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        made["serialNumber"],
    )
    assert set(made) <= {
        "$schema", "bomFormat", "specVersion", "version", "serialNumber", "metadata",
        "components", "dependencies", "compositions",
    }  # fmt: skip
    datetime.fromisoformat(made["metadata"]["timestamp"])
    components = [made["metadata"]["component"], *made["components"]]
    for each in [*components, *made["metadata"]["tools"]["components"]]:
        assert {"type", "name"} <= set(each)
        assert each["type"] in {"application", "library"}
        assert each.get("scope", "required") in {"required", "optional", "excluded"}
        for said in each.get("properties", []):
            assert set(said) == {"name", "value"}
            assert all(isinstance(value, str) for value in said.values())
    known = [each["bom-ref"] for each in components]
    assert len(known) == len(set(known))
    assert all(known)
    for each in made["dependencies"]:
        assert {each["ref"], *each["dependsOn"]} <= set(known)
    assert all(c["aggregate"] == "incomplete" for c in made["compositions"])


def test_only_declarations_are_read():
    assert is_declaration("package.json")
    assert is_declaration("web/package.json")
    assert not is_declaration("src/my-package.json")
