"""The titles of tests and of the suites around them, as they stand in a file.

Invariant: only texts are titles, never comments; the ids in a suite's title count for the tests in
it and for no other. Reading takes time in proportion to the file.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from application.agents.checks.lexing import RegionKind, regions

BEFORE: Final = 600
"""Characters before a text that say whether it is a title."""

_CALLED: Final = re.compile(
    r"\b(?P<called>test|it|specify|describe|suite|context)\b(?:\.\w{1,20}){0,3}"
    r"(?:\([^()]{0,400}\))?\(\s{0,200}$"
)
_EACH: Final = re.compile(
    r"\b(?P<called>test|it|specify|describe|suite|context)\.(?:\w{1,20}\.)?(?:each|for)\b"
    r"[^;]{0,500}[)`]\s{0,20}\(\s{0,200}$"
)
_BRACKET: Final = re.compile(r"[()]")
_SUITES: Final = frozenset({"describe", "suite", "context"})


class CaseTitle(NamedTuple):
    """The title of a test or of a suite."""

    own: str
    whole: str
    """With the titles of the suites that it stands in."""
    is_test: bool


def titles_of(path: str, content: str) -> Iterator[CaseTitle]:
    """The titles of a file in their order."""
    before, depth = "", 0
    suites: list[tuple[int, str]] = []
    for region in regions(path, content):
        if region.part is RegionKind.COMMENT:
            continue
        if region.part is RegionKind.TEXT:
            called = _CALLED.search(before) or _EACH.search(before)
            if called:
                own = " ".join(region.text.strip("'\"`").split())
                is_test = called["called"] not in _SUITES
                yield CaseTitle(own, " ".join([*(said for _, said in suites), own]), is_test)
                if not is_test:
                    suites.append((depth, own))
        else:
            for sign in _BRACKET.findall(region.text):
                depth += 1 if sign == "(" else -1
                while suites and depth < suites[-1][0]:
                    suites.pop()
        before = f"{before}{region.text}"[-BEFORE:]
