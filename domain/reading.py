"""What was understood of a brief: its points, and what is no more than background.

Invariant: the same brief gives the same reading; a text with a word in it has a point, and no word
stands outside every point without being shown as background. Whoever confirms a brief confirms its
reading, which is recorded with it: a later version of this module changes nothing that was agreed.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from domain.brief_lines import LEAD_WORDS, Line, LineKind, lines_of, wishes
from domain.sentences import LONGEST

MOST: Final = 120
"""Points that are tracked one by one; of a longer brief, neighbours share one."""
HIGHEST: Final = 999
"""The highest number of a point that can be read back from a page."""
REMEMBERED: Final = 16
"""Briefs: one attempt asks for the points of its brief again and again."""

_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_TELLS: Final = re.compile(
    r"(?:i|we|my|our|this is|for my|for our|today|currently|at the moment|right now|until now"
    r"|so far|hello|hi|dear|thanks|thank you|kind regards|best regards|regards)\b",
    re.IGNORECASE,
)
"""How a sentence begins that tells about the person. In other languages nothing is clear enough."""
_ASKS: Final = re.compile(
    r"\d|[\"“„«「]|n['’]t\b|\b(?:must|should|shall|can|could|would|want|wants|wish|need|needs"  # noqa: RUF001
    r"|like|require|requires|may|might|allow|able|please|only|never|always|not|no|nobody|without"
    r"|has to|have to|when|if|each|every|all|will|expect|hope|love|instead|let|lets|don)\b",
    re.IGNORECASE,
)
"""What makes such a sentence more than background, as soon as it may be a wish or a limit."""
_EMPTY_PARTS: Final = frozenset(
    [
        "goal",
        "users",
        "data",
        "limits",
        "examples",
        "assumptions",
        "background",
        "context",
        "constraints",
        "exclusions",
        "notes",
        "introduction",
        "overview",
        "summary",
    ]
)
"""Headings of a form that nobody filled in."""


class BriefPoint(Struct, frozen=True, omit_defaults=True):
    """A point of a confirmed brief. Ids are BF-1, BF-2, …"""

    id: str
    text: str
    under: str = ""
    """The heading or introduction it stands under, in the brief's own words."""


class Background(Struct, frozen=True, omit_defaults=True):
    """Words of a brief that are no point."""

    text: str
    heading: bool = False
    """Whether it names or introduces what follows, rather than telling something."""


class Reading(Struct, frozen=True, omit_defaults=True):
    """A brief as it is understood; every word of it is in one of the two."""

    points: tuple[BriefPoint, ...] = ()
    background: tuple[Background, ...] = ()


@lru_cache(maxsize=REMEMBERED)
def reading_of(brief: str, wanted: frozenset[str] = frozenset()) -> Reading:
    """What is understood of a brief.

    Args:
        brief: Its text, in whatever shape.
        wanted: Sentences of the background that a person made points.
    """
    lines = lines_of(brief)
    marked = any(line.number is not None for line in lines)
    listed = any(line.kind is LineKind.ITEM for line in lines)
    named = [line.kind is LineKind.HEADING for line in lines]
    asked = [
        _asks(line, whole=marked or not listed) or _stands_alone(lines, place)
        for place, line in enumerate(lines)
    ]
    if not any(asked):
        headings_only = all(named)
        asked = [not heading or headings_only for heading in named]
    points = [
        line for line, asks in zip(lines, asked, strict=True) if asks or clean(line.text) in wanted
    ]
    rest = [
        Background(clean(line.text), heading)
        for line, asks, heading in zip(lines, asked, named, strict=True)
        if not asks and clean(line.text) not in wanted
    ]
    return Reading(_numbered(_merged(points)), tuple(rest))


def _asks(line: Line, *, whole: bool) -> bool:
    """Whether a line says what the software is to be; `whole` if every sentence counts."""
    match line.kind:
        case LineKind.ITEM:
            return True
        case LineKind.SENTENCE:
            return whole or not (_TELLS.match(line.text) and not _ASKS.search(line.text))
        case LineKind.HEADING:
            return wishes(line.text) or len(line.text.split()) > LEAD_WORDS


def _stands_alone(lines: Sequence[Line], place: int) -> bool:
    """Whether a heading has nothing under it, so that it is all that is said."""
    line = lines[place]
    if line.level == 0 or line.text.lower() in _EMPTY_PARTS:
        return False
    below = lines[place + 1] if place + 1 < len(lines) else None
    if place == 0 and any(other.kind is not LineKind.HEADING for other in lines):
        return False
    return below is None or 0 < below.level <= line.level


def free_ids(used: Collection[str]) -> Iterator[str]:
    """Ids that are not used, those above all others first: an id is not given twice."""
    numbers = {int(ident.partition("-")[2]) for ident in used}
    highest = max(numbers, default=0)
    for number in (*range(highest + 1, HIGHEST + 1), *range(1, highest)):
        if number not in numbers:
            yield f"BF-{number}"


def clean(text: str) -> str:
    """The words of a line without the marks that make them bold or keep them from it."""
    plain = _ESCAPED.sub(lambda found: found[1], " ".join(text.replace("**", "").split()))
    return plain or "…"


def _merged(lines: list[Line]) -> list[Line]:
    """At most `MOST` lines beside marked ones: neighbours are joined, so nothing goes untracked."""
    bare = [line for line in lines if line.number is None]
    if len(bare) <= MOST:
        return lines
    size = min(LONGEST, -(-2 * sum(len(line.text) + 2 for line in bare) // (MOST - 1)))
    groups: list[list[Line]] = []
    room = 0
    for line in bare:
        room -= len(line.text) + 2
        if not groups or room < 0:
            groups.append([])
            room = size - len(line.text) - 2
        groups[-1].append(line)
    joined = [group[0]._replace(text="; ".join(line.text for line in group)) for group in groups]
    return [*(line for line in lines if line.number is not None), *joined]


def _numbered(lines: Sequence[Line]) -> tuple[BriefPoint, ...]:
    """Marked lines keep their number, the first of equals; the others get the next free ones."""
    after = max((line.number for line in lines if line.number is not None), default=0)
    taken: set[int] = set()
    points: list[BriefPoint] = []
    for line in lines:
        number = line.number
        if number is None or number in taken:
            after += 1
            number = after
        taken.add(number)
        under = clean(line.under) if line.under else ""
        points.append(BriefPoint(f"BF-{number}", clean(line.text), under))
    return tuple(points)
