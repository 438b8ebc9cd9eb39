"""Answers the checklist of a security review from signs in the files.

Invariant: each control is answered once, as met, not met or not applicable, or is left open by
name: a list of signs cannot judge everything.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from application.agents.checklist import CONTROLS, short
from domain import documents as d


class ControlSign(NamedTuple):
    """What shows that a control is met."""

    text: str
    shows: str


SIGNS: Final[Mapping[str, ControlSign]] = {
    "V1.2.1": ControlSign("textContent", "texts reach the page as text."),
    "V1.2.3": ControlSign("JSON.stringify(", "JSON is made by the language, not by hand."),
    "V1.2.4": ControlSign("queries.", "statements are constants."),
    "V1.5.2": ControlSign("JSON.parse(", "what comes in is JSON, checked by field."),
    "V2.2.1": ControlSign("function validate(", "each field is checked."),
    "V2.2.2": ControlSign("validate(entity.fields", "the server checks what was sent."),
    "V3.2.2": ControlSign("textContent", "texts reach the page as text."),
    "V3.4.3": ControlSign("content-security-policy", "a policy goes out with all."),
    "V3.4.4": ControlSign("x-content-type-options", "sent with every answer."),
    "V3.4.6": ControlSign("frame-ancestors", "no other page may frame it."),
    "V3.5.3": ControlSign('request.method === "POST"', "what changes something is no GET."),
    "V4.1.1": ControlSign("content-type", "each answer says what it is."),
    "V13.3.1": ControlSign("process.env", "settings come from the environment."),
    "V14.3.2": ControlSign("no-store", "answers are kept by no cache."),
    "V15.3.3": ControlSign("function validate(", "unknown fields are refused."),
    "V16.5.1": ControlSign("That did not work", "errors are one sentence."),
    "ISM-1240": ControlSign("function validate(", "unknown fields are refused."),
    "ISM-1241": ControlSign("textContent", "nothing is put in as HTML."),
    "ISM-1276": ControlSign("queries.", "statements are constants."),
    "ISM-1278": ControlSign("That did not work", "details are logged."),
    "ISM-1424": ControlSign("x-content-type-options", "sent with every answer."),
}
LOCAL: Final = (
    "The server listens on the local computer only, for one household or office; see the finding."
)
NO_SUCH: Final = "There is no such thing in this application."
NOT_APPLICABLE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("V1.2.5", "V1.3.6", "V3.3.1", "V3.3.2", "V3.3.4", "V3.7.2"), NO_SUCH),
    **dict.fromkeys((one for one in CONTROLS if one.startswith(("V5.", "V11."))), NO_SUCH),
    **dict.fromkeys((one for one in CONTROLS if one.startswith(("V6.", "V7.", "V8."))), LOCAL),
    **dict.fromkeys(("V3.4.1", "V3.4.2", "V12.3.2", "V16.3.1", "V16.3.2", "ISM-1552"), LOCAL),
}
UNJUDGED: Final = "the demo model does not judge this."


def controls(lines: Iterable[tuple[str, str]]) -> tuple[d.Control, ...]:
    """The controls that signs can answer.

    Args:
        lines: Path and text of each line of code.
    """
    code = tuple(lines)
    return tuple(_control(ident, code) for ident in CONTROLS if ident not in OPEN)


def left_open() -> tuple[str, ...]:
    """A line for each control that is not judged."""
    return tuple(f"{ident} {short(CONTROLS[ident])}: {UNJUDGED}" for ident in OPEN)


OPEN: Final = tuple(one for one in CONTROLS if one not in SIGNS and one not in NOT_APPLICABLE)


def _control(ident: str, code: tuple[tuple[str, str], ...]) -> d.Control:
    name = short(CONTROLS[ident])
    if ident in NOT_APPLICABLE:
        return d.Control(ident, name, d.ControlState.NOT_APPLICABLE, NOT_APPLICABLE[ident])
    sign = SIGNS[ident]
    where = next((path for path, line in code if sign.text in line), None)
    if where is None:
        missing = "No sign of it was found in the files."
        return d.Control(ident, name, d.ControlState.NOT_MET, missing)
    return d.Control(ident, name, d.ControlState.MET, f"{where}: {sign.shows}")
