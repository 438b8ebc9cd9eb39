"""Whether a line tells its reviewer what to answer, so that the reviewer's word counts little.

Narrower than the rule that puts such lines before the reviewer: a program about audits may speak of
auditors who approve. The words stand as data in `told.toml`. Invariant: reading takes time in
proportion to the line.
"""

import re
import unicodedata
from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct

RULE: Final = "speaks_to_the_reviewer"
"""The rule of the inspection that looks for such lines."""
LONGEST: Final = 2_000
"""Characters of a line that are read."""


class ToldWords(Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns over a line in lower case."""

    orders: tuple[str, ...]
    """Any of these tells what to answer, wherever it stands."""
    comment: str
    addressed: str
    """A reviewer who is spoken to, in a comment; with one of `claims` it tells."""
    claims: tuple[str, ...]
    reviewer_elsewhere: str
    """In other scripts: a reviewer; with `outcome_elsewhere` it tells."""
    outcome_elsewhere: str


def _read() -> ToldWords:
    text = files("application.agents").joinpath("told.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=ToldWords)


_DATA: Final = _read()
_ORDERS: Final = re.compile("|".join(_DATA.orders))
_COMMENT: Final = re.compile(_DATA.comment, re.DOTALL)
_ADDRESSED: Final = re.compile(_DATA.addressed)
_CLAIMS: Final = re.compile("|".join(_DATA.claims))
_REVIEWER: Final = re.compile(_DATA.reviewer_elsewhere)
_OUTCOME: Final = re.compile(_DATA.outcome_elsewhere)


def tells_the_reviewer(line: str) -> bool:
    """Whether a line orders an answer, or speaks to a reviewer in a comment and claims one."""
    said = unicodedata.normalize("NFKC", line[:LONGEST]).casefold()
    if _ORDERS.search(said) or (_REVIEWER.search(said) and _OUTCOME.search(said)):
        return True
    comment = _COMMENT.search(said)
    if comment is None:
        return False
    return bool(_ADDRESSED.search(comment["said"]) and _CLAIMS.search(comment["said"]))
