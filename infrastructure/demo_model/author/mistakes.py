"""A mistake that a brief asks the demo model for, so that people see a review fail and be mended.

“The demo model makes a mistake” in a brief: the first code has one, and it is mended after the
review. “The demo model keeps a mistake”: it is never mended. The specification says so, too.

Invariant: without these words no file differs from what is always written.
"""

import re
from typing import Any, Final

ASKED: Final = re.compile(r"\bdemo model (makes|keeps) a mistake\b", re.IGNORECASE)
MADE: Final = " As the brief asks, its first code has a mistake, and it mends it after the review."
KEPT: Final = " As the brief asks, its code has a mistake, and it never mends it."
PLACE: Final = "public/app.js"
"""The file that has it."""
_RIGHT, _WRONG = "made.textContent = text;", "made.innerHTML = text;"

_REMARK: Final = "Read again after the review."
_REMARKS: Final = {
    **dict.fromkeys(("ts", "js"), f"// {_REMARK}\n"),
    "css": f"/* {_REMARK} */\n",
    "html": f"<!-- {_REMARK} -->\n",
    "sql": f"-- {_REMARK}\n",
    "md": f"\n{_REMARK}\n",
    "example": f"# {_REMARK}\n",
}
"""By the ending of a file."""


def promised(brief: str) -> str:
    """What the specification says of the mistake that a brief asks for; nothing of most."""
    found = ASKED.search(brief)
    if found is None:
        return ""
    return MADE if found[1].lower() == "makes" else KEPT


def with_mistake(texts: dict[str, str], summary: str, *, reviewed: bool) -> dict[str, str]:
    """The files, with the mistake that the specification's summary promises.

    Args:
        texts: As they are right, by path.
        summary: Of the specification.
        reviewed: Whether a review has found it.
    """
    if summary.endswith(KEPT) or (summary.endswith(MADE) and not reviewed):
        return {**texts, PLACE: texts[PLACE].replace(_RIGHT, _WRONG)}
    return texts


def mended(texts: dict[str, str], inputs: dict[str, Any]) -> dict[str, str]:
    """The files that are written while faults are mended: what differs from what stands.

    Where nothing does, for a finding is about code that is right, its files get a remark.
    """
    may_change = inputs.get("may_change")
    stand = {file["path"]: file["content"] for file in inputs.get("previous_files") or ()}
    allowed = {path: text for path, text in texts.items() if path in (may_change or ())}
    differing = {path: text for path, text in allowed.items() if stand.get(path) != text}
    if differing:
        return differing
    named = {
        finding.get("path")
        for review in inputs.get("reviews") or ()
        for finding in review.get("report", {}).get("findings", ())
    }
    return {path: _with_remark(path, text) for path, text in allowed.items() if path in named}


def _with_remark(path: str, text: str) -> str:
    return text + _REMARKS.get(path.rpartition(".")[2], "\n")
