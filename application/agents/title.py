"""What a title may be, and the one that code gives when the title agent cannot.

Invariant: every brief yields a title of one to six words, each whole: vowel signs, joiners and the
parts of an emoji stay with what they belong to.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from domain.characters import one_line
from domain.reading import BriefPoint

MOST_WORDS = 6
LONGEST = 80

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t](.*)$", re.MULTILINE)
_INSIDE: Final = "'’&/.-"  # noqa: RUF001 - people type both apostrophes.
"""What stands inside a word, and neither begins nor ends one."""
_JOINERS: Final = "\u200c\u200d"
_TAGS: Final = range(0xE0020, 0xE0080)
"""Letters that nobody sees, of which flags of regions are made."""
_PICTURES: Final = 0x1F000
"""From here on characters are emoji: in front of a brief they are part of its name, no bullets."""
_READ: Final = 400
"""Characters of a brief's first words that a title is made of."""


def title_findings(title: str) -> list[str]:
    """What is wrong with a title."""
    words = title.split()
    if not any(map(_says, title)):
        return ["The title is empty."]
    if len(words) > MOST_WORDS:
        return [f"The title has {len(words)} words; at most {MOST_WORDS} are allowed."]
    try:
        one_line(title)
    except ValueError as refused:
        return [f"The title cannot be used: {refused}."]
    return []


def fallback_title(brief: str, points: Sequence[BriefPoint]) -> str:
    """A title of the brief's own first words: its heading, or else its first point."""
    heading = _HEADING.search(brief)
    first = brief.lstrip().partition("\n")[0]
    pictured = first if ord(first[:1] or " ") >= _PICTURES else ""
    texts = (heading[1] if heading else "", pictured, points[0].text if points else "", first)
    words = next((found for text in texts if (found := list(_words(text[:_READ])))), [])
    title = ""
    for word in words[:MOST_WORDS]:
        longer = f"{title} {word}".strip()
        if len(longer) > LONGEST:
            break
        title = longer
    return title or (_cut(words[0]) if words else "Untitled feature")


def _words(text: str) -> Iterator[str]:
    kept = "".join(sign if _belongs(sign) else " " for sign in text)
    for word in kept.split():
        whole = word.strip(_INSIDE + _JOINERS)
        while whole and not _says(whole[0]):
            whole = whole[1:]
        if whole:
            yield whole


def _belongs(sign: str) -> bool:
    """Whether a word goes on with this character."""
    joins = unicodedata.category(sign) in {"Mn", "Mc", "Me", "Sk"}
    return _says(sign) or joins or sign in _INSIDE + _JOINERS or ord(sign) in _TAGS


def _says(sign: str) -> bool:
    """Letters, numbers and pictures: what a title may be made of."""
    kind = unicodedata.category(sign)
    return kind[0] in "LN" or kind == "So"


def _cut(word: str) -> str:
    """The beginning of a word that is too long, without a part of a character at its end."""
    end = LONGEST
    while end > 1 and (not _says(word[end]) or word[end - 1] in _JOINERS):
        end -= 1
    return word[:end].strip(_INSIDE + _JOINERS) or word[:LONGEST]
