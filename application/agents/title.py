"""What a title may be, and the one that code gives when the title agent cannot.

Invariant: every brief yields a title of one to six words.
"""

import re

from application.agents.points import points_of
from domain.characters import one_line

MOST_WORDS = 6
LONGEST = 80

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t](.*)$", re.MULTILINE)
_WORD = re.compile(r"[^\W_][\w'’&/.-]*")  # noqa: RUF001 - people type both apostrophes.


def title_findings(title: str) -> list[str]:
    """What is wrong with a title."""
    words = title.split()
    if not words or not any(_WORD.search(word) for word in words):
        return ["The title is empty."]
    if len(words) > MOST_WORDS:
        return [f"The title has {len(words)} words; at most {MOST_WORDS} are allowed."]
    try:
        one_line(title)
    except ValueError as refused:
        return [f"The title cannot be used: {refused}."]
    return []


def fallback_title(brief: str) -> str:
    """A title of the brief's own first words: its heading, or else its first point."""
    heading = _HEADING.search(brief)
    points = points_of(brief)
    text = (heading.group(1) if heading else "") or (points[0].text if points else "")
    words = _WORD.findall(text)[:MOST_WORDS]
    return " ".join(words)[:LONGEST].strip() or "Untitled feature"
