"""Files are held to the exports, routes and tables of the plan; what is sound is left alone."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from application.running.computing import Here
from domain import documents as d
from infrastructure.inspection import Inspector

OK = (d.PlannedAnswer(200),)
PLAN = d.Plan(
    summary="A library of tools.",
    files=tuple(
        d.PlannedFile(path, "part", "T-1")
        for path in ("src/loans.ts", "src/server.ts", "src/types.ts", "db/001.sql")
    ),
    tasks=(d.Task("T-1", "All", ("FR-1",), ()),),
    exports=(
        d.PlannedExport("src/types.ts", "Loan", "interface { tool: string; due: string }"),
        d.PlannedExport(
            "src/loans.ts", "overdue", "(loans: readonly Loan[], today: string): Loan[]"
        ),
        d.PlannedExport("src/loans.ts", "lend", "(tool: string, days?: number): Promise<Loan>"),
        d.PlannedExport("src/loans.ts", "LONGEST", "number"),
    ),
    routes=(
        d.PlannedRoute(d.HttpMethod.GET, "/api/loans", ("signed in",), OK),
        d.PlannedRoute(d.HttpMethod.POST, "/api/loans", ("Member",), OK),
        d.PlannedRoute(d.HttpMethod.DELETE, "/api/loans/:id", ("Owner",), OK),
    ),
    tables=(
        d.PlannedTable(
            "loans",
            (d.PlannedColumn("id", "integer"), d.PlannedColumn("due", "date")),
        ),
    ),
)  # fmt: skip
LOANS = """import type { Loan } from "./types.ts";

export const LONGEST = 28;

export function overdue(loans: readonly Loan[], today: string): Loan[] {
  return loans.filter((loan) => loan.due < today);
}

export async function lend(tool: string, days = LONGEST): Promise<Loan> {
  const rows = await db.query(`INSERT INTO loans (due) VALUES ($1)`, [days]);
  return { tool, due: String(rows.length) };
}
"""
SERVER = """import { lend, overdue } from "./loans.ts";

app.get("/api/loans", requireUser, async () => overdue([], "2026-01-01"));
app.post("/api/loans", requireMember, async () => lend("saw"));
app.delete("/api/loans/:id", requireOwner, async () => db.query("SELECT id, due FROM loans"));
"""
TYPES = "export interface Loan {\n  tool: string;\n  due: string;\n}\n"
SQL = "CREATE TABLE loans (id integer PRIMARY KEY, due date NOT NULL);\n"
TEST = """import assert from "node:assert/strict";
import { test } from "node:test";
import { overdue } from "../src/loans.ts";

test("FR-1 AC-1: what is late is found", async () => {
  assert.deepEqual(overdue([{ tool: "saw", due: "2026-01-01" }], "2026-01-02").length, 1);
  const answer = await fetch(`${base}/api/loans`);
  assert.equal(answer.status, 200);
});
"""
FILES = {
    "src/loans.ts": LOANS,
    "src/server.ts": SERVER,
    "src/types.ts": TYPES,
    "db/001.sql": SQL,
    "tests/loans.test.ts": TEST,
}
UNPLANNED = "unplanned_route"
UNWRITTEN = dict.fromkeys(FILES, "") | {"tests/loans.test.ts": TEST}
OURS = {
    "missing_export", "wrong_arguments", "planned_export", "planned_signature", "planned_route",
    "unplanned_route", "planned_table", "signature", "sql",
}  # fmt: skip


async def found(files: Mapping[str, str], plan: d.Plan = PLAN) -> list[tuple[str, str]]:
    """Rule and file of each error of ours; what the compiler says of names left out is not."""
    every = await Inspector(Here()).inspect(None, files, (), plan)
    return [(one.rule, one.path) for one in every if one.error and one.rule in OURS]


async def test_files_that_keep_the_plan_are_left_alone() -> None:
    assert await found(FILES) == []
    assert await found(UNWRITTEN) == []


@pytest.mark.parametrize(
    ("path", "was", "now", "rule"),
    [
        ("src/loans.ts", "export function overdue", "function overdue", "planned_export"),
        ("src/loans.ts", "function lend", "function give", "planned_export"),
        ("src/loans.ts", "export const LONGEST", "const LONGEST", "planned_export"),
        ("src/types.ts", "export interface Loan", "export interface Lent", "planned_export"),
        ("src/loans.ts", "loans: readonly Loan[], today", "today", "planned_signature"),
        ("src/loans.ts", "today: string)", "today: string, zone: string)", "planned_signature"),
        ("src/loans.ts", "today: string)", "today: number)", "planned_signature"),
        ("src/loans.ts", "function overdue", "async function overdue", "planned_signature"),
        ("src/loans.ts", "async function lend(tool: string, days = LONGEST): Promise<Loan>",
         "function lend(tool: string, days = LONGEST): Loan", "planned_signature"),
        ("src/server.ts", '"/api/loans/:id"', '"/api/lends/:id"', "planned_route"),
        ("src/server.ts", 'app.post("/api/loans"', 'app.put("/api/loans"', "planned_route"),
        ("src/server.ts", "FROM loans", "FROM lends", "sql"),
        ("src/server.ts", "FROM loans", "FROM loans JOIN members ON true", "sql"),
        ("src/loans.ts", "(due) VALUES", "(until) VALUES", "sql"),
        ("db/001.sql", "due date", "until date", "planned_table"),
        ("db/001.sql", "CREATE TABLE loans", "CREATE TABLE lends", "planned_table"),
    ],
)  # fmt: skip
async def test_what_the_plan_says_and_a_file_does_not_keep_is_found(
    path: str, was: str, now: str, rule: str
) -> None:
    assert was in FILES[path]
    rules = await found({**FILES, path: FILES[path].replace(was, now)})
    assert rule in {one for one, _ in rules}


@pytest.mark.parametrize(
    ("was", "now", "rule"),
    [
        ("import { overdue }", "import { late as overdue }", "missing_export"),
        ("../src/loans.ts", "../src/server.ts", "missing_export"),
        ("import { overdue }", 'import "../src/server.ts";\nimport { overdue }', None),
        ('}], "2026-01-02")', "}])", "wrong_arguments"),
        ("/api/loans`", "/api/lendings`", "unplanned_route"),
        ("fetch(`${base}/api/loans`)", 'call("PATCH", "/api/loans")', "unplanned_route"),
        ("fetch(`${base}/api/loans`)", 'call("DELETE", `/api/loans/${id}`)', None),
        ("fetch(`${base}/api/loans`)", 'go({ method: "PUT", url: "/api/loans" })', UNPLANNED),
        ("fetch(`${base}/api/loans`)", "fetch(`${base}/nowhere`); assert.equal(404, 404)", None),
    ],
)  # fmt: skip
async def test_tests_are_held_to_the_plan_before_there_is_code(
    was: str, now: str, rule: str | None
) -> None:
    assert was in TEST
    rules = await found({**UNWRITTEN, "tests/loans.test.ts": TEST.replace(was, now)})
    assert {one for one, _ in rules} == ({rule} if rule else set())


TABLE = """const routes = [
  { method: "GET", path: "/api/loans" },
  { method: "POST", path: "/api/loans" },
  { method: "DELETE", path: "/api/loans/{id}" },
];
"""
BEGUN_ELSEWHERE = """loans.get("/", list);
loans.post("/", add);
loans.delete("/:id", drop);
app.use("/api/loans", loans);
"""
ONE_HANDLER = """createServer((request) => {
  const found = /^\\/api\\/loans/.exec(request.url);
  if (request.method === "GET") list();
  else if (request.method === "POST") add();
  else if (request.method === "DELETE") drop();
});
"""


CLIENTS = {
    "public/app.js": """await axios({ method: "get", url: "/api/loans" });
api.post("/api/loans", { tool: "saw" });
""",
    "src/page.ts": 'document.title = "Loans";\napi.get("/api/loans", { page: 1 });\n',
}


async def test_what_a_browser_calls_is_no_answer_of_the_server() -> None:
    files = {**FILES, **CLIENTS, "src/server.ts": ONE_HANDLER}
    assert await found(files) == []
    rules = await found({**files, "src/server.ts": ONE_HANDLER.replace("DELETE", "TRACE")})
    assert rules == [("planned_route", "src/server.ts")]
    notes = await Inspector(Here()).notes(None, CLIENTS, PLAN)
    assert "unplanned_route" not in {note.rule for note in notes}


async def test_the_page_at_the_root_answers_no_other_address() -> None:
    server = SERVER.replace('app.get("/api/loans"', 'app.get("/"')
    rules = await found({**FILES, "src/server.ts": server})
    assert rules == [("planned_route", "src/server.ts")]


@pytest.mark.parametrize("server", [TABLE, BEGUN_ELSEWHERE, ONE_HANDLER])
async def test_routes_may_be_written_in_many_ways(server: str) -> None:
    assert await found({**FILES, "src/server.ts": server}) == []


@pytest.mark.parametrize(
    "query",
    [
        "WITH late AS (SELECT id FROM loans) SELECT * FROM late",
        "WITH RECURSIVE t(n) AS (VALUES (1) UNION SELECT n + 1 FROM t) SELECT n FROM t",
        "SELECT extract(year FROM due) FROM loans",
        "SELECT * FROM generate_series(1, 9) AS n",
        "SELECT relname FROM pg_class",
        "SELECT a.id FROM loans a LEFT JOIN LATERAL (SELECT 1) b ON true",
        "SELECT id IS DISTINCT FROM 1 FROM loans",
        "Select a tool from the list",
        "SELECT * FROM ${table} WHERE id = $1",
    ],
)
async def test_sound_queries_and_plain_words_are_left_alone(query: str) -> None:
    server = SERVER.replace('"SELECT id, due FROM loans"', f"`{query}`")
    words = f"export const hint = `{query}`;\n"
    text = SERVER + words if query.startswith("Select a") else server
    assert await found({**FILES, "src/server.ts": text}) == []


@pytest.mark.parametrize(
    "signature",
    [
        "(a: string): void",
        "<T>(a: T[], ...rest: string[]) => Promise<T>",
        "readonly Entity[]",
        "class extends Error",
        "type",
        "() => void",
    ],
)
async def test_a_signature_is_typescript(signature: str) -> None:
    export = d.PlannedExport("src/loans.ts", "overdue", signature)
    assert await found({}, replace(PLAN, exports=(export,))) == []


@pytest.mark.parametrize(
    "signature",
    ["takes the loans and gives those that are late", "(a: string", "(loans) -> list"],
)
async def test_what_is_no_typescript_is_refused_with_the_plan(signature: str) -> None:
    export = d.PlannedExport("src/loans.ts", "overdue", signature)
    assert await found({}, replace(PLAN, exports=(export,))) == [("signature", "src/loans.ts")]


RIGHTS = [
    ('app.get("/api/loans", list);', "by signed in"),
    ('app.delete("/api/loans/:id", async () => remove());', "by Owner"),
    ('router.post("/", add);', "by Member"),
]


@pytest.mark.parametrize(("code", "right"), RIGHTS)
async def test_a_route_without_a_guard_is_put_before_the_reviewer_with_its_right(
    code: str, right: str
) -> None:
    notes = await Inspector(Here()).notes(None, {"src/server.ts": code}, PLAN)
    assert [note.rule for note in notes] == ["route_without_sign_in"]
    assert right in notes[0].asks


async def test_a_public_name_does_not_open_a_route_that_the_plan_closes() -> None:
    closed = d.PlannedRoute(d.HttpMethod.GET, "/api/status", ("Owner",), OK)
    code = {"src/server.ts": 'app.get("/api/status", show);'}
    for plan, rules in ((replace(PLAN, routes=(closed,)), ["route_without_sign_in"]), (None, [])):
        notes = await Inspector(Here()).notes(None, code, plan)
        assert [note.rule for note in notes] == rules


async def test_a_route_that_nobody_planned_is_put_before_the_reviewer() -> None:
    code = {"src/server.ts": 'app.get("/api/export", requireOwner, dump);'}
    notes = await Inspector(Here()).notes(None, code, PLAN)
    assert [note.rule for note in notes] == ["unplanned_route"]


async def test_a_plan_of_before_says_nothing_of_exports() -> None:
    old = replace(PLAN, exports=(), routes=(), tables=())
    assert await found(UNWRITTEN, old) == []
    assert await found({**FILES, "src/loans.ts": LOANS.replace("LONGEST", "MOST")}, old) == []
