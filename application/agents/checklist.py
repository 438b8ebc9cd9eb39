"""The controls that a security review answers, by id.

Invariant: a control that the reviewer passed over is named as not reviewed; silence is no yes. The
items of the OWASP Application Security Verification Standard 5.0 stand in `asvs.toml`, word for
word; the ISM numbers are those of the Australian Information Security Manual's guidelines for
software development and gateways of web applications, in our own words.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from domain.documents import Report


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
    text = files("application.agents").joinpath("asvs.toml").read_text("utf-8")
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
    r"|(?P<ism>\bISM-[0-9]{4}\b)",
    re.IGNORECASE,
)
"""An id, bare, with its letter, or with the version of the standard in front (`v5.0.0-1.2.4`)."""
SHORT: Final = 80


def ids_in(text: str) -> set[str]:
    """The ids of controls that a text names, as `CONTROLS` writes them."""
    return {
        f"V{found['asvs']}" if found["asvs"] else found["ism"].upper()
        for found in _ID.finditer(text)
    }


def unanswered(report: Report) -> tuple[str, ...]:
    """A line for each control that the report says nothing of, neither judged nor left open."""
    answered = {ident for control in report.controls for ident in ids_in(control.id)}
    answered |= {ident for line in report.not_reviewed for ident in ids_in(line)}
    return tuple(
        f"{ident} {short(name)}: the reviewer gave no answer."
        for ident, name in CONTROLS.items()
        if ident not in answered
    )


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
