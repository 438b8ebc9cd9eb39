"""From an example brief to the files: everything is valid, covers its ids and parses."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import yaml  # type: ignore[import-untyped]
from ast_grep_py import SgNode, SgRoot

from application.agents.checks.stack import stack_findings
from application.delivery.kit import kit_of
from domain import documents as d
from infrastructure.demo_model.author.brief import wishes
from infrastructure.demo_model.reply import Call
from infrastructure.inspection.settings import settings_read
from tests.demo_model.asking import EXAMPLES, answer, call, turn

LANGUAGES = {".ts": "typescript", ".js": "javascript", ".css": "css"}


class Made:
    """Everything written for one brief, agent by agent, as the pipeline would."""

    def __init__(self, brief: str) -> None:
        self.brief = brief
        self.points = [{"id": key, "text": text} for key, text in wishes(brief)]
        self.spec = call(answer("spec", brief=brief, points=self.points), "submit_spec")
        self.plan = call(answer("planner", spec=self.spec), "submit_plan")
        self.tests = call(answer("contract_test", spec=self.spec, plan=self.plan), "submit_tests")
        self.files, self.done = implemented(self.spec, self.plan, self.tests)


def implemented(spec: Any, plan: Any, tests: Any) -> tuple[dict[str, str], Any]:
    """Run the implementer's loop to its end."""
    files: dict[str, str] = {}
    later: list[dict[str, Any]] = []
    for _ in range(20):
        reply = answer("implementer", *later, spec=spec, plan=plan, tests=tests)
        calls = [b for b in reply.blocks if isinstance(b, Call)]
        for block in calls:
            value = json.loads(block.raw)
            if block.name == "task_done":
                return files, value
            assert block.name == "write_files"
            files |= {file["path"]: file["content"] for file in value["files"]}
        later += turn(reply)
    raise AssertionError("the implementer never said that it is done")


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def made(request: pytest.FixtureRequest) -> Made:
    path: Path = request.param
    return Made(path.read_text())


def every(node: SgNode) -> list[SgNode]:
    """A node and all below it."""
    return [node, *(below for child in node.children() for below in every(child))]


def broken(path: str, content: str) -> list[str]:
    """What does not parse in a file."""
    root = SgRoot(content, LANGUAGES[Path(path).suffix]).root()
    return [n.text()[:80] for n in every(root) if n.kind() == "ERROR" or "MISSING" in n.kind()]


def test_the_documents_are_what_the_harness_decodes(made):
    for value, kind in ((made.spec, d.Spec), (made.plan, d.Plan), (made.tests, d.Tests)):
        msgspec.convert(value, kind)


def test_every_point_is_in_a_requirement_or_left_out_by_name(made):
    spec = msgspec.convert(made.spec, d.Spec)
    answered = {s for r in spec.requirements for s in r.sources}
    answered |= {s for x in spec.out_of_scope for s in x.sources}
    assert {point["id"] for point in made.points} == answered


def test_ids_are_given_once(made):
    spec = msgspec.convert(made.spec, d.Spec)
    ids = [r.id for r in spec.requirements] + [c.id for r in spec.requirements for c in r.criteria]
    assert len(ids) == len(set(ids))


def test_the_entities_are_between_two_and_five_with_distinct_fields(made):
    spec = msgspec.convert(made.spec, d.Spec)
    assert 2 <= len(spec.entities) <= 5
    for entity in spec.entities:
        assert len({field.name for field in entity.fields}) == len(entity.fields)


def test_the_plan_covers_every_requirement_and_gives_each_file_one_owner(made):
    plan = msgspec.convert(made.plan, d.Plan)
    assert {r for t in plan.tasks for r in t.requirements} == {
        r["id"] for r in made.spec["requirements"]
    }
    owned = [path for task in plan.tasks for path in task.writes]
    assert len(owned) == len(set(owned))
    assert {(f.path, f.task) for f in plan.files} == {
        (p, t.id) for t in plan.tasks for p in t.writes
    }
    assert not any(path.startswith("tests/") for path in owned)


def test_tasks_depend_on_earlier_tasks_only(made):
    seen: set[str] = set()
    for task in msgspec.convert(made.plan, d.Plan).tasks:
        assert set(task.depends_on) <= seen
        seen.add(task.id)


def test_every_requirement_and_criterion_is_named_in_a_test_that_asserts(made):
    tests = msgspec.convert(made.tests, d.Tests)
    covered = {ident for file in tests.files for ident in file.covers}
    for requirement in msgspec.convert(made.spec, d.Spec).requirements:
        assert {requirement.id, *(c.id for c in requirement.criteria)} <= covered
    for file in tests.files:
        assert all(ident in file.content for ident in file.covers)
        bodies = file.content.split("\ntest(")[1:]
        assert bodies
        assert all("assert." in body for body in bodies)


def test_every_planned_file_is_written_and_no_other(made):
    assert set(made.files) == {file["path"] for file in made.plan["files"]}
    assert made.done["tasks"] == [task["id"] for task in made.plan["tasks"]]


def test_all_code_parses(made):
    texts = made.files | {f["path"]: f["content"] for f in made.tests["files"]}
    checked = {p: broken(p, t) for p, t in texts.items() if Path(p).suffix in LANGUAGES}
    assert len(checked) > 10
    assert {path: errors for path, errors in checked.items() if errors} == {}


def test_the_parser_of_these_tests_sees_a_broken_file():
    assert broken("a.ts", "function f( {")


def test_relative_imports_lead_to_written_files(made):
    texts = made.files | {f["path"]: f["content"] for f in made.tests["files"]}
    for path, text in texts.items():
        if not path.endswith(".ts"):
            continue
        for line in text.splitlines():
            if ' from "' not in line or not line.startswith(("import", "}")):
                continue
            target = line.rsplit('"', 2)[1]
            if target.startswith("."):
                parts = [*Path(path).parent.parts]
                for part in target.split("/"):
                    if part == "..":
                        parts.pop()
                    elif part != ".":
                        parts.append(part)
                assert "/".join(parts) in texts
            else:
                assert target == "pg" or target.startswith("node:")


def test_json_and_html_parse_and_every_tag_is_closed(made):
    assert json.loads(made.files["package.json"])["dependencies"] == {"pg": "8.23.1"}
    json.loads(made.files["tsconfig.json"])
    page = Balanced()
    page.feed(made.files["public/index.html"])
    page.close()
    assert page.open == []
    assert "label" in page.seen


class Balanced(HTMLParser):
    """Checks that tags are closed in their order."""

    void = frozenset({"meta", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in self.void and tag != "!doctype":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_people_are_told_that_a_demo_model_wrote_it(made):
    for text in (
        made.spec["summary"],
        made.plan["summary"],
        made.tests["summary"],
        made.files["README.md"],
        made.files["public/index.html"],
    ):
        assert "demo model" in text


def test_the_readme_says_how_to_run_it(made):
    readme = made.files["README.md"]
    for words in ("npm install", "db/schema.sql", "npm start", "npm test", "DATABASE_URL"):
        assert words in readme


def test_the_same_brief_gives_the_same_application(made):
    again = Made(made.brief)
    assert (again.spec, again.plan, again.tests, again.files) == (
        made.spec,
        made.plan,
        made.tests,
        made.files,
    )


def test_the_alignment_review_approves_what_covers_its_ids(made):
    for gate, deliverable in (("spec", made.spec), ("plan", made.plan), ("tests", made.tests)):
        reply = answer(
            "alignment_review",
            gate=gate,
            deliverable=deliverable,
            points=made.points,
            spec=made.spec,
        )
        advice = msgspec.convert(call(reply, "submit_recommendation"), d.Alignment)
        assert advice.recommendation == "APPROVE"
        assert len(advice.summary.split()) <= 80


def test_the_reviews_find_nothing_grave_and_quote_what_is_there(made):
    files = [{"path": path, "content": text} for path, text in made.files.items()]
    for agent in ("security_review", "code_review"):
        report = msgspec.convert(
            call(answer(agent, files=files, spec=made.spec), "submit_review"), d.Report
        )
        assert report.findings
        for finding in report.findings:
            assert finding.severity in ("low", "medium")
            line = made.files[finding.path].split("\n")[finding.line - 1]
            assert finding.quote in line


def test_a_title_has_at_most_six_words_of_the_brief(made):
    title = msgspec.convert(call(answer("title", brief=made.brief), "submit_title"), d.Title).title
    assert 1 <= len(title.split()) <= 6
    assert title.lower() in made.brief.lower()


def test_a_title_that_is_cut_short_does_not_end_in_a_colon():
    brief = "A tool library for Elm Street: neighbours lend each other tools."
    title = msgspec.convert(call(answer("title", brief=brief), "submit_title"), d.Title).title
    assert title == "A tool library for Elm Street"


def test_it_is_set_up_as_the_stack_profile_says(made: Made) -> None:
    tests = {file["path"]: file["content"] for file in made.tests["files"]}
    assert stack_findings({**made.files, **tests}) == ()


def test_the_kit_gives_the_application_every_setting_that_it_reads(made: Made) -> None:
    texts = {path: made.files[path].encode() for path in ("package.json", ".env.example")}
    kit = kit_of(UUID(int=1), [*made.files], texts, "en")
    assert kit.gaps == ()
    assert kit.to_fill == ()
    assert b'"/tables.sh", "schema.sql"' in kit.files["compose.yaml"]
    services = yaml.safe_load(kit.files["compose.yaml"])["services"]
    read = {
        name
        for path, text in made.files.items()
        if path.endswith(".ts")
        for name, _ in settings_read(SgRoot(text, "typescript").root())
    }
    assert read == {"DATABASE_URL", "HOST", "PORT"}
    assert read <= set(services["app"]["environment"])
    package = json.loads(made.files["package.json"])
    assert {"start"} <= set(package["scripts"])
