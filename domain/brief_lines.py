"""A brief line by line: what is a heading, a member of a list, a row of a table, a sentence.

Invariant: every word of the text stands in exactly one line; only marks of layout are left out
(bullets, numbers that count a list's members, fences, tags). The work is in proportion to the text.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from domain.brief_html import without_tags
from domain.sentences import LONGEST, ends, has_word, pieces, sentences_of

WRAPPED_AT: Final = 50
"""Characters; narrower paragraphs are not text that was wrapped, but a line for each thought."""
LEAD_WORDS: Final = 8
NAME_WORDS: Final = 4
LONGEST_LEAD: Final = 80
"""Words and characters of what introduces a list at most: a longer line says something itself."""


class LineKind(StrEnum):
    """What a line is."""

    HEADING = "heading"
    """Also what introduces a list, and the head of a table."""
    ITEM = "item"
    """A member of a list, or a row of a table."""
    SENTENCE = "sentence"


class Line(NamedTuple):
    """A line of a brief."""

    kind: LineKind
    text: str
    under: str = ""
    """The heading or introduction it stands under."""
    number: int | None = None
    """Of a point that carries its id."""
    level: int = 0
    """Of a heading, 1 for the highest; 0 for what introduces a list."""


# Each pattern reads a line whose white space is single spaces already: none can take long.
_FENCE: Final = re.compile(r"^(?:`{3,}|~{3,}) ?(.*)$")
_QUOTED: Final = re.compile(r"^[> ]+")
_HEADING: Final = re.compile(r"^(#{1,6}) (.*)$")
_BOLD: Final = re.compile(r"^(?:\*\*([^*]+)\*\*|__([^_]+)__):?$")
_UNDERLINE: Final = re.compile(r"^(?:=+|-+)$")
_SEPARATOR: Final = re.compile(r"^[|:+ =-]+$")
_CELL: Final = re.compile(r"(?<!\\)\|")
_MARKED: Final = re.compile(
    r"^(?:(?:[-*+•]|\d{1,4}[.)]) )?\*{0,2}\[?BF-([1-9][0-9]{0,2})\]?\*{0,2}"
    r" ?[:.·\u2010-\u2015-]? ?\*{0,2} ?(\S.*)$"
)
_SIGNS: Final = (
    r"\u00b7\u2022\u2023\u2043\u204c\u204d\u2190-\u21ff\u2219\u2300-\u23ff\u2460-\u27bf"
    r"\u2900-\u297f\u2b00-\u2bff\u30fb\u3251-\u325f\u32b1-\u32bf\uf000-\uf0ff\uff65"
    r"\U0001f000-\U0001faff"
)
"""Bullets, arrows, ticks, boxes, circled numbers, emoji, and what Word makes of its own bullets."""
_ITEM: Final = re.compile(
    r"^(?:"
    r"[-*+\u2010-\u2015\u2212] "
    r"|[-*+\u2010-\u2015\u2212](?=[^\W\d_])"
    rf"|[{_SIGNS}][{_SIGNS}\ufe0f\u200d]{{0,11}} ?"
    r"|[#*0-9]\ufe0f?\u20e3 ?"
    r"|[^\W\d_][.)\uff09\uff0e] "
    r"|[ivxIVX]{1,5}[.)] "
    r"|[(\uff08](?:\d{1,3}|[^\W\d_]|[ivxIVX]{1,5})[)\uff09] ?"
    r"|[一二三四五六七八九十]{1,3}[、\uff0e.] ?"
    r"|(?P<number>\d{1,4})(?:[.)] |[.)](?=[^\W\d_])|[\uff0e\uff09、] ?)"
    r")(?P<box>\[[ xX]?\] )?(?P<text>.+)$"
)
_BOX: Final = re.compile(r"^\[[ xX]?\] (?P<text>.+)$")
_COLONS: Final = (":", "：")  # noqa: RUF001 - also the wide one of Chinese and Japanese.
_WISH: Final = re.compile(
    r"\w (?:can|must|should|shall|may|need to|needs to|have to|has to|wants to|want to)"
    r" (?:not )?(?!do\b|do:|be able|not\b|to\b)\w",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(r"(?:what|who|how|why|when|where|which|things)\b", re.IGNORECASE)
_UNSEEN: Final = str.maketrans(dict.fromkeys("\u200b\u2060\ufeff\u00ad"))


def lines_of(text: str) -> list[Line]:
    """A brief's lines, in its order."""
    return [
        line if piece is line.text else line._replace(text=piece, number=number)
        for line in _Reader(_rows_of(text)).read()
        for piece, number in _parts(line)
    ]


def _parts(line: Line) -> Iterator[tuple[str, int | None]]:
    """A line in pieces of at most `LONGEST`, of which the first keeps its number."""
    if len(line.text) <= LONGEST:
        return iter([(line.text, line.number)])
    found = list(pieces(line.text, LONGEST))
    return zip(found, [line.number, *[None] * len(found)], strict=False)


def _rows_of(text: str) -> list[str]:
    """Its lines as Markdown, whatever it was pasted from."""
    return without_tags(text).translate(_UNSEEN).splitlines()


class _Reader:
    """Goes through a brief from the top."""

    def __init__(self, rows: list[str]) -> None:
        self._raw = rows
        self._rows = [_row(row) for row in rows]
        self._following = _following(self._rows)
        self._heading = ""
        self._lead = ""
        """What introduced the list that is being read."""
        self._paragraph: list[str] = []
        self._item: list[str] = []
        self._item_number: int | None = None
        self._tabled = False
        """Whether the rows of a table are being read."""
        self._counted = -1
        """The number of the last counted member of a list."""

    def read(self) -> Iterator[Line]:
        """All of its lines."""
        for place, row in enumerate(self._rows):
            yield from self._take(place, row)
        yield from self._flush()

    def _take(self, place: int, row: str) -> Iterator[Line]:
        if (fence := _FENCE.match(row)) is not None:
            yield from self._flush()
            row = fence[1].strip("`~ ")
            if has_word(row) and " " not in row:  # The name of a language.
                yield Line(LineKind.HEADING, row)
                return
        below = self._rows[place + 1] if place + 1 < len(self._rows) else ""
        self._tabled = self._tabled and "|" in row
        if not row:
            yield from self._paused(self._following[place])
        elif (heading := _heading_of(row, below)) is not None:
            yield from self._flush()
            level, self._heading = heading
            self._counted, self._lead = -1, ""
            if has_word(self._heading):
                yield Line(LineKind.HEADING, self._heading, level=level)
        elif (marked := _MARKED.match(row)) is not None:
            yield from self._led()
            self._item, self._item_number = [marked[2]], int(marked[1])
        elif not has_word(row):
            yield from self._flush()
        elif (cells := _cells_of(row, self._raw[place], below, tabled=self._tabled)) is not None:
            yield from self._flush()
            yield self._cells(cells, below)
        elif (item := self._member(row)) is not None:
            yield from self._led()
            self._item = [item]
        elif self._item and self._goes_on(place, row):
            self._item.append(row)
        else:
            if self._item:
                yield from self._flush()
            self._paragraph.append(row)

    def _paused(self, following: str) -> Iterator[Line]:
        """At an empty line: what stands before a list may still introduce it."""
        listed = _ITEM.match(following) or _BOX.match(following) or _MARKED.match(following)
        if not (self._paragraph and listed):
            yield from self._flush()

    def _cells(self, cells: str, below: str) -> Line:
        if "|" in below and "-" in below and _SEPARATOR.match(below):
            self._lead, self._tabled = cells, True
            return Line(LineKind.HEADING, cells, self._heading)
        return Line(LineKind.ITEM, cells, self._lead or self._heading)

    def _member(self, row: str) -> str | None:
        """What a member of a list says, without the mark in front of it; None if it is none."""
        found = _BOX.match(row) or _ITEM.match(row)
        if found is None or not has_word(found["text"]):
            return None
        count = found.groupdict().get("number")
        if count is None:
            inner = _BOX.match(found["text"]) or _ITEM.match(found["text"])
            deeper = inner and not inner.groupdict().get("number") and has_word(inner["text"])
            return inner["text"] if inner and deeper else found["text"]
        number, before = int(count), self._counted
        self._counted = number
        # “24. December” counts nothing: the number belongs to what is said.
        return found["text"] if number in (0, 1, before, before + 1) else row

    def _goes_on(self, place: int, row: str) -> bool:
        """Whether a line goes on with the member above it."""
        if self._raw[place][:1].isspace():
            return True
        return row[:1].islower() and len(self._rows[place - 1]) >= WRAPPED_AT

    def _led(self) -> Iterator[Line]:
        """End what stands before a member of a list, for its last words may introduce the list."""
        before = self._item or self._paragraph
        last = before[-1] if self._paragraph else " ".join(before)
        alone = bool(self._paragraph) and len(before) == 1 and _names(last)
        if self._item_number is None and before and (_introduces(last) or alone):
            del before[-1 if self._paragraph else 0 :]
            yield from self._flush()
            self._lead = last
            yield Line(LineKind.HEADING, last, self._heading)
            return
        explains = bool(self._paragraph) and last.endswith(_COLONS)
        yield from self._flush()
        if explains:
            self._lead = last

    def _flush(self) -> Iterator[Line]:
        if self._item:
            text, number = " ".join(self._item), self._item_number
            self._item, self._item_number = [], None
            yield Line(LineKind.ITEM, text, self._lead or self._heading, number)
        if self._paragraph:
            paragraph, self._paragraph = self._paragraph, []
            self._lead, self._counted = "", -1
            for thought in _unwrapped(paragraph):
                for sentence in sentences_of(thought):
                    yield Line(LineKind.SENTENCE, sentence, self._heading)


def _row(raw: str) -> str:
    """A line with single spaces; Word's second kind of bullet is an “o” before a tab."""
    row = _QUOTED.sub("", " ".join(raw.split()))
    return f"• {row[2:]}" if row.startswith("o ") and raw.lstrip().startswith("o\t") else row


def _following(rows: list[str]) -> list[str]:
    """For each line, the next one that is not empty."""
    found, after = [""] * len(rows), ""
    for place in range(len(rows) - 1, -1, -1):
        found[place] = after
        after = rows[place] or after
    return found


def _heading_of(row: str, below: str) -> tuple[int, str] | None:
    """Level and words of a heading; None if it is none."""
    if (found := _HEADING.match(row)) is not None:
        return len(found[1]), found[2].rstrip("# ")
    if (bold := _BOLD.match(row)) is not None and not _MARKED.match(row):
        return 7, bold[1] or bold[2]
    underlined = below and _UNDERLINE.match(below) and has_word(row) and "|" not in row
    if underlined and not _ITEM.match(row) and not _MARKED.match(row) and not ends(row):
        return 1 if below[0] == "=" else 2, row
    return None


def _cells_of(row: str, raw: str, below: str, *, tabled: bool) -> str | None:
    """The cells of a table's row, one behind the other; None if it is none."""
    bounded = row.startswith("|") or (row.endswith("|") and not row.endswith("\\|"))
    if bounded or tabled or ("|" in row and "|" in below and _SEPARATOR.match(below)):
        cells = _CELL.split(row)
    elif (
        "\t" in (inside := raw.strip())
        and not row.startswith("•")
        and not _ITEM.match(f"{inside.split()[0]} x")
    ):
        cells = inside.split("\t")
    else:
        return None
    said = [" ".join(cell.split()) for cell in cells]
    return " · ".join(cell for cell in said if has_word(cell)) or None


def _introduces(text: str) -> bool:
    """Whether a line says no more than that a list follows."""
    short = len(text.split()) <= LEAD_WORDS and len(text) <= LONGEST_LEAD
    return short and text.endswith(_COLONS) and not wishes(text)


def wishes(text: str) -> bool:
    """Whether a heading says what somebody can do, rather than what follows."""
    return _WISH.search(text) is not None and _ASKS.match(text) is None


def _names(text: str) -> bool:
    """Whether a line is a heading in all but its marks."""
    short = len(text.split()) <= NAME_WORDS and len(text) <= LONGEST_LEAD // 2
    counts = any(sign.isdigit() for sign in text)
    return short and not counts and not ends(text) and not wishes(text)


def _unwrapped(paragraph: list[str]) -> Iterable[str]:
    """The thoughts of a paragraph: a line each, unless it is text that was wrapped."""
    width = max(map(len, paragraph))
    rest = paragraph[1:]
    wrapped = (
        width >= WRAPPED_AT
        and any(row[:1].islower() for row in rest)
        and all(
            len(row) + 1 + len(below.split(" ", 1)[0]) > width
            for row, below in zip(paragraph, rest, strict=False)
        )
    )
    return [" ".join(paragraph)] if wrapped else paragraph
