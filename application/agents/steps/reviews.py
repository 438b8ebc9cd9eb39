"""Security and code review: the agent reports, code places what it says and decides.

Invariant: every file is put before the reviewer; where they are too much for one request, they are
reviewed in parts, and the reports are put together before the verdict. What cannot be placed or is
missing goes back once; nothing that was said is lost by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from application.agents.checklist import (
    CONTROLS,
    ReviewScope,
    ToAnswer,
    fingerprint,
    not_covered,
    shown,
    to_answer,
)
from application.agents.exchange import Result, calls, said, was_cut
from application.agents.failures import StepFailed
from application.agents.faults import NOTHING, Approved, approved, located
from application.agents.heard import Heard, heard
from application.agents.inputs import numbered
from application.agents.inspection import RuleNote, StaticFinding, errors
from application.agents.prompting import PlainText, listed, to_json
from application.agents.refused import standing
from application.agents.render import report_markdown
from application.agents.steps.inspected import inspected
from application.agents.steps.need import needed
from application.agents.steps.step_context import StepContext
from application.agents.submission import REMINDER, SHORTER, go_on
from application.agents.told import RULE, tells_the_reviewer
from application.agents.tools import SUBMIT_REVIEW
from application.agents.verdict import Examined, every_fault, examined, together, verdict
from domain import commands as c
from domain.documents import Priority, Report, Severity
from domain.mending import CodeFault
from domain.runs import Run
from domain.status import Input, Step, Verdict

PART = 400_000
"""Characters of code in one request: about 130,000 tokens, which leaves room for the rest."""

_TASK = "Review the files, and hand over your findings with `submit_review`."
_PART_TASK = (
    "The files are reviewed in {parts} parts; this is part {number}. Review these files, and hand "
    "over your findings with `submit_review`."
)
_AGAIN = (
    "What you handed over is kept. This is open:\n{open}\n"
    "Hand over with `{tool}` what is named here, and only that: it is joined with what you said, "
    "and takes nothing back."
)
MOST_OPEN: Final = 200
"""So much of what a review left open is named at once: more than there are controls."""

_NAMES: Final[Mapping[Step, str]] = {
    Step.SECURITY_REVIEW: "Security review",
    Step.CODE_REVIEW: "Code review",
}


async def review(work: StepContext) -> c.RecordReview:
    """The review of the implementation, with its verdict.

    Raises:
        StepFailed: `review_incomplete`, `no_result`, `answer_too_long`, or what is raised by
            `Exchange.ask`.
    """
    files, plan = work.material.files, needed(work.material.plan)
    found = await inspected(work.context, files, plan)
    static = (*found, *standing(work.material.refused_files))
    notes = await work.context.notes(files, plan) if work.step is Step.SECURITY_REVIEW else ()
    parts = [
        ReviewedPart(asked, await _part(work, asked, number, count, static))
        for asked, number, count in _asked(work, notes)
    ]
    tests = work.material.tests
    given = approved(work.material.spec, plan, [file.path for file in tests.files] if tests else ())
    decided = await work.context.compute(
        judged, tuple(parts), dict(files), tuple(static), _NAMES[work.step], given
    )
    if decided.missing:
        raise StepFailed("review_incomplete", decided.missing)
    named = {path for fault in decided.faults for path in fault.paths}
    beside = await work.context.beside(files, sorted(named)) if named else ()
    return c.RecordReview(
        attempt=work.attempt,
        run=Run(),
        document=decided.report,
        markdown=decided.markdown,
        manifest_sha256=work.manifest_sha256,
        verdict=decided.verdict,
        reasons=decided.reasons,
        dropped_findings=sum(not finding.placed for finding in decided.report.findings),
        faults=decided.faults,
        beside=tuple(path for path in beside if path not in given.tests),
        reviewed_files=len(files),
    )


class ReviewedPart(Struct, frozen=True):
    """What was asked of some files, and all that the reviewer said of them."""

    asked: ReviewScope
    said: Heard


class Judged(Struct, frozen=True):
    """What code makes of a reviewer's report."""

    report: Report
    markdown: str
    verdict: Verdict
    reasons: tuple[str, ...]
    missing: str = ""
    """Why it is no review at all; empty if it is one."""
    faults: tuple[CodeFault, ...] = ()
    """What fails it; nothing unless it fails."""


def judged(
    parts: tuple[ReviewedPart, ...],
    files: dict[str, str],
    static: tuple[StaticFinding, ...],
    name: str,
    given: Approved = NOTHING,
) -> Judged:
    """The verdict over all that was said of all files, and its page."""
    found = together([examined(part.said, part.asked, files) for part in parts])
    if len(parts) > 1:
        whole = ReviewScope(
            parts[0].asked.review, parts[0].asked.controls, parts[0].asked.may_not_apply
        )
        missing = not_covered(found.report, whole, files)
        passed_over = tuple(dict.fromkeys((*found.passed_over, *missing)))
        found = replace(found, passed_over=passed_over)
    decided, reasons = verdict(found, static)
    markdown = report_markdown(name, found.report, decided, reasons)
    incomplete = _incomplete(found) if found.passed_over and not found.said_grave else ""
    faults = located(every_fault(found, static), found.report, files, given)
    return Judged(found.report, markdown, decided, reasons, incomplete, faults)


def looked_at(said: Heard, asked: ReviewScope, files: dict[str, str]) -> tuple[str, ...]:
    """What of a review is open, for the reviewer to mend; see `examined`."""
    return examined(said, asked, files).to_ask


def _incomplete(found: Examined) -> str:
    """Why it is no review, with all that it did say: nothing of it is recorded elsewhere."""
    lines = [line.rstrip(".") for line in found.passed_over]
    more = f"; and {len(lines) - 5} more" if len(lines) > 5 else ""  # noqa: PLR2004 - as many as fit.
    told = "; ".join(
        f"{finding.severity.value}: {finding.title} ({finding.path}, line {finding.line})"
        for finding in found.report.findings
    )
    return (
        "The reviewer was asked twice and did not review all that it was asked: "
        f"{'; '.join(lines[:5])}{more}." + (f" It did find: {told}." if told else "")
    )


def _asked(work: StepContext, notes: Sequence[RuleNote]) -> Iterator[tuple[ReviewScope, int, int]]:
    """What each request is about, with its number and how many there are."""
    files = work.material.files
    security = work.step is Step.SECURITY_REVIEW
    controls = dict(CONTROLS) if security else _requirements(work)
    open_points = (
        *to_answer(work.step, *work.material.reports_of(work.step)),
        *(_of_rule(note, files) for note in notes),
    )
    parts = list(_parts(files))
    for number, part in enumerate(parts, start=1):
        here = tuple(
            one
            for one in open_points
            if one.path in part or (number == 1 and one.path not in files)
        )
        asked = ReviewScope(work.step, controls, security, len(parts) == 1, tuple(part), here)
        yield asked, number, len(parts)


def _requirements(work: StepContext) -> dict[str, str]:
    """What must be met, by id."""
    spec = work.material.spec
    return {
        requirement.id: requirement.response[:80]
        for requirement in (spec.requirements if spec else ())
        if requirement.priority is Priority.MUST
    }


def _of_rule(note: RuleNote, files: Mapping[str, str]) -> ToAnswer:
    lines = files.get(note.path, "").split("\n")
    line = lines[note.line - 1] if 0 < note.line <= len(lines) else ""
    quote = line.strip()
    ident = fingerprint(note.rule, note.path, f"{note.line} {quote}")
    return ToAnswer(
        f"R{ident[1:]}",
        note.rule,
        Severity.HIGH,
        note.path,
        note.line,
        quote[:400],
        f"{note.says} {note.asks}",
        untrusted=note.rule == RULE
        and any(map(tells_the_reviewer, lines[note.line - 1 : note.line])),
    )


def _parts(files: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The files in parts that fit."""
    parts: list[dict[str, str]] = [{}]
    size = 0
    for path in sorted(files):
        if parts[-1] and size + len(files[path]) > PART:
            parts.append({})
            size = 0
        parts[-1][path] = files[path]
        size += len(files[path])
    yield from parts


async def _part(
    work: StepContext, asked: ReviewScope, number: int, count: int, static: Sequence[StaticFinding]
) -> Heard:
    """All that the reviewer says of some files, asked once more for what is open."""
    files = work.material.files
    inputs = {name: text for name, text in work.inputs.items() if name != Input.EARLIER_FINDINGS}
    inputs["files"] = PlainText(numbered({path: files[path] for path in asked.paths}))
    inputs |= _beside(asked, [finding for finding in errors(static) if finding.path in asked.paths])
    task = _TASK if count == 1 else _PART_TASK.format(parts=count, number=number)
    exchange = work.exchange(task, inputs=inputs)
    told = Heard()
    reminded = cut = asked_again = False
    while True:
        answer = await exchange.ask()
        handed = [call for call in calls(answer) if call.name == SUBMIT_REVIEW.name]
        told = heard(told, [bytes(call.input) for call in handed], said(answer))
        if not handed and asked_again:
            return told
        if not handed and was_cut(answer):
            if cut:
                raise StepFailed(
                    "answer_too_long", "The answer was cut off at its limit of length, twice."
                )
            cut = True
            go_on(exchange, answer, SHORTER.format(tool=SUBMIT_REVIEW.name))
            continue
        if not handed:
            if reminded:
                raise StepFailed(
                    "no_result", "The agent answered twice without handing anything over."
                )
            reminded = True
            go_on(exchange, answer, REMINDER.format(tool=SUBMIT_REVIEW.name))
            continue
        if asked_again:
            return told
        left = await work.context.compute(looked_at, told, asked, dict(files))
        if not left:
            return told
        asked_again = True
        text = _AGAIN.format(open=listed(left[:MOST_OPEN]), tool=SUBMIT_REVIEW.name)
        exchange.heard(answer)
        exchange.reply([Result(call, text, is_error=True) for call in calls(answer)])


def _beside(asked: ReviewScope, broken: Sequence[StaticFinding]) -> dict[str, str]:
    """What code found in these files, and what is to be answered."""
    found = {
        "static_findings": broken,
        Input.EARLIER_FINDINGS.value: shown([one for one in asked.to_answer if one.finding]),
        "rule_findings": shown([one for one in asked.to_answer if not one.finding]),
    }
    return {name: to_json(value) for name, value in found.items() if value}
