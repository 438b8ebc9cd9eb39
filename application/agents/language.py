"""The language that a person writes in, and what code writes in it.

Invariant: code says a language only if it is sure. Where it is not, agents are told to write in the
language of the brief, whatever it is, and code writes English headings.
"""

import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct


class Languages(Struct, frozen=True, forbid_unknown_fields=True):
    """What code knows of languages."""

    common: Mapping[str, str]
    """Language to words that stand in most of its sentences, and seldom in those of another."""
    examples: Mapping[str, str]
    """Language to how an example is told, with a place for each of its three parts."""
    headings: Mapping[str, Mapping[str, str]]
    """Language to the English words to its own."""


def _languages() -> Languages:
    text = files("application.agents").joinpath("languages.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=Languages)


_KNOWN: Final = _languages()
COMMON: Final = {code: frozenset(words.split()) for code, words in _KNOWN.common.items()}
HEADINGS: Final = _KNOWN.headings
EXAMPLES: Final = _KNOWN.examples
NAMES: Final[Mapping[str, str]] = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian",
    "pt": "Portuguese", "nl": "Dutch", "ja": "Japanese", "ko": "Korean",
}  # fmt: skip
"""The languages that are told apart, by ISO 639-1 code."""

MOST: Final = 20_000
"""Characters that are looked at."""
FEWEST: Final = 3
"""Common words without which nothing is said of a language."""
LEAD: Final = 1.5
"""How many times as many common words the likeliest language has as the next."""
SCRIPT: Final = 0.1
"""Share of the letters by which a script tells a language."""
_WORD: Final = re.compile(r"[^\W\d_]+")
_KANA: Final = re.compile(r"[\u3040-\u30ff]")
_HANGUL: Final = re.compile(r"[\uac00-\ud7af]")


def language_of(text: str) -> str:
    """The code of a text's language, or an empty text if code is not sure of it."""
    seen = text[:MOST].lower()
    letters = sum(map(str.isalpha, seen))
    for code, script in (("ja", _KANA), ("ko", _HANGUL)):
        if letters and len(script.findall(seen)) >= SCRIPT * letters:
            return code
    words = Counter(_WORD.findall(seen))
    found = {code: sum(words[word] for word in common) for code, common in COMMON.items()}
    (best, most), (_, next_most) = sorted(found.items(), key=lambda one: -one[1])[:2]
    return best if most >= FEWEST and most >= LEAD * next_most else ""


def asked_in(text: str) -> str:
    """What an agent is told of the language of what it writes, from what a person wrote."""
    named = NAMES.get(language_of(text))
    language = f"{named}, the language of the brief" if named else "the language of the brief"
    return (
        f" Write everything that people read in {language}; ids, paths and names in code stay "
        "as they are."
    )


def example_in(language: str, given: str, when: str, then: str) -> str:
    """An example in a language that code knows, else in English."""
    template = EXAMPLES.get(language, EXAMPLES["en"])
    return template.format(given=given, when=when, then=then)


def in_language(markdown: str, language: str) -> str:
    """A page with its headings, labels and heads of tables in a language that code knows.

    What agents and people wrote stays as it is: only whole headings and heads of tables are
    replaced, and labels only where code writes them, below a heading of the third level.
    """
    known = HEADINGS.get(language)
    if known is None:
        return markdown
    lines: list[str] = []
    fence = ""
    inside = False
    for line in markdown.split("\n"):
        if fence or line.startswith("```"):
            ticks = line[: len(line) - len(line.lstrip("`"))]
            fence = ("" if line == fence else fence) if fence else ticks
            lines.append(line)
            continue
        if line.startswith("#"):
            inside = line.startswith("### ")
        lines.append(_line(line, known, labelled=inside))
    return "\n".join(lines)


def _line(line: str, known: Mapping[str, str], *, labelled: bool) -> str:
    for mark in ("# ", "## "):
        if line.startswith(mark):
            return mark + known.get(line.removeprefix(mark), line.removeprefix(mark))
    if line.startswith("| "):
        return known.get(line, line)
    if labelled and line.startswith("- "):
        label, colon, rest = line.partition(":")
        return known.get(label + colon, label + colon) + rest
    return line
