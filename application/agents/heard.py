"""What a reviewer hands over, heard whole: several calls joined, and slips of shape read through.

Invariant: nothing that is said is lost. What has another shape than was asked for is read as far as
it can be, counts as grave where its weight cannot be read, and is kept as it came.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, asdict, fields, replace

from application.agents.plain import plain
from application.agents.prompting import to_json
from domain.documents import (
    Confidence,
    Control,
    ControlState,
    Finding,
    FindingAnswer,
    ReadFile,
    Report,
    ReturnStage,
    SaidFinding,
    SaidReport,
    Severity,
)

T = TypeVar("T", bound=Struct)
V = TypeVar("V")

LONGEST_LINE: Final = 2_000
LONGEST_PATH: Final = 240
SHORT_WORD: Final = 20
"""Characters of a value in a field that nobody asked for, which is no finding in another place."""
NOT_SAID: Final = "—"

_DIGITS: Final = re.compile(r"\d{1,9}")
_GRAVE_FIELD: Final = re.compile(
    r"severity\W{1,12}(?:critical|high)\b|not[ _-]?met\b|\bFAIL", re.IGNORECASE
)
_GRAVE: Final = re.compile(r"\b(?:critical|high|not[ _-]?met|fail(?:s|ed)?)\b", re.IGNORECASE)

STATES: Final[Mapping[str, ControlState]] = {
    **dict.fromkeys(("met", "yes", "pass", "passed", "ok", "true"), ControlState.MET),
    **dict.fromkeys(
        ("notapplicable", "na", "n/a", "doesnotapply", "none"), ControlState.NOT_APPLICABLE
    ),
}
"""Plain words for a state; any other word is taken for `not_met`."""
_WORDS: Final[Mapping[type, tuple[Mapping[str, Any], Any]]] = {
    ControlState: (STATES, ControlState.NOT_MET),
    Severity: ({word.value: word for word in Severity}, Severity.HIGH),
    Confidence: ({word.value: word for word in Confidence}, Confidence.HIGH),
    ReturnStage: ({word.value: word for word in ReturnStage}, ReturnStage.IMPLEMENT),
}


class Heard(Struct, frozen=True):
    """All that a reviewer said so far."""

    report: Report = Report("")
    slips: tuple[str, ...] = ()
    """What was wrong with the shape of the last answer, a sentence each."""
    assumed: tuple[str, ...] = ()
    """Titles of findings whose weight could not be read, in plain form."""
    obscure: bool = False
    """Whether something that may be grave could not be read at all."""


def heard(before: Heard, calls: Iterable[bytes], prose: str) -> Heard:
    """All that was said before, joined with the calls and the prose of another answer.

    Args:
        before: What was said so far.
        calls: The inputs of the calls, as JSON.
        prose: What the answer says beside them.
    """
    now = replace(before, slips=())
    for call in calls:
        now = _with_call(now, call)
    said = "\n\n".join(filter(None, (now.report.prose, prose.replace("\0", ""))))
    return replace(now, report=replace(now.report, prose=said))


def joined(reports: Sequence[Report]) -> Report:
    """One report of several; what they say twice stands once."""
    findings: dict[tuple[object, ...], Finding] = {}
    for finding in (finding for report in reports for finding in report.findings):
        same = (finding.path, finding.line, plain(finding.quote), finding.title)
        findings[same] = _graver(findings[same], finding) if same in findings else finding
    return Report(
        summary=" ".join(dict.fromkeys(r.summary for r in reports if r.summary)),
        findings=tuple(findings.values()),
        controls=_once(control for report in reports for control in report.controls),
        not_reviewed=_once(line for report in reports for line in report.not_reviewed),
        read=_once(file for report in reports for file in report.read),
        answers=_once(answer for report in reports for answer in report.answers),
        raw=tuple(text for report in reports for text in report.raw),
        prose="\n\n".join(report.prose for report in reports if report.prose),
    )


def _graver(one: Finding, other: Finding) -> Finding:
    order = list(Severity)
    worst = min(one, other, key=lambda finding: order.index(finding.severity))
    if one.severity is other.severity:
        return replace(worst, may_stay=reasons_of(one, other))
    return worst


def reasons_of(one: Finding, other: Finding) -> str:
    """Why a finding may stay, said once or twice."""
    said = (one.may_stay.strip(), other.may_stay.strip())
    return " ".join(dict.fromkeys(reason for reason in said if reason))


def _once(values: Iterable[V]) -> tuple[V, ...]:
    return tuple(dict.fromkeys(values))


def _with_call(before: Heard, call: bytes) -> Heard:
    text = call.decode("utf-8", "replace").replace("\0", "")
    try:
        given = _without_nul(msgspec.json.decode(call))
    except (msgspec.DecodeError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return replace(
            before,
            report=replace(before.report, raw=(*before.report.raw, text)),
            slips=(*before.slips, "The call is no JSON object, so nothing in it can be read."),
            obscure=before.obscure or bool(_GRAVE_FIELD.search(text)),
        )
    reader = _Reader()
    report = reader.report(given)
    known = {plain(finding.title) for finding in report.findings} - reader.assumed
    replaced = set(before.assumed) & known
    kept = tuple(f for f in before.report.findings if plain(f.title) not in replaced)
    return Heard(
        joined((replace(before.report, findings=kept), report)),
        (*before.slips, *reader.slips),
        (*(set(before.assumed) - replaced), *sorted(reader.assumed)),
        before.obscure or reader.obscure,
    )


class _Reader:
    """Reads one call, and remembers what was wrong with it."""

    def __init__(self) -> None:
        self.slips: list[str] = []
        self.assumed: set[str] = set()
        self.obscure = False
        self._raw: list[str] = []

    def report(self, given: Mapping[str, Any]) -> Report:
        """All that a call says."""
        findings = self._items(given, "findings", SaidFinding)
        controls = tuple(self._items(given, "controls", Control))
        files = tuple(self._items(given, "read", ReadFile))
        answers = tuple(self._items(given, "answers", FindingAnswer))
        for name in given.keys() - {field.name for field in fields(SaidReport)}:
            self._beside(name, given[name])
        summary = given.get("summary", "")
        lines = _listed(given.get("not_reviewed"))
        return Report(
            summary=summary if isinstance(summary, str) else to_json(summary),
            findings=tuple(Finding(**asdict(finding)) for finding in findings),
            controls=controls,
            not_reviewed=tuple(_line(line) for line in lines),
            read=files,
            answers=answers,
            raw=tuple(self._raw),
        )

    def _beside(self, name: str, value: Any) -> None:  # noqa: ANN401 - JSON.
        """Something in a field that nobody asked for."""
        text = f"{name}: {to_json(value)}"
        self._raw.append(text)
        if isinstance(value, dict | list) or len(str(value)) > SHORT_WORD:
            self.slips.append(f"`{name[:60]}` is no field of the tool: say it in one that is.")
            self.obscure = self.obscure or bool(_GRAVE.search(text))

    def _items(self, given: Mapping[str, Any], name: str, kind: type[T]) -> list[T]:
        found = []
        for number, item in enumerate(_listed(given.get(name)), start=1):
            try:
                found.append(msgspec.convert(item, kind))
            except msgspec.ValidationError as wrong:
                self._raw.append(f"{name}: {to_json(item)}")
                self.slips.append(f"Number {number} of `{name}`: {wrong}.")
                found.append(self._read_through(item, kind))
        return found

    def _read_through(self, item: Any, kind: type[T]) -> T:  # noqa: ANN401 - JSON.
        """What can be read of an item that has not the shape asked for."""
        given = item if isinstance(item, dict) else {fields(kind)[0].name: item}
        values = {field.name: _value(field, given.get(field.name)) for field in fields(kind)}
        if kind is SaidFinding and str(given.get("severity")).strip().casefold() not in set(
            Severity
        ):
            self.assumed.add(plain(values["title"]))
        return kind(**values)


def _value(field: FieldInfo, given: Any) -> Any:  # noqa: ANN401 - JSON.
    words = _WORDS.get(field.type)
    if words is not None:
        known, otherwise = words
        return known.get(plain(str(given)).replace("_", "").replace("-", ""), otherwise)
    if field.type is bool:
        return given is not False and plain(str(given)) not in {"false", "no", "gone"}
    if field.name in {"line", "end_line", "last_line"}:
        number = _DIGITS.search(str(given))
        return int(number[0]) if number and int(number[0]) else int(field.name == "line")
    if field.name == "may_stay":
        return given if isinstance(given, str) else ""
    return _line(given, LONGEST_PATH if field.name == "path" else LONGEST_LINE)


def _line(given: Any, longest: int = LONGEST_LINE) -> str:  # noqa: ANN401 - JSON.
    text = given if isinstance(given, str) else "" if given is None else to_json(given)
    return text[:longest] if text.strip() else NOT_SAID


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - JSON.
    """A list, however it came: as text that holds one, or as its only item."""
    if isinstance(value, str):
        try:
            read = msgspec.json.decode(value)
        except msgspec.DecodeError:
            read = value.strip() or None
        value = read
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _without_nul(value: Any) -> Any:  # noqa: ANN401 - JSON.
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return value
