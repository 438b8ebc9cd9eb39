"""The Markdown that people read, made by code from what agents hand over.

Invariant: page and structure never disagree. The same structure is the same text, byte for byte,
for people approve its hash; a brief's page gives back the brief's points when it is read again.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from application.agents.language import example_in
from application.agents.markdown import bullets, code, fenced, ids, inline, page, section
from domain.documents import (
    AlsoChanged,
    Brief,
    Control,
    ControlState,
    Criterion,
    Entity,
    Example,
    Finding,
    Plan,
    PlannedRoute,
    PlannedTable,
    Report,
    Requirement,
    Severity,
    Spec,
    Task,
    TestFile,
    Tests,
)
from domain.reading import BriefPoint, clean, free_ids
from domain.status import Verdict

MUST: Final = "What it must do"
"""The section whose ids the analyst gives; those of the others are code's."""


def brief_markdown(brief: Brief, earlier: Sequence[BriefPoint] = (), language: str = "") -> str:
    """The brief, with an id in front of everything it says.

    Args:
        brief: What is proposed.
        earlier: The points of the brief that it revises: what stays as it is keeps its id, and no
            id of it is used for something else.
        language: Of its examples, by its code. Headings are the affair of `in_language`.
    """
    ids_of = _Numbers([point.id for point in brief.must_haves], earlier)
    points = [f"**{point.id}** {inline(point.text)}" for point in brief.must_haves]

    def lines(texts: Iterable[str]) -> str:
        return bullets(map(ids_of.mark, texts))

    examples = (_example(example, language) for example in brief.examples)
    # Evaluated in this order: ids rise down the page.
    return page(
        brief.title,
        section("Goal", ids_of.mark(inline(brief.goal))),
        section("Users", lines(map(inline, brief.users))),
        section(MUST, bullets(points)),
        section("What it will not do", lines(map(inline, brief.wont_haves))),
        section("What it keeps", lines(map(inline, brief.data))),
        section("Examples", lines(examples)),
        section("Limits", lines(map(inline, brief.constraints))),
        section("Assumptions", lines(map(inline, brief.assumptions))),
    )


class _Numbers:
    """The ids of lines that nobody numbered."""

    def __init__(self, given: Sequence[str], earlier: Sequence[BriefPoint]) -> None:
        self._kept: dict[str, str] = {}
        for point in earlier:
            if point.id not in given:
                self._kept.setdefault(point.text, point.id)
        self._free = free_ids({*given, *(point.id for point in earlier)})

    def mark(self, line: str) -> str:
        """A line of Markdown with its id; without one when all numbers are taken."""
        kept = self._kept.pop(clean(line), None)
        if kept is None:
            kept = next(self._free, None)
        return line if kept is None else f"**{kept}** {line}"


def spec_markdown(spec: Spec, language: str = "") -> str:
    """The specification, requirement by requirement; its criteria in a language, by its code."""
    needs = (_requirement(requirement, language) for requirement in spec.requirements)
    left_out = [f"{inline(x.text)}{_from(x.sources)}" for x in spec.out_of_scope]
    errors = [f"**{inline(x.when)}** {inline(x.then)}" for x in spec.errors]
    roles = [
        f"**{inline(r.name)}** may: {'; '.join(map(inline, r.may)) or '—'}" for r in spec.roles
    ]
    return page(
        spec.title,
        inline(spec.summary),
        section("What it does", "\n\n".join(needs)),
        section("What it keeps", "\n\n".join(map(_entity, spec.entities))),
        section("Who may do what", bullets(roles)),
        section("How well it must work", _lines(spec.bounds)),
        section("When something goes wrong", bullets(errors)),
        section("Left out on purpose", bullets(left_out)),
        section("No longer valid", ids(spec.superseded) if spec.superseded else ""),
        also_changed(spec.also_changed),
    )


def also_changed(also: Sequence[AlsoChanged]) -> str:
    """What nothing asked to change and was changed all the same, with the reasons."""
    return section(
        "Changed although your change does not name it",
        bullets(f"{code(one.id)}: {inline(one.reason)}" for one in also),
    )


def plan_markdown(plan: Plan) -> str:
    """The plan: what is chosen, which files there will be, in which order they are made."""
    decisions = [f"{inline(x.choice)} — {inline(x.reason)}" for x in plan.decisions]
    rows = [(code(f.path), inline(f.purpose), f.task) for f in plan.files]
    exports = ((code(x.path), code(x.name), _cell(x.signature)) for x in plan.exports)
    interfaces = [f"**{inline(x.name)}**: {inline(x.description)}" for x in plan.interfaces]
    return page(
        "Implementation plan",
        inline(plan.summary),
        section("Decisions", bullets(decisions)),
        section("Work, task by task", "\n\n".join(map(_task, plan.tasks))),
        section("Files", _table(_FILES, rows)),
        section("Addresses", _table(_ROUTES, map(_route, plan.routes))),
        section("What files give to each other", _table(_EXPORTS, exports)),
        section("Tables", "\n\n".join(map(_columns, plan.tables))),
        section("How the parts meet", bullets(interfaces)),
        section("Packages from others", bullets(map(code, plan.packages))),
        also_changed(plan.also_changed),
    )


_FILES = ("File", "What it is for", "Task")
_ROUTES = ("Address", "Who may call it", "What is sent", "Answers")
_EXPORTS = ("File", "Name", "Signature")
_COLUMNS = ("Column", "Kind", "Note")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; nothing if it has no row."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    top = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*top, *lines]) if lines else ""


def _cell(text: str) -> str:
    """A short text as code inside a cell, where a bar would begin the next one."""
    return code(text).replace("|", "\\|")


def _route(route: PlannedRoute) -> tuple[str, ...]:
    answers = [f"{one.status} {inline(one.body)}".strip() for one in route.answers]
    return (
        _cell(f"{route.method} {route.path}"),
        inline(", ".join(route.who)),
        inline(route.input) or "—",
        "; ".join(answers),
    )


def _columns(table: PlannedTable) -> str:
    rows = ((_cell(x.name), _cell(x.type), inline(x.note)) for x in table.columns)
    return f"**{inline(table.name)}**\n\n{_table(_COLUMNS, rows)}"


def tests_markdown(tests: Tests) -> str:
    """The tests: what is covered, what is not and why, then every file whole."""
    covered = [
        f"{code(f.path)} covers {ids(f.covers)}" if f.covers else f"{code(f.path)} helps the tests"
        for f in tests.files
    ]
    untestable = [f"{u.id}: {inline(u.reason)}" for u in tests.untestable]
    return page(
        "Contract tests",
        inline(tests.summary),
        section("What is covered", bullets(covered)),
        section("What no test covers", bullets(untestable)),
        also_changed(tests.also_changed),
        section("Files", "\n\n".join(map(_test_file, tests.files))),
    )


def report_markdown(name: str, report: Report, verdict: Verdict, reasons: Sequence[str]) -> str:
    """A review: verdict and its reasons first, then all that the reviewer said."""
    order = list(Severity)
    findings = sorted(report.findings, key=lambda f: (order.index(f.severity), f.path, f.line))
    placed = [finding for finding in findings if finding.placed]
    unplaced = [finding for finding in findings if not finding.placed]
    answers = [
        f"{code(answer.id)} {'stands' if answer.stands else 'is gone'}: {inline(answer.reason)}"
        for answer in report.answers
    ]
    return page(
        name,
        f"**{_VERDICTS[verdict]}**",
        bullets(map(inline, reasons)),
        inline(report.summary),
        section("Findings", "\n\n".join(map(_finding, placed))),
        section("Findings whose quote stands in no file", "\n\n".join(map(_finding, unplaced))),
        section("Controls", _controls(report.controls)),
        section("What was found before", bullets(answers)),
        section("Not reviewed", _lines(report.not_reviewed)),
        section("Files that were read", bullets(code(file.path) for file in report.read)),
        section("What the reviewer said beside it", fenced(report.prose) if report.prose else ""),
        section("What came in another shape", "\n\n".join(map(fenced, report.raw))),
    )


_VERDICTS = {
    Verdict.PASS: "PASS",
    Verdict.FAIL: "FAIL",
    Verdict.UNDECIDED: "UNDECIDED: it did not pass",
}


def _lines(lines: Sequence[str]) -> str:
    return bullets(map(inline, lines))


def _example(example: Example | Criterion, language: str) -> str:
    return example_in(language, inline(example.given), inline(example.when), inline(example.then))


def _from(sources: Sequence[str]) -> str:
    return f" ({ids(sources)})" if sources else ""


def _requirement(requirement: Requirement, language: str) -> str:
    criteria = [f"  - **{c.id}** {_example(c, language)}" for c in requirement.criteria]
    return "\n".join(
        [
            f"### {requirement.id} · {requirement.priority.value}",
            "",
            f"- Who: {inline(requirement.actor)}",
            f"- When: {inline(requirement.trigger)}",
            f"- Then: {inline(requirement.response)}",
            f"- From: {ids(requirement.sources)}",
            "- Accepted when:",
            *criteria,
        ]
    )


def _entity(entity: Entity) -> str:
    rows = [
        f"| {inline(f.name)} | {inline(f.type)} | {'yes' if f.required else 'no'} "
        f"| {inline(f.note)} |"
        for f in entity.fields
    ]
    head = ["| Field | Kind | Needed | Note |", "| --- | --- | --- | --- |"]
    return "\n".join(
        [f"### {inline(entity.name)}", "", inline(entity.description), "", *head, *rows]
    )


def _task(task: Task) -> str:
    lines = [
        f"### {task.id} · {inline(task.title)}",
        "",
        f"- For: {ids(task.requirements)}",
        f"- After: {ids(task.depends_on)}",
        f"- Writes: {', '.join(map(code, task.writes)) or '—'}",
    ]
    if task.reads:
        lines.append(f"- Reads: {', '.join(map(code, task.reads))}")
    return "\n".join([*lines, f"- Done when: {inline(task.done_when)}"])


def _test_file(file: TestFile) -> str:
    return f"### {code(file.path)}\n\n{fenced(file.content, file.path)}"


def _finding(finding: Finding) -> str:
    last = f" to {finding.end_line}" if finding.end_line > finding.line else ""
    lines = [
        f"- Where: {code(finding.path)}, line {finding.line}{last}",
        f"- How sure: {finding.confidence.value}",
        f"- What: {inline(finding.explanation)}",
        f"- Mend it so: {inline(finding.fix)}",
        f"- Go back to: {finding.back_to.value}",
    ]
    if finding.may_stay:
        lines.append(f"- Why it may stay: {inline(finding.may_stay)}")
    if finding.note:
        lines.append(f"- Noticed by code: {inline(finding.note)}")
    head = f"### {finding.severity.value.capitalize()}: {inline(finding.title)}"
    return "\n".join([head, "", *lines, "", fenced(finding.quote, finding.path)])


def _controls(controls: Sequence[Control]) -> str:
    if not controls:
        return ""
    words = {
        ControlState.MET: "met",
        ControlState.NOT_MET: "**not met**",
        ControlState.NOT_APPLICABLE: "does not apply",
    }
    rows = [
        f"| {inline(c.id)} | {inline(c.name)} | {words[c.state]} | {inline(c.evidence)} |"
        for c in controls
    ]
    return "\n".join(
        ["| Control | What it asks | State | Evidence |", "| --- | --- | --- | --- |", *rows]
    )
