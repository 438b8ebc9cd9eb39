"""Characters that act on whoever shows a text: which ones there are, and what comes of them.

Invariant: a line that passed `one_line` moves no cursor, breaks no line and turns no writing
around; and `visible` gives such a line of any text whatever.
"""

import re
import unicodedata
from typing import Final

_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff"
"""Controls (C0 and C1), line and paragraph separators, halves of a pair, and non-characters."""
_TURNS: Final = r"\u202a-\u202e\u2066-\u206f"
"""Embeddings, overrides and isolates (Unicode Annex 9), and the deprecated format controls."""
_MARKS: Final = r"\u061c\u200e\u200f"
"""Marks of direction: letters that nobody sees. Right-to-left writing needs them."""

_BREAKS: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_REFUSED: Final = re.compile(f"[{_CONTROLS}{_TURNS}]")
_HIDDEN: Final = re.compile(f"[{_CONTROLS}{_TURNS}{_MARKS}]")
_SHOWN: Final = ("L", "N", "P", "S")
"""General categories with something to see: letters, numbers, punctuation, symbols."""


def one_line(text: str) -> str:
    """The text on one line: breaks and runs of blanks become one blank, and none is at its ends.

    Joiners, variation selectors, combining marks and marks of direction stay: Persian, Hindi,
    Hebrew and emoji are written with them.

    Raises:
        ValueError: the sentence that says what the text holds, or that nothing of it can be seen.
    """
    line = _BREAKS.sub(" ", text)
    if (found := _REFUSED.search(line)) is not None:
        raise ValueError(
            f"Holds the character U+{ord(found[0]):04X}, which moves or turns what is shown: "
            "take it out"
        )
    line = " ".join(line.split())
    if not any(unicodedata.category(character)[0] in _SHOWN for character in line):
        raise ValueError("Holds nothing that can be seen: write at least one letter")
    return line


def visible(text: str) -> str:
    """The text with escapes for all that would act on a terminal instead of being shown."""
    return _HIDDEN.sub(lambda found: ascii(found[0])[1:-1], text)


def visible_json(text: str) -> str:
    """A JSON text that says the same, with JSON's own escapes; breaks between its tokens stay."""
    return _HIDDEN.sub(_in_json, text)


def _in_json(found: re.Match[str]) -> str:
    character = found[0]
    # JSON has control characters in strings as escapes only: what is here stands between tokens.
    return character if character in "\t\n\r" else f"\\u{ord(character):04x}"
