"""PASS or FAIL, computed by code from a reviewer's findings. No reviewer says it itself.

Invariant: only evidence counts. A finding whose quote is not in the file it names is dropped, and
counted; what a document tells the reviewer to answer changes nothing here.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence

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
_MARKS = "`'\",.;:()[]"


def with_evidence(report: Report, files: Mapping[str, str]) -> tuple[Report, int]:
    """The report without findings whose quote is not in the file, and how many those were.

    Lines are set to where the quote really stands; equal findings count once.
    """
    kept: dict[tuple[str, str, str], Finding] = {}
    dropped = 0
    read: dict[str, _Spaced] = {}
    for finding in report.findings:
        if finding.path not in read:
            read[finding.path] = _Spaced(files.get(finding.path, ""))
        line = _line_of(finding, read[finding.path])
        if line:
            same = (finding.path, _flat(finding.quote), finding.title)
            kept.setdefault(same, replace(finding, line=line))
        else:
            dropped += 1
    return replace(report, findings=tuple(kept.values())), dropped


class _Spaced:
    """A file with single spaces for all white space, and where each of its lines begins in it."""

    def __init__(self, content: str) -> None:
        parts: list[str] = []
        self._starts: list[int] = []
        self._numbers: list[int] = []
        length = 0
        for number, line in enumerate(content.split("\n"), start=1):
            if part := _flat(line):
                parts.append(part)
                self._starts.append(length)
                self._numbers.append(number)
                length += len(part) + 1
        self._text = " ".join(parts)

    def lines_with(self, quote: str) -> Iterator[int]:
        """The line of each place where a quote begins."""
        place = self._text.find(quote)
        while place >= 0:
            yield self._numbers[bisect_right(self._starts, place) - 1]
            place = self._text.find(quote, place + len(quote))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _line_of(finding: Finding, content: _Spaced) -> int:
    """The line where the quote stands, the one nearest to what was claimed; 0 if nowhere."""
    quote = _flat(finding.quote.replace("\\u003c", "<"))
    if len(quote) - quote.count(" ") < SHORTEST_QUOTE:
        return 0
    lines = content.lines_with(quote)
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
