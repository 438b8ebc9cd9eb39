"""The points of briefs that were confirmed before a brief's reading was recorded with it.

Invariant: never changed again. Specifications, plans and traces cite these ids, and what they meant
when they were approved they mean for ever. What is confirmed today is read by `domain.reading`.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from domain.documents import Point

MOST: Final = 120
"""Points that are tracked one by one; of a longer brief, neighbours share one."""
LONGEST: Final = 2_000
REMEMBERED: Final = 16
"""Briefs: one attempt asks for the points of its brief again and again."""

# Each pattern reads a line whose white space is single spaces already: none can take long.
_FENCE: Final = re.compile(r"^(```|~~~)")
_HEADING: Final = re.compile(r"^#{1,6} (.*)$")
_ITEM: Final = re.compile(r"^(?:[-*+•]|\d{1,4}[.)]) (?:\[[ xX]\] )?(.+)$")
_MARKED: Final = re.compile(
    r"^(?:(?:[-*+•]|\d{1,4}[.)]) )?\*{0,2}\[?BF-([1-9][0-9]{0,2})\]?\*{0,2}"
    r" ?[:.·\u2010-\u2015-]? ?\*{0,2} ?(\S.*)$"
)
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=\S)")
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_ASIDE: Final = re.compile(
    r"won.?t|not (needed|wanted|included|in scope)|out of scope|later|assum|constraint|limit"
    r"|^(the )?(users?|people|who|data|information|examples?|goal|aim|why|background|context)",
    re.IGNORECASE,
)
"""Headings under which a list says other things than what the software must do."""


class _Line(NamedTuple):
    section: int
    heading: str
    number: int | None
    """Of a point marked by hand."""
    item: bool
    text: str


@lru_cache(maxsize=REMEMBERED)
def first_points_of(markdown: str) -> tuple[Point, ...]:
    """The points of a brief, in its order; at least one for any text with a word in it."""
    lines = tuple(_lines(markdown))
    marked = {line.section for line in lines if line.number is not None}
    if marked:
        wanted = [n for n in lines if n.number is not None or (n.item and n.section in marked)]
        bare = [line for line in wanted if line.number is None]
        if len(bare) > MOST:
            wanted = [line for line in wanted if line.number is not None] + _merged(bare)
        return _numbered(wanted)
    items = [line for line in lines if line.item]
    asides = {heading for heading in {n.heading for n in items} if _ASIDE.search(heading)}
    wanted = [line for line in items if line.heading not in asides] or items
    spoken = wanted or list(_sentences(line.text for line in lines))
    return _numbered(_merged(spoken or list(_sentences(_headings(markdown)))))


def _lines(markdown: str) -> Iterator[_Line]:
    section, heading, fenced = 0, "", False
    for raw in markdown.splitlines():
        line = " ".join(raw.split())
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced or not line:
            continue
        elif found := _HEADING.match(line):
            section, heading = section + 1, found.group(1).rstrip("# ")
        elif found := _MARKED.match(line):
            yield _Line(section, heading, int(found.group(1)), item=True, text=found.group(2))
        elif found := _ITEM.match(line):
            yield _Line(section, heading, None, item=True, text=found.group(1))
        else:
            yield _Line(section, heading, None, item=False, text=line)


def _headings(markdown: str) -> Iterator[str]:
    """What a brief says that says nothing under its headings."""
    for raw in markdown.splitlines():
        if found := _HEADING.match(" ".join(raw.split())):
            yield found.group(1).rstrip("# ")


def _sentences(texts: Iterable[str]) -> Iterator[_Line]:
    whole = " ".join(texts)
    for sentence in _SENTENCE.split(whole):
        if any(letter.isalnum() for letter in sentence):
            yield _Line(0, "", None, item=True, text=sentence.strip())


def _merged(lines: list[_Line]) -> list[_Line]:
    """At most `MOST` lines: neighbours are put together, so that nothing goes untracked."""
    size = -(-len(lines) // MOST)
    if size <= 1:
        return lines
    groups = [lines[i : i + size] for i in range(0, len(lines), size)]
    return [group[0]._replace(text="; ".join(line.text for line in group)) for group in groups]


def _numbered(lines: list[_Line]) -> tuple[Point, ...]:
    """Marked lines keep their number, the first of equals; the others get the next free ones."""
    after = max((line.number for line in lines if line.number is not None), default=0)
    taken: set[int] = set()
    points: list[Point] = []
    for line in lines:
        number = line.number
        if number is None or number in taken:
            after += 1
            number = after
        taken.add(number)
        points.append(Point(f"BF-{number}", _clean(line.text)))
    return tuple(points)


def _clean(text: str) -> str:
    plain = _ESCAPED.sub(lambda found: found[1], " ".join(text.replace("**", "").split()))
    return plain[:LONGEST] or "…"
