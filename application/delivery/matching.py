"""Finds the lines that two texts share, in an amount of work that grows with the texts alone.

Patience diff matches lines that stand once on each side first, and then what lies between two of
them in the same way. A stretch without such a line is matched line by line as long as there is
work left for that (`CELLS_IN_ALL`), and counts as replaced otherwise. So the result is always
right and never takes long; `close` says whether it is as fine as it could be.

Invariant: matches increase on both sides, and every matched pair is equal.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

DEEPEST: Final = 12
"""Texts between lines between lines: each step goes over everything once."""
CELLS_AT_ONCE: Final = 20_000
"""Lines of the one side times lines of the other, of one stretch without a line to hold on to."""
CELLS_IN_ALL: Final = 200_000


class Stretch(NamedTuple):
    """Lines that are the same on both sides."""

    before: int
    """Where they begin in the first text, from 0."""
    after: int
    """Where they begin in the second."""
    size: int


class Matching(NamedTuple):
    """What two texts have in common."""

    stretches: Sequence[Stretch]
    """In order; none follows directly on another."""
    close: bool
    """Whether every stretch was looked at line by line."""


class _Region(NamedTuple):
    """Lines of both sides that lie between the same matches."""

    before: int
    before_end: int
    after: int
    after_end: int
    depth: int = 0


def matching(before: Sequence[str], after: Sequence[str]) -> Matching:
    """Match two texts, given line by line."""
    pairs: list[tuple[int, int]] = []
    left, close = CELLS_IN_ALL, True
    waiting = [_Region(0, len(before), 0, len(after))]
    while waiting:
        region = _trimmed(waiting.pop(), before, after, pairs)
        cells = (region.before_end - region.before) * (region.after_end - region.after)
        if not cells:
            continue
        anchors = list(_anchors(region, before, after))
        pairs += anchors
        if anchors and region.depth < DEEPEST:
            waiting += _between(region, anchors)
        elif not anchors and cells <= min(CELLS_AT_ONCE, left):
            left -= cells
            pairs += _closely(region, before, after)
        else:
            close = False
    return Matching(tuple(_stretches(sorted(pairs))), close)


def _trimmed(
    region: _Region, before: Sequence[str], after: Sequence[str], pairs: list[tuple[int, int]]
) -> _Region:
    """The region without what is the same at its beginning and its end, which is matched."""
    b, b_end, a, a_end, depth = region
    while b < b_end and a < a_end and before[b] == after[a]:
        pairs.append((b, a))
        b, a = b + 1, a + 1
    while b < b_end and a < a_end and before[b_end - 1] == after[a_end - 1]:
        b_end, a_end = b_end - 1, a_end - 1
        pairs.append((b_end, a_end))
    return _Region(b, b_end, a, a_end, depth)


def _anchors(
    region: _Region, before: Sequence[str], after: Sequence[str]
) -> Iterator[tuple[int, int]]:
    """The longest row of lines that stand once on each side, in the same order on both."""
    there = _once(before, region.before, region.before_end)
    here = _once(after, region.after, region.after_end)
    common = [(there[line], place) for line, place in here.items() if line in there]
    tops: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for number, (place, _) in enumerate(common):
        pile = bisect_left(tops, place)
        previous.append(ends[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(place)
            ends.append(number)
        else:
            tops[pile], ends[pile] = place, number
    row = []
    number = ends[-1] if ends else -1
    while number >= 0:
        row.append(common[number])
        number = previous[number]
    return reversed(row)


def _once(lines: Sequence[str], start: int, end: int) -> dict[str, int]:
    """The places of lines that stand once in a stretch, in order."""
    places: dict[str, int] = {}
    repeated: set[str] = set()
    for place in range(start, end):
        line = lines[place]
        if line in places:
            repeated.add(line)
        else:
            places[line] = place
    return {line: place for line, place in places.items() if line not in repeated}


def _between(region: _Region, anchors: Sequence[tuple[int, int]]) -> Iterator[_Region]:
    depth = region.depth + 1
    b, a = region.before, region.after
    for before, after in anchors:
        yield _Region(b, before, a, after, depth)
        b, a = before + 1, after + 1
    yield _Region(b, region.before_end, a, region.after_end, depth)


def _closely(
    region: _Region, before: Sequence[str], after: Sequence[str]
) -> Iterator[tuple[int, int]]:
    """The longest common row of lines of a small region, from the table of all of them."""
    rows = before[region.before : region.before_end]
    columns = after[region.after : region.after_end]
    longest = [[0] * (len(columns) + 1)]
    for row in reversed(rows):
        below = longest[-1]
        this = [0] * (len(columns) + 1)
        for place in range(len(columns) - 1, -1, -1):
            if row == columns[place]:
                this[place] = below[place + 1] + 1
            else:
                this[place] = max(below[place], this[place + 1])
        longest.append(this)
    longest.reverse()
    b = a = 0
    while b < len(rows) and a < len(columns):
        if rows[b] == columns[a]:
            yield region.before + b, region.after + a
            b, a = b + 1, a + 1
        elif longest[b + 1][a] >= longest[b][a + 1]:
            b += 1
        else:
            a += 1


def _stretches(pairs: Sequence[tuple[int, int]]) -> Iterator[Stretch]:
    start, size = (0, 0), 0
    for before, after in pairs:
        if (before, after) == (start[0] + size, start[1] + size):
            size += 1
            continue
        if size:
            yield Stretch(*start, size)
        start, size = (before, after), 1
    if size:
        yield Stretch(*start, size)
