"""Good files that defects are put into: a small application, and modules of the web app itself.

Invariant: nothing is found in a host as it stands, or the recall would count its own faults.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ast_grep_py import SgRoot

WEB: Final = Path(__file__).parents[2] / "interface" / "web" / "src"

STORE: Final = """import { randomUUID } from "node:crypto";

export interface Loan {
  id: string;
  title: string;
  borrower: string;
  due: number;
}

export class Full extends Error {}

const loans = new Map<string, Loan>();

export function lend(title: string, borrower: string, due: number): Loan {
  if (loans.size >= 1000) {
    throw new Full("No more loans can be kept.");
  }
  const loan = { id: randomUUID(), title, borrower, due };
  loans.set(loan.id, loan);
  return loan;
}

export function overdue(now: number): Loan[] {
  const late = [...loans.values()].filter((loan) => loan.due < now);
  return late.sort((one, other) => one.due - other.due);
}

export async function giveBack(id: string): Promise<boolean> {
  await Promise.resolve();
  return loans.delete(id);
}
"""
ROUTES: Final = """import { giveBack, lend, overdue } from "./store.js";
import type { Loan } from "./store.js";

export function titles(loans: readonly Loan[]): string {
  return loans.map((loan) => loan.title).join(", ");
}

export async function answer(path: string, now: number): Promise<string> {
  if (path === "/late") {
    return titles(overdue(now));
  }
  const gone = await giveBack(path.slice(1));
  return gone ? "gone" : lend(path, "nobody", now).id;
}
"""
TESTS: Final = """import assert from "node:assert/strict";
import { test } from "node:test";

import { lend, overdue } from "../src/store.js";

test("FR-1 AC-1: what is due is listed", () => {
  lend("Atlas", "Ada", 10);
  assert.equal(overdue(11).length, 1);
});
"""
MANIFEST: Final = """{
  "name": "loans",
  "type": "module",
  "scripts": { "start": "node src/routes.ts", "check": "tsc", "test": "node --test" },
  "dependencies": { "pg": "8.23.1" },
  "devDependencies": { "typescript": "7.0.2" }
}
"""
SETTINGS: Final = '{ "compilerOptions": { "strict": true, "module": "nodenext" } }\n'


def application() -> dict[str, str]:
    """The small application."""
    return {
        "src/store.ts": STORE,
        "src/routes.ts": ROUTES,
        "tests/store.test.ts": TESTS,
        "package.json": MANIFEST,
    }


def web_modules() -> dict[str, str]:
    """Modules of the web app that import nothing, and have a function that is long enough."""
    found = {}
    for path in sorted(WEB.rglob("*.ts")):
        text = path.read_text(encoding="utf-8")
        plain = not path.name.endswith((".svelte.ts", ".d.ts")) and "import " not in text
        if plain and len(bodies(text)) > 1:
            found[str(path.relative_to(WEB.parent))] = text
    return found


def web_sources() -> dict[str, str]:
    """All scripts, styles and settings of the web app."""
    kinds = {".ts", ".js", ".css", ".html", ".json"}
    return {
        str(path.relative_to(WEB.parent)): path.read_text(encoding="utf-8")
        for path in sorted(WEB.parent.rglob("*"))
        if path.suffix in kinds and "dist" not in path.parts and "node_modules" not in path.parts
        and path.name != "package-lock.json"
    }  # fmt: skip


def bodies(text: str) -> list[tuple[int, int]]:
    """Where the body of each declared function with parameters begins and ends, in characters."""
    found = []
    for node in SgRoot(text, "typescript").root().find_all(kind="function_declaration"):
        body, given = node.field("body"), node.field("parameters")
        if body is not None and given is not None and len(given.text()) > 2:
            inside = body.range()
            if inside.end.index - inside.start.index > 60:
                found.append((inside.start.index, inside.end.index))
    return found


def put_in(text: str, line: str, number: int = 0) -> str:
    """A line at the end of the first statement of a function."""
    start, _ = bodies(text)[number % len(bodies(text))]
    return f"{text[: start + 1]}\n  {line}{text[start + 1 :]}"


def put_instead(text: str, line: str, number: int = 0) -> str:
    """A line in place of all that a function does."""
    start, end = bodies(text)[number % len(bodies(text))]
    return f"{text[:start]}{{\n  {line}\n}}{text[end:]}"


def alone(seed: Mapping[str, str]) -> dict[str, str]:
    """A seed's files, changed ones instead of the application's."""
    needed = any(path.endswith((".ts", "package.json")) and "lib/" not in path for path in seed)
    return (application() if needed else {}) | dict(seed)
