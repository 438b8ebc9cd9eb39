"""PASS or FAIL, computed by code from a reviewer's findings. No reviewer says it itself.

Invariant: only evidence counts. A finding whose quote is not in the file it names is dropped, and
counted; what a document tells the reviewer to answer changes nothing here.
"""

import re
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from application.agents.inspection import StaticFinding, errors
from domain.documents import Confidence, Control, ControlState, Finding, Report, Severity
from domain.status import Verdict

MANY_MEDIUMS = 3
"""Findings of medium severity and high confidence that together fail a review."""

SHORTEST_QUOTE = 4
"""Characters: a bracket stands in every file, and is no evidence."""

_SERIOUS = frozenset({Severity.CRITICAL, Severity.HIGH})
_SURE = frozenset({Confidence.HIGH, Confidence.MEDIUM})
_SPACE = re.compile(r"\s+")
_MARKS = "`'\",.;:()[]"


def with_evidence(report: Report, files: Mapping[str, str]) -> tuple[Report, int]:
    """The report without findings whose quote is not in the file, and how many those were.

    Lines are set to where the quote really stands; equal findings count once.
    """
    kept: dict[tuple[str, str, str], Finding] = {}
    for finding in report.findings:
        line = _line_of(finding, files.get(finding.path, ""))
        if line:
            same = (finding.path, _flat(finding.quote), finding.title)
            kept.setdefault(same, replace(finding, line=line))
    dropped = sum(
        1 for finding in report.findings if not _line_of(finding, files.get(finding.path, ""))
    )
    return replace(report, findings=tuple(kept.values())), dropped


def _flat(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _line_of(finding: Finding, content: str) -> int:
    """The line where the quote stands, the one nearest to what was claimed; 0 if nowhere."""
    quote = _flat(finding.quote.replace("\\u003c", "<"))
    if len(_SPACE.sub("", quote)) < SHORTEST_QUOTE:
        return 0
    pattern = re.compile(r"\s+".join(map(re.escape, quote.split(" "))))
    lines = [content.count("\n", 0, found.start()) + 1 for found in pattern.finditer(content)]
    return min(lines, key=lambda line: abs(line - finding.line), default=0)


def verdict(
    report: Report, static: Sequence[StaticFinding], paths: Collection[str]
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict over a report that holds evidence only, with its reasons, a sentence each.

    FAIL for any critical or high finding of at least medium confidence, for three or more of
    medium severity and high confidence, for a control that is not met and whose evidence names one
    of the files (`paths`), and for any error that a parser found.
    """
    reasons = [
        *(
            f"{finding.severity.value.capitalize()}: {finding.title} "
            f"({finding.path}, line {finding.line})."
            for finding in report.findings
            if finding.severity in _SERIOUS and finding.confidence in _SURE
        ),
        *_mediums(report),
        *(
            f"Control {control.id} ({control.name}) is not met: {control.evidence}"
            for control in report.controls
            if _is_missed(control, paths)
        ),
        *(f"Static check: {finding}" for finding in errors(static)),
    ]
    if reasons:
        return Verdict.FAIL, tuple(reasons)
    count = len(report.findings)
    lesser = f" Lesser findings: {count}." if count else ""
    return Verdict.PASS, (f"Nothing was found that would stop it.{lesser}",)


def _mediums(report: Report) -> list[str]:
    mediums = [
        finding
        for finding in report.findings
        if finding.severity is Severity.MEDIUM and finding.confidence is Confidence.HIGH
    ]
    if len(mediums) < MANY_MEDIUMS:
        return []
    titles = "; ".join(finding.title for finding in mediums)
    return [f"{len(mediums)} findings of medium severity together: {titles}."]


def _is_missed(control: Control, paths: Collection[str]) -> bool:
    if control.state is not ControlState.NOT_MET:
        return False
    words = {word.strip(_MARKS) for word in control.evidence.split()}
    names = words | {word.rpartition(":")[0] for word in words}
    return not names.isdisjoint(paths)
