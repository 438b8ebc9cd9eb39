"""Security and code review: the agent reports, code drops what has no evidence and decides.

Invariant: every file is put before the reviewer; where they are too much for one request, they are
reviewed in parts, and the reports are put together before the verdict.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from application.agents.checklist import unanswered
from application.agents.inputs import files_value
from application.agents.inspection import StaticFinding, errors
from application.agents.prompting import to_json
from application.agents.refused import standing
from application.agents.render import report_markdown
from application.agents.steps.need import needed
from application.agents.steps.step_context import StepContext
from application.agents.submission import obtain
from application.agents.tools import SUBMIT_REVIEW
from application.agents.verdict import verdict, with_evidence
from domain import commands as c
from domain.documents import Control, ControlState, Report
from domain.runs import Run
from domain.status import Step, Verdict

PART = 400_000
"""Characters of code in one request: about 130,000 tokens, which leaves room for the rest."""

_TASK = "Review the files, and hand over your findings with `submit_review`."
_PART_TASK = (
    "The files are reviewed in {parts} parts; this is part {number}. Review these files, and hand "
    "over your findings with `submit_review`."
)
_WORST = [ControlState.NOT_MET, ControlState.MET, ControlState.NOT_APPLICABLE]


async def review(work: StepContext) -> c.RecordReview:
    """The review of the implementation, with its verdict."""
    files, plan = work.material.files, needed(work.material.plan)
    found = await work.context.inspect(files, plan.packages)
    static = (*found, *standing(work.material.refused_files))
    reports = [await _part(work, *part, static) for part in _parts(files)]
    security = work.step is Step.SECURITY_REVIEW
    decided = await work.context.compute(
        judged, _together(reports), dict(files), tuple(static), security
    )
    return c.RecordReview(
        attempt=work.attempt,
        run=Run(),
        document=decided.report,
        markdown=decided.markdown,
        manifest_sha256=work.manifest_sha256,
        verdict=decided.verdict,
        reasons=decided.reasons,
        dropped_findings=decided.dropped,
    )


class Judged(Struct, frozen=True):
    """What code makes of a reviewer's report."""

    report: Report
    markdown: str
    verdict: Verdict
    reasons: tuple[str, ...]
    dropped: int


def judged(
    report: Report,
    files: dict[str, str],
    static: tuple[StaticFinding, ...],
    security: bool,  # noqa: FBT001 - it is called by position.
) -> Judged:
    """The verdict over what of a report has evidence in the files, and its page."""
    kept, dropped = with_evidence(report, files)
    if security:
        kept = replace(kept, not_reviewed=(*kept.not_reviewed, *unanswered(kept)))
    decided, reasons = verdict(kept, static, files)
    name = "Security review" if security else "Code review"
    markdown = report_markdown(name, kept, decided, reasons, dropped)
    return Judged(kept, markdown, decided, reasons, dropped)


def _parts(files: Mapping[str, str]) -> Iterator[tuple[Mapping[str, str], int, int]]:
    """The files in parts that fit, each with its number and how many there are."""
    parts: list[dict[str, str]] = [{}]
    size = 0
    for path in sorted(files):
        if parts[-1] and size + len(files[path]) > PART:
            parts.append({})
            size = 0
        parts[-1][path] = files[path]
        size += len(files[path])
    for number, part in enumerate(parts, start=1):
        yield part, number, len(parts)


async def _part(
    work: StepContext,
    files: Mapping[str, str],
    number: int,
    parts: int,
    static: Sequence[StaticFinding],
) -> Report:
    here = [finding for finding in errors(static) if finding.path in files]
    inputs = {**work.inputs, "files": to_json(files_value(files))}
    if here:
        inputs["static_findings"] = to_json(here)
    task = _TASK if parts == 1 else _PART_TASK.format(parts=parts, number=number)

    async def check(report: Report) -> list[str]:  # noqa: ARG001 - evidence is judged, not mended.
        return []

    exchange = work.exchange(task, inputs=inputs)
    return await obtain(exchange, SUBMIT_REVIEW, Report, check)


def _together(reports: Sequence[Report]) -> Report:
    """One report of several parts; of a control's states the worst one counts."""
    controls: dict[str, Control] = {}
    for control in (control for report in reports for control in report.controls):
        held = controls.get(control.id)
        if held is None or _WORST.index(control.state) < _WORST.index(held.state):
            controls[control.id] = control
    return Report(
        summary=" ".join(report.summary for report in reports)[:2_000],
        findings=tuple(finding for report in reports for finding in report.findings),
        controls=tuple(controls.values()),
        not_reviewed=tuple(line for report in reports for line in report.not_reviewed),
    )
