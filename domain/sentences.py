"""Sentences of any writing, and whether there is a word in a text at all.

Invariant: every word of a text stands in exactly one of its sentences, and none is longer than
`LONGEST`. The work is in proportion to the text.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 2_000
"""Characters of a line; a longer one goes on in the next."""
UNENDED: Final = 200
"""The same, in writing that does not mark where a sentence ends."""

_END: Final = re.compile(
    r"[.!?…]{1,9}[\"'”’»)\]]{0,3}(?=\s)"  # noqa: RUF001 - quotation marks of all kinds.
    r"|[。！？｡؟۔।॥။።፧፨։᠃᠉།។៕]{1,9}[”’」』）)]{0,3}"  # noqa: RUF001 - full stops of all scripts.
)
_ENDS: Final = re.compile(r"[.!?…。！？｡؟۔।॥။።፧፨։᠃᠉།៕][\"'”’»)\]」』）]?$")  # noqa: RUF001 - the same.
_ABBREVIATED: Final = frozenset(
    [
        "e.g",
        "i.e",
        "etc",
        "approx",
        "incl",
        "excl",
        "no",
        "nr",
        "vs",
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "z.b",
        "d.h",
        "u.a",
        "bzw",
        "ca",
        "ggf",
        "usw",
        "p.ex",
        "max",
        "min",
        "resp",
        "tel",
    ]
)
_UNSPACED: Final = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]")
"""Thai, Lao, Tibetan, Burmese, Khmer: a blank there ends a thought rather than a word."""
_FACES: Final = re.compile(r"[#*0-9]\ufe0f?\u20e3|\u2139\ufe0f")
"""Emoji that are made of a letter or a digit."""


def has_word(text: str) -> bool:
    """Whether a text has a letter or a number in it; emoji are none."""
    return any(sign.isalnum() for sign in _FACES.sub("", text))


def ends(text: str) -> bool:
    """Whether it ends as sentences do."""
    return _ENDS.search(text[-4:]) is not None


def sentences_of(text: str) -> Iterator[str]:
    """The sentences of a text in any writing, each with a word in it."""
    begin = 0
    waiting = ""
    for end in _END.finditer(text):
        if end[0] == "." and _abbreviates(text, end.start()):
            continue
        sentence = f"{waiting} {text[begin : end.end()].strip()}".strip()
        begin = end.end()
        if not has_word(sentence):
            waiting = sentence
            continue
        waiting = ""
        yield from _shortened(sentence)
    rest = f"{waiting} {text[begin:].strip()}".strip()
    if has_word(rest):
        yield from _shortened(rest)


def _abbreviates(text: str, place: int) -> bool:
    word = text[max(0, place - 12) : place].rpartition(" ")[2].lower()
    return word in _ABBREVIATED or (len(word) == 1 and word.isalpha() and word.isascii())


def _shortened(sentence: str) -> Iterator[str]:
    unended = len(sentence) > UNENDED and _UNSPACED.search(sentence)
    return pieces(sentence, UNENDED if unended else LONGEST)


def pieces(text: str, longest: int) -> Iterator[str]:
    """A text in pieces of so many characters at most, cut at blanks where there are any."""
    begin = 0
    while len(text) - begin > longest:
        end = text.rfind(" ", begin + 1, begin + longest + 1)
        if end <= begin:
            end = begin + longest
            while end > begin + longest // 2 and _joined(text, end):
                end -= 1
        piece = text[begin:end].strip()
        begin = end
        if has_word(piece):
            yield piece
    piece = text[begin:].strip()
    if has_word(piece) or begin == 0:
        yield piece


def _joined(text: str, place: int) -> bool:
    """Whether what stands at a place belongs to the sign before it."""
    return unicodedata.category(text[place])[0] == "M" or "\u200d" in text[place - 1 : place + 1]
