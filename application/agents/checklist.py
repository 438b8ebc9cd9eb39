"""What a review is asked: controls, requirements, files, and what was found before, by id.

Invariant: what was asked and not judged is named; silence is no yes. The items of the OWASP
Application Security Verification Standard 5.0 stand in `asvs.toml`, word for word; the ISM numbers
are those of the Australian Information Security Manual's guidelines for software development and
gateways of web applications, in our own words.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files as package_files
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from application.agents.named_files import NamedFiles
from application.agents.plain import plain
from domain.documents import ControlState, Finding, Report, Severity


class AsvsItem(Struct, frozen=True, forbid_unknown_fields=True):
    """A requirement of the standard."""

    id: Annotated[str, Meta(pattern=r"^V[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2}$")]
    """As in the standard, which changes numbers from version to version."""
    level: Annotated[int, Meta(ge=1, le=2)]
    section: str
    text: str


class ChosenStandard(Struct, frozen=True, forbid_unknown_fields=True):
    """The chosen requirements of one version of the standard."""

    version: str
    items: tuple[AsvsItem, ...]


def _standard() -> ChosenStandard:
    text = package_files("application.agents").joinpath("asvs.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=ChosenStandard)


ASVS: Final = _standard()
ISM: Final[Mapping[str, str]] = {
    "ISM-1240": "All input of web applications is validated or sanitised",
    "ISM-1241": "All output of web applications is encoded",
    "ISM-1276": "Database queries are parameterised, never built from text",
    "ISM-1278": "Errors say as little as possible about the database",
    "ISM-1424": "Responses carry headers that restrict what a browser does with them",
    "ISM-1552": "Web content is offered over HTTPS only",
}
CONTROLS: Final[Mapping[str, str]] = {**{one.id: one.text for one in ASVS.items}, **ISM}
"""What a review answers: id to what is demanded. Reviews that were recorded before name whole
chapters, `V1` to `V17`; they are shown as they were recorded."""

_ID: Final = re.compile(
    r"(?<![\w.])(?:V|v[0-9.]{1,8}-)?(?P<asvs>[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2})(?![\w]|\.[0-9])"
    r"|(?P<other>\b(?:ISM-[0-9]{4}|FR-[0-9]{1,4})\b)",
    re.IGNORECASE,
)
"""An id, bare, with its letter, or with the version of the standard in front (`v5.0.0-1.2.4`)."""
SHORT: Final = 80

PROSE: Final = (".md", ".txt", "license")
"""Ends of names of files that nothing runs: one of these may stay unread."""

FINGERPRINT: Final = 12
"""Hexadecimal digits of a finding's fingerprint."""


class ToAnswer(Struct, frozen=True):
    """Something that was found before, by a reviewer or by a rule, and is to be answered."""

    id: str
    title: str
    severity: Severity
    path: str
    line: int
    quote: str
    explanation: str
    finding: Finding | None = None
    """The earlier finding; None of a rule's."""
    untrusted: bool = False
    """Whether its text tells the reviewer what to answer: then no reason makes it gone."""


class ReviewScope(Struct, frozen=True):
    """What one request of a review is about."""

    review: str
    """The step, such as `security_review`."""
    controls: Mapping[str, str] = {}
    """What each control or requirement asks, by id."""
    may_not_apply: bool = True
    """Whether a control may be answered by not applying: a requirement that must be met may not."""
    whole: bool = True
    """Whether it is about all files at once: of a part alone, no control need be met or not."""
    paths: tuple[str, ...] = ()
    to_answer: tuple[ToAnswer, ...] = ()


def ids_in(text: str) -> set[str]:
    """The ids of controls and requirements that a text names, as `CONTROLS` writes them."""
    return {
        f"V{found['asvs']}" if found["asvs"] else found["other"].upper()
        for found in _ID.finditer(text)
    }


def short(text: str) -> str:
    """What a control demands, in a line: without the words that all of them begin with."""
    plain = text.removeprefix("Verify ").removeprefix("that ").removesuffix(".")
    plain = plain[:1].upper() + plain[1:]
    return plain if len(plain) <= SHORT else f"{plain[: SHORT - 1].rstrip()}…"


def checklist_words() -> str:
    """All controls as a reviewer reads them, an item a line."""
    asvs = (f"- {one.id} ({one.section}): {one.text}" for one in ASVS.items)
    ism = (f"- {ident}: {text}." for ident, text in ISM.items())
    return "\n".join([*asvs, *ism])


def not_covered(report: Report, asked: ReviewScope, files: Mapping[str, str]) -> tuple[str, ...]:
    """What was asked and is passed over, a sentence each. None: the review is whole."""
    names = NamedFiles(files)
    return (
        *_controls_passed_over(report, asked, names),
        *_files_passed_over(report, asked, names, files),
    )


def _controls_passed_over(report: Report, asked: ReviewScope, names: NamedFiles) -> list[str]:
    judged = [control for control in report.controls if _judged(control.state, asked)]
    answered = _named(control.id for control in judged) | _named(report.not_reviewed)
    met = [control for control in judged if control.state is ControlState.MET]
    shown_met = _named(control.id for control in met if names.in_text(control.evidence))
    looked = _named(c.id for c in judged if c.state is not ControlState.NOT_APPLICABLE)
    missing = [
        f"{ident} ({short(what)}) has no answer in `controls`."
        for ident, what in asked.controls.items()
        if ident not in answered
    ]
    missing += [
        f"{ident} is said to be met, and its evidence names no file."
        for ident in asked.controls
        if ident in _named(control.id for control in met) - shown_met
    ]
    if asked.whole and asked.controls and not looked & asked.controls.keys():
        missing.append("No control is answered with `met` or `not_met`: that is no review.")
    return missing


def _files_passed_over(
    report: Report, asked: ReviewScope, names: NamedFiles, files: Mapping[str, str]
) -> list[str]:
    seen = read_in(report, names, files)
    left = {path for line in report.not_reviewed for path in names.in_text(line)}
    missing = [
        f"{path} stands neither in `read`, to its last line, nor in `not_reviewed` with the reason."
        for path in asked.paths
        if path not in seen and path not in left and files[path].strip()
    ]
    if asked.paths and not seen.intersection(asked.paths):
        missing.append("No file was read: that is no review.")
    return missing


def not_judged(report: Report, asked: ReviewScope, files: Mapping[str, str]) -> tuple[str, ...]:
    """What was asked and the reviewer says not to have judged, a sentence each.

    Of files, prose that nothing runs may be left out.
    """
    names = NamedFiles(files)
    judged = _named(c.id for c in report.controls if _judged(c.state, asked))
    seen = read_in(report, names, files)
    lines = report.not_reviewed
    left = {path for line in lines for path in names.in_text(line)} - seen
    return (
        *(
            f"{ident} ({short(asked.controls[ident])}) was not judged."
            for ident in asked.controls
            if ident in _named(lines) - judged
        ),
        *(
            f"{path} was not read."
            for path in asked.paths
            if path in left and not path.lower().endswith(PROSE)
        ),
    )


def read_in(report: Report, names: NamedFiles, files: Mapping[str, str]) -> set[str]:
    """The files that a report shows to have read: whole, or by what it says of them."""
    said = (
        *(names.of_path(finding.path) for finding in report.findings if finding.placed),
        *(path for control in report.controls for path in names.in_text(control.evidence)),
    )
    seen = {path for path in said if path}
    for file in report.read:
        path = names.of_path(file.path)
        if path is not None and file.last_line >= last_line(files[path]):
            seen.add(path)
    return seen


def last_line(content: str) -> int:
    """The number of a file's last line that holds anything; 0 of an empty file."""
    return len(content.rstrip().split("\n")) if content.strip() else 0


def _judged(state: ControlState, asked: ReviewScope) -> bool:
    return asked.may_not_apply or state is not ControlState.NOT_APPLICABLE


def _named(texts: Iterable[str]) -> set[str]:
    return {ident for text in texts for ident in ids_in(text)}


def fingerprint(review: str, path: str, text: str) -> str:
    """What stays the same of a finding wherever its lines move: its review, file and text."""
    digest = sha256("\0".join((review, path, plain(text))).encode("utf-8", "replace"))
    return f"F-{digest.hexdigest()[:FINGERPRINT]}"


def to_answer(review: str, *reports: Report) -> tuple[ToAnswer, ...]:
    """What earlier reports found, for the next review to answer, each once: the newest words."""
    found: dict[str, ToAnswer] = {}
    for finding in (finding for report in reversed(reports) for finding in report.findings):
        ident = finding.fingerprint or fingerprint(review, finding.path, finding.quote)
        found.setdefault(
            ident,
            ToAnswer(
                ident,
                finding.title,
                finding.severity,
                finding.path,
                finding.line,
                finding.quote,
                finding.explanation,
                replace(finding, fingerprint="", placed=True, note=""),
            ),
        )
    return tuple(found.values())


def shown(points: Sequence[ToAnswer]) -> list[dict[str, object]]:
    """What is to be answered, as the reviewer reads it."""
    names = ("id", "title", "severity", "path", "line", "quote", "explanation")
    return [{name: getattr(one, name) for name in names} for one in points]
