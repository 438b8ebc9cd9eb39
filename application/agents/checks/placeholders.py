"""Comments that stand where code should: an agent that abbreviates has not written the file.

Invariant: only comments count, as the file's own language has them, and strings of dots; so texts
shown to people, titles, headings of Markdown and of SQL may say what they like.
"""

import re
from collections.abc import Iterator
from typing import Final

from application.agents.checks.characters import hidden
from application.agents.checks.elision_words import (
    ALONE,
    MARKED,
    MARKER,
    PROMISED,
    REST,
    STAYS,
    UNFINISHED,
    VERBS,
)
from application.agents.checks.lexing import CODE, SCRIPTS, Region, RegionKind, ending, regions
from application.agents.checks.residue import residue

LONGEST: Final = 240
"""Characters of a comment that are looked at: who abbreviates does so in a few words."""
FEW_WORDS: Final = 14
"""A comment of more words explains something."""

_DIRECTIVE: Final = re.compile(
    r"(?:@ts-(?:ignore|expect-error|nocheck)|eslint-\S{1,40}|prettier-ignore|biome-ignore|istanbul)\b"
    r"[ :,-]*"
)
_ABRUPT: Final = re.compile(r"(?://|#|--) ?(?:\.{3}|…|[\[(]|(?:TODO|FIXME|XXX|HACK)\b|@todo)")
_ENDED: Final = re.compile(r"[.!?:;,)}\]{(][ */]*+$")
_NOTE: Final = re.compile(
    r"(?:note|nb|n\.b\.|important|warning|hint|info)\b[:,. -]*", re.IGNORECASE
)
_LEAD: Final = re.compile(r"[.… \[({<:*=~_-]+")
_DOTS: Final = re.compile(r"(?:[\[({<]? ?(?:\.{3,}|…) ?[\])}>]?)")
_THROWN: Final = re.compile(
    r"\b(?:throw|reject|Error|HttpException|NotImplemented\w{0,40}|raise|panic|abort|fail)\b"
    r"[ (\w.]{0,60}$"
)
_BARE_DOTS: Final = re.compile(r"^[ \t]*+(?:\.{3,}|…)[ \t]*+$", re.MULTILINE)
_FOREIGN: Final = re.compile(r"^[ \t]*+(?:# |<!--)[^\n]*", re.MULTILINE)
"""Comments of another language, in a script."""
_BEGUN: Final = re.compile(r"(?:\.{3,}|…)")
_QUOTES: Final = "'\"`"
_SPACES: Final = 90
"""Characters of code before a string that say what it is for."""


def placeholders(path: str, content: str) -> Iterator[str]:
    """Findings: lines that stand for code that is not there, or that hide what they do."""
    for line, shown in _missing(path, content):
        yield (
            f"`{path}` line {line} stands for code that is missing: `{shown}`. "
            "Write the code itself; where nothing is missing, leave the comment out."
        )
    yield from hidden(path, content)
    yield from residue(path, content)


def _missing(path: str, content: str) -> Iterator[tuple[int, str]]:
    kind = ending(path)
    before, heading, last, ended = "", True, -1, True
    for region in regions(path, content):
        if region.part is RegionKind.COMMENT:
            if region.line != last + 1 or ended or _ABRUPT.match(region.text):
                yield from _in_comment(region, heading=heading)
            last = region.line + region.text.count("\n")
            ended = bool(_ENDED.search(region.text[-_SPACES:]))
        elif region.part is RegionKind.TEXT and kind in CODE:
            if _says_elision(region.text) or (
                _THROWN.search(before) and UNFINISHED.match(region.text.lstrip(_QUOTES))
            ):
                yield region.line, _shown(region.text)
        elif kind in SCRIPTS:
            for found in _BARE_DOTS.finditer(region.text):
                yield region.line + region.text.count("\n", 0, found.end()), "..."
            for found in _FOREIGN.finditer(region.text):
                if _stands_in(_mark_off(found.group()), heading=heading):
                    line = region.line + region.text.count("\n", 0, found.end())
                    yield line, _shown(found.group())
        if region.part is not RegionKind.COMMENT and not region.text.isspace():
            before, heading, last = region.text[-_SPACES:], False, -1


def _in_comment(region: Region, *, heading: bool) -> Iterator[tuple[int, str]]:
    """A comment as a whole: a line in the middle of a sentence says nothing."""
    if len(region.text) > 2 * LONGEST:
        return
    said = " ".join(region.said().split())
    if _stands_in(said, heading=heading):
        yield region.line, _shown(region.text)


def _mark_off(line: str) -> str:
    return " ".join(line.strip().lstrip("/*#!;<- ").rstrip("*/>- ").split())


def _stands_in(said: str, *, heading: bool) -> bool:
    """Whether a comment says that code is left out, or is still to come."""
    said = _DIRECTIVE.sub("", said, count=1)
    if not said or len(said) > LONGEST:
        return False
    if _DOTS.fullmatch(said):
        return True
    if marked := MARKER.match(said):
        rest = said[marked.end() :].lstrip(":(!,.- )\u2013\u2014")
        return not heading or bool(VERBS.match(rest))
    if marked := MARKED.match(said):
        return bool(VERBS.match(said, marked.end()))
    plain = _LEAD.sub("", said, count=1) if _LEAD.match(said) else said
    plain = _NOTE.sub("", plain, count=1).rstrip(" .…])}>*-!")
    if not plain or len(plain.split()) > FEW_WORDS:
        return False
    if ALONE.fullmatch(plain) or PROMISED.match(plain):
        return True
    return _elided(plain)


def _elided(plain: str) -> bool:
    """Whether what is left is said to stay, to follow or to be left out: two different words."""
    return REST.is_in(plain) and STAYS.is_in(plain)


def _says_elision(text: str) -> bool:
    """Whether a string is dots and words for what was left out."""
    inner = text.strip(_QUOTES).strip()[:LONGEST]
    if not _BEGUN.match(inner):
        return False
    plain = inner.strip(".… ")
    return bool(plain) and bool(ALONE.fullmatch(plain) or STAYS.is_in(plain))


def _shown(line: str) -> str:
    return " ".join(line[:LONGEST].split()).replace("`", "'")[:80]
