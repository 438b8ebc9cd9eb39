"""Whether a finding's own words name a weakness that is grave, however its severity was rated.

The words stand as data in `weaknesses.toml`. Invariant: it only reads words, sentence by sentence;
where a sentence says that the weakness is not there, or is about a message or a test, it names
none. Every text is read in proportion to its length.
"""

import re
import unicodedata
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct

LONGEST: Final = 2_400
"""Characters that are read: a title and an explanation."""
NEAR: Final = 90
"""Characters around the words that may say that it is not so."""
BY_NUMBER: Final = "a grave weakness by its number"

_SENTENCE: Final = re.compile(r"(?<=[.!?;])\s|[\n。！？।؟]")  # noqa: RUF001 - as they are written.


class Weakness(Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of weakness, in words for people, and the patterns of its names."""

    name: str
    patterns: tuple[str, ...]


class Clearing(Struct, frozen=True, forbid_unknown_fields=True):
    """Words around a name that say that the weakness is not there."""

    defended: str
    """A defence against it, unless that is denied."""
    denied: str
    elsewhere: tuple[str, ...]
    """What follows the name, where it is about a text, a test or something impossible."""


class GraveWords(Struct, frozen=True, forbid_unknown_fields=True):
    """All of the data."""

    words: Mapping[str, str]
    around: Clearing
    numbers: str
    weakness: tuple[Weakness, ...]


def _read() -> GraveWords:
    text = files("application.agents").joinpath("weaknesses.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=GraveWords)


def _whole(pattern: str, words: Mapping[str, str]) -> str:
    for name, stands_for in words.items():
        pattern = pattern.replace(f"{{{name}}}", stands_for)
    return pattern


_DATA: Final = _read()
_NUMBERS: Final = re.compile(_DATA.numbers)
_NAMES: Final = tuple(
    (one.name, re.compile("|".join(_whole(pattern, _DATA.words) for pattern in one.patterns)))
    for one in _DATA.weakness
)
_DEFENDED: Final = re.compile(_DATA.around.defended)
_DENIED: Final = re.compile(_DATA.around.denied)
_DENIED_JUST_BEFORE: Final = re.compile(rf"(?:{_DATA.around.denied})(?: (?:\w+ ){{0,3}}| ?)$")
_ELSEWHERE: Final = re.compile("|".join(_DATA.around.elsewhere))


def weakness_named(title: str, explanation: str) -> str | None:
    """The grave weakness that a finding's words name, in words for people; None if none."""
    text = unicodedata.normalize("NFKC", f"{title}\n{explanation}"[:LONGEST]).casefold()
    for sentence in _SENTENCE.split(text):
        if _NUMBERS.search(sentence):
            return BY_NUMBER
        for name, pattern in _NAMES:
            for found in pattern.finditer(sentence):
                before = sentence[max(0, found.start() - NEAR) : found.start()]
                if not _is_cleared(before, sentence[found.end() :][:NEAR]):
                    return name
    return None


def _is_cleared(before: str, after: str) -> bool:
    """Whether the words around say that the weakness is not there, or is not what is meant."""
    if _ELSEWHERE.search(after):
        return True
    defended = _DEFENDED.search(before)
    if defended:
        return not _DENIED.search(before[: defended.start()])
    return bool(_DENIED_JUST_BEFORE.search(before))
