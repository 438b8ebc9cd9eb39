"""Answers the checklist of a security review from signs in the files.

Invariant: each control is answered once, as met, not met or not applicable: one that is left open
leaves a review undecided.
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
    "V1.2.2": ControlSign("https?:", "addresses of the web alone are taken for links."),
    "V1.2.3": ControlSign("JSON.stringify(", "JSON is made by the language, not by hand."),
    "V1.2.4": ControlSign("queries.", "statements are constants."),
    "V1.3.2": ControlSign("JSON.parse(", "what comes in is read as JSON, and never run."),
    "V1.5.2": ControlSign("JSON.parse(", "what comes in is JSON, checked by field."),
    "V2.2.1": ControlSign("function validate(", "each field is checked."),
    "V2.2.2": ControlSign("validate(entity.fields", "the server checks what was sent."),
    "V2.3.3": ControlSign("queries.", "each change is one statement: done or not."),
    "V3.2.2": ControlSign("textContent", "texts reach the page as text."),
    "V3.4.3": ControlSign("content-security-policy", "a policy goes out with all."),
    "V3.4.4": ControlSign("x-content-type-options", "sent with every answer."),
    "V3.4.6": ControlSign("frame-ancestors", "no other page may frame it."),
    "V3.5.1": ControlSign("application/json", "a form of another site is not taken."),
    "V3.5.3": ControlSign('request.method === "POST"', "what changes something is no GET."),
    "V4.1.1": ControlSign("content-type", "each answer says what it is."),
    "V13.3.1": ControlSign("process.env", "settings come from the environment."),
    "V14.3.2": ControlSign("no-store", "answers are kept by no cache."),
    "V15.3.1": ControlSign("queries.", "statements name their columns."),
    "V15.3.3": ControlSign("function validate(", "unknown fields are refused."),
    "V15.3.6": ControlSign("Object.hasOwn(", "names that were sent reach no prototype."),
    "V16.2.5": ControlSign("console.error(error)", "errors are logged, and no contents."),
    "V16.4.1": ControlSign("console.error(error)", "what is logged is a value, no text of ours."),
    "V16.5.1": ControlSign("That did not work", "errors are one sentence."),
    "V16.5.3": ControlSign(".catch((error", "what fails is answered as a failure."),
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
    **dict.fromkeys(("V13.4.2", "V14.2.1"), NO_SUCH),
    "V2.3.1": "Each action is one step: there is no order to keep.",
    "V2.3.4": "Nothing in it is limited in number.",
    **dict.fromkeys(("V2.4.1", "V3.4.1", "V3.4.2", "V12.3.2"), LOCAL),
    **dict.fromkeys(("V16.3.1", "V16.3.2", "ISM-1552"), LOCAL),
}


def controls(lines: Iterable[tuple[str, str]]) -> tuple[d.Control, ...]:
    """An answer to each control.

    Args:
        lines: Path and text of each line of code.
    """
    code = tuple(lines)
    return tuple(_control(ident, code) for ident in CONTROLS)


def _control(ident: str, code: tuple[tuple[str, str], ...]) -> d.Control:
    name = short(CONTROLS[ident])
    if ident in NOT_APPLICABLE:
        return d.Control(ident, name, d.ControlState.NOT_APPLICABLE, NOT_APPLICABLE[ident])
    sign = SIGNS[ident]
    where = next((path for path, line in code if sign.text in line), None)
    if where is None:
        first = next((path for path, _ in code), "-")
        missing = f"{first}: no sign of it was found, here or in another file."
        return d.Control(ident, name, d.ControlState.NOT_MET, missing)
    return d.Control(ident, name, d.ControlState.MET, f"{where}: {sign.shows}")
