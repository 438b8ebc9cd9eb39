"""Reviewers by script: whole and honest reports, and code that builds SQL from text."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from application.agents.checklist import CONTROLS, last_line
from application.agents.step_inputs import StepInputs
from application.ports import Block, ModelAnswer, ModelRequest
from domain import documents as d
from domain.status import Step
from tests.application.agents import attempt_context as s
from tests.application.agents.attempt_context import ScriptedContext, answer, call

USERS = """import { pool } from "./pool.js";

// Names come from the search field.
export async function find(name: string): Promise<User[]> {
  const rows = await pool.query(
    // by name, as the list shows it
    `SELECT id, name FROM users WHERE name = '${name}' ORDER BY name`,
  );
  const shown = rows.map((row) => ({ ...row, label: "<b>" + row.name + "</b>" }));
  return shown;
}
"""
LINE = "    `SELECT id, name FROM users WHERE name = '${name}' ORDER BY name`,"
POOL = 'import pg from "pg";\n\nexport const pool = new pg.Pool({ max: 5 });\n'
FILES = {**s.FILES, "src/users.ts": USERS, "src/pool.ts": POOL}
MATERIAL = replace(s.BEFORE_REVIEW, files=FILES)
INJECTION = d.Finding(
    "SQL injection in the search", d.Severity.CRITICAL, d.Confidence.HIGH, "src/users.ts", 7,
    LINE.strip(), "Whoever types a quotation mark runs any statement.", "Pass it as a parameter.",
)  # fmt: skip


def whole(
    step: Step, *findings: d.Finding, material: StepInputs = MATERIAL, **more: Any
) -> d.Report:
    """A report that covers all that a review is asked, and holds these findings."""
    files = material.files
    shows = f"{min(files)}: read, and it is so."
    ids = CONTROLS if step is Step.SECURITY_REVIEW else {"FR-1": "keeps", "FR-2": "marks"}
    met = tuple(d.Control(i, name, d.ControlState.MET, shows) for i, name in ids.items())
    known = {
        "summary": "Seen.",
        "findings": findings,
        "controls": met,
        "read": tuple(d.ReadFile(path, last_line(text)) for path, text in files.items()),
    }
    return d.Report(**{**known, **more})


def but(report: d.Report, *controls: d.Control) -> d.Report:
    """The report with other controls in place of those with the same ids."""
    ids = {control.id for control in controls}
    kept = tuple(control for control in report.controls if control.id not in ids)
    return replace(report, controls=(*kept, *controls))


def submitted(report: Any) -> Block:
    return call("submit_review", report)


class Reviewer(ScriptedContext):
    """Answers by script; asked again, it says that all is well, in a report that is whole."""

    def __init__(self, step: Step, *script: ModelAnswer, **more: Any) -> None:
        super().__init__(*script, **more)
        self.step = step
        self.material = MATERIAL

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        if not self.answers:
            self.answers.append(answer(submitted(whole(self.step, material=self.material))))
        return await super().ask(request)

    async def compute(self, work: Callable[..., Any], *args: Any) -> Any:
        # That it can be told to another process is tested with the step itself.
        return work(*args)


def unnamed(report: d.Report, **fields: Any) -> Mapping[str, Any]:
    """A report as JSON, with other fields."""
    return {**msgspec.to_builtins(report), **fields}
