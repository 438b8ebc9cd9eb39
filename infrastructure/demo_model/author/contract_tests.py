"""Writes the contract tests. Invariant: each test names the FR and the AC it stands for."""

from typing import Any

from domain import documents as d
from infrastructure.demo_model.author.cases import Case, sample
from infrastructure.demo_model.author.plan import entity_path, read_spec
from infrastructure.demo_model.author.requirements import Deed
from infrastructure.demo_model.author.sketch import Sketch, Thing, from_entities
from infrastructure.demo_model.author.tables import TYPES
from infrastructure.demo_model.author.templates import TEMPLATES
from infrastructure.demo_model.author.typescript import constant, literal

MARK = "Written by the demo model."
UNTESTED = "The demo model knows how to test adding, finding, changing and removing."
VALIDATION, SCHEMA = "tests/validation.test.ts", "tests/schema.test.ts"
ROUTES = "tests/routes.test.ts"


def _object(thing: Thing, number: int) -> str:
    pairs = [f"{part.name}: {literal(sample(part, number))}" for part in thing.parts]
    return "{ " + ", ".join(pairs) + " }"


def _imports(things: list[Thing]) -> list[str]:
    return [f'import {{ {constant(t)} }} from "../{entity_path(t)}";' for t in things]


def _distinct(cases: list[Case]) -> list[Thing]:
    return list({case.thing.label: case.thing for case in cases}.values())


def _validation(cases: list[Case]) -> tuple[str, tuple[str, ...]]:
    tests: list[str] = []
    covers: list[str] = []
    for case in cases:
        thing, needed = case.thing, case.thing.needed[0]
        covers += case.covered(1, 2)
        tests.append(f"""
test({case.title(1, f"a whole {thing.label} is accepted as it was sent")}, () => {{
  const input = {_object(thing, 1)};
  assert.deepEqual(validate({constant(thing)}.fields, input), {{ ok: true, value: input }});
}});

test({case.title(2, f"a {thing.label} without its {needed.label} is refused")}, () => {{
  const input = {{ ...{_object(thing, 1)}, {needed.name}: "  " }};
  const checked = validate({constant(thing)}.fields, input);
  assert.ok(!checked.ok, "an empty field was accepted");
  assert.deepEqual(checked.problems.map((problem) => problem.field), [{literal(needed.name)}]);
}});

test({case.title(2, f"a {thing.label} with an unknown field is refused")}, () => {{
  const checked = validate({constant(thing)}.fields, {{ ...{_object(thing, 1)}, surprise: 1 }});
  assert.ok(!checked.ok, "an unknown field was accepted");
  assert.deepEqual(checked.problems.map((problem) => problem.field), ["surprise"]);
}});""")
    head = [
        f"/** What may be saved. {MARK} */",
        'import assert from "node:assert/strict";',
        'import { test } from "node:test";',
        *_imports(_distinct(cases)),
        'import { validate } from "../src/validation.ts";',
    ]
    return "\n".join([*head, *tests, ""]), tuple(dict.fromkeys(covers))


def _schema(cases: list[Case]) -> tuple[str, tuple[str, ...]]:
    tests: list[str] = []
    covers: list[str] = []
    for case in cases:
        thing, needed = case.thing, case.thing.needed[0]
        covers += case.covered(2)
        column = f'"{needed.name}" {TYPES[needed.kind]} NOT NULL'
        title = case.title(2, f"the database refuses a {thing.label} without its {needed.label}")
        tests.append(f"""
test({title}, () => {{
  const table = tableOf({literal(thing.table)});
  assert.ok(table.includes({literal(column)}), "the column may be empty");
  for (const field of {constant(thing)}.fields) {{
    assert.ok(table.includes(`"${{field.name}}" `), `there is no column for ${{field.name}}`);
  }}
}});""")
    head = [
        f"/** What the database keeps, read from its schema. {MARK} */",
        'import assert from "node:assert/strict";',
        'import { readFileSync } from "node:fs";',
        'import { test } from "node:test";',
        *_imports(_distinct(cases)),
        "",
        'const schema = readFileSync(new URL("../db/schema.sql", import.meta.url), "utf8");',
        "",
        "function tableOf(name: string): string {",
        '  const [, rest] = schema.split(`CREATE TABLE "${name}" (`);',
        "  assert.ok(rest !== undefined, `there is no table ${name}`);",
        '  return rest.slice(0, rest.indexOf("\\n);"));',
        "}",
    ]
    return "\n".join([*head, *tests, ""]), tuple(dict.fromkeys(covers))


def _add(case: Case) -> str:
    thing = case.thing
    refused = case.title(2, f"nothing is stored of a {thing.label} that lacks what is needed")
    return f"""
test({case.title(1, f"a saved {thing.label} stands in the list")}, async () => {{
  await serving(async (call) => {{
    const saved = await call("POST", {literal(f"/api/{thing.table}")}, {_object(thing, 1)});
    assert.equal(saved.status, 201);
    const listed = await call("GET", {literal(f"/api/{thing.table}")});
    assert.deepEqual(listed.body.items, [saved.body]);
  }});
}});

test({refused}, async () => {{
  await serving(async (call) => {{
    const refused = await call("POST", {literal(f"/api/{thing.table}")}, {{}});
    assert.equal(refused.status, 422);
    const fields = refused.body.problems.map((problem: {{ field: string }}) => problem.field);
    assert.ok(fields.includes({literal(thing.needed[0].name)}), "the problem is not named");
    assert.deepEqual((await call("GET", {literal(f"/api/{thing.table}")})).body.items, []);
  }});
}});"""


def _find(case: Case) -> str:
    thing, path = case.thing, literal(f"/api/{case.thing.table}")
    return f"""
test({case.title(1, f"the newer of two {thing.many} comes first")}, async () => {{
  await serving(async (call) => {{
    const older = await call("POST", {path}, {_object(thing, 1)});
    const newer = await call("POST", {path}, {_object(thing, 2)});
    assert.deepEqual((await call("GET", {path})).body.items, [newer.body, older.body]);
  }});
}});

test({case.title(2, f"a search narrows the {thing.many}, by a parameter")}, async () => {{
  await serving(async (call) => {{
    const older = await call("POST", {path}, {_object(thing, 1)});
    await call("POST", {path}, {_object(thing, 2)});
    const found = await call("GET", {literal(f"/api/{thing.table}?search=1")});
    assert.deepEqual(found.body.items, [older.body]);
  }});
  assert.match({constant(thing)}.queries.list, /WHERE \\$1 = ''/);
}});"""


def _change(case: Case) -> str:
    thing, path = case.thing, literal(f"/api/{case.thing.table}")
    one = f"`/api/{thing.table}/${{saved.body.id}}`"
    return f"""
test({case.title(1, f"a changed {thing.label} is shown as it is now")}, async () => {{
  await serving(async (call) => {{
    const saved = await call("POST", {path}, {_object(thing, 1)});
    const changed = await call("PUT", {one}, {_object(thing, 2)});
    assert.equal(changed.status, 200);
    const now = await call("GET", {one});
    assert.deepEqual(now.body, {{ ...{_object(thing, 2)}, id: saved.body.id }});
  }});
}});

test({case.title(2, f"a removed {thing.label} is gone")}, async () => {{
  await serving(async (call) => {{
    const saved = await call("POST", {path}, {_object(thing, 1)});
    assert.equal((await call("DELETE", {one})).status, 204);
    assert.equal((await call("GET", {one})).status, 404);
    assert.equal((await call("DELETE", {one})).status, 404);
  }});
}});"""


def _routes(cases: list[Case]) -> tuple[str, tuple[str, ...]]:
    write = {Deed.ADD: _add, Deed.FIND: _find, Deed.CHANGE: _change}
    tests = [write[case.deed](case) for case in cases]
    searched = [case for case in cases if case.deed is Deed.FIND]
    template = (TEMPLATES / ROUTES).read_text("utf-8")
    head = template.replace("@@MARK@@", MARK).replace(
        "@@IMPORTS@@", "\n".join(_imports(_distinct(searched)))
    )
    covers = [ident for case in cases for ident in case.covered(1, 2)]
    return "\n".join([head.rstrip("\n"), *tests, ""]), tuple(dict.fromkeys(covers))


def _tables(requirement: str, drawn: Sketch) -> str:
    """For a specification in words of its own: at least the tables it needs."""
    tables = [literal(f'CREATE TABLE "{thing.table}" (') for thing in drawn.things]
    checks = [f"  assert.ok(schema.includes({table}));" for table in tables]
    name = literal(f"{requirement}: everything named has its table")
    return "\n".join(
        [
            f"/** What the database keeps, read from its schema. {MARK} */",
            'import assert from "node:assert/strict";',
            'import { readFileSync } from "node:fs";',
            'import { test } from "node:test";',
            "",
            'const schema = readFileSync(new URL("../db/schema.sql", import.meta.url), "utf8");',
            "",
            f"test({name}, () => {{",
            *checks,
            "});",
            "",
        ]
    )


def write_tests(inputs: dict[str, Any]) -> d.Tests:
    """The contract tests of a specification."""
    spec = read_spec(inputs)
    drawn = from_entities(spec.entities)
    meant = {deed.trigger(thing): (thing, deed) for thing in drawn.things for deed in Deed}
    cases = [Case(r, *meant[r.trigger]) for r in spec.requirements if r.trigger in meant]
    adding = [case for case in cases if case.deed is Deed.ADD]
    files = []
    for path, group, write in (
        (VALIDATION, adding, _validation),
        (SCHEMA, adding, _schema),
        (ROUTES, cases, _routes),
    ):
        if group:
            content, covers = write(group)
            files.append(d.TestFile(path, content, covers))
    known = {case.id for case in cases}
    if not files:
        first = spec.requirements[0].id
        known.add(first)
        files.append(d.TestFile("tests/tables.test.ts", _tables(first, drawn), (first,)))
    covered = {ident for file in files for ident in file.covers}
    open_ids = (
        ident
        for r in spec.requirements
        for ident in ([r.id] if r.id not in known else [own.id for own in r.criteria])
        if ident not in covered
    )
    untestable = tuple(d.Untestable(ident, UNTESTED) for ident in open_ids)
    return d.Tests(
        summary=(
            f"{MARK} {len(known)} of {len(spec.requirements)} requirements are tested: what may be "
            "saved, what the database refuses, and what every address answers."
        ),
        files=tuple(files),
        untestable=untestable,
    )
