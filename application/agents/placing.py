"""Where a reviewer's quote stands in the files, however it was copied.

Invariant: a quote is placed only where enough of its text stands, its parts in order; what is
placed nowhere is shown with the nearest line, and is never taken for nothing. Time is in proportion
to the files and to the quotes.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from application.agents.named_files import NamedFiles
from application.agents.plain import plain

SHORTEST_QUOTE: Final = 4
"""Signs of the plain form: a bracket stands in every file, and is no evidence."""
SHORTEST_ELSEWHERE: Final = 12
"""Signs that must agree in another file than the one that is named, and of a part alone."""
MOST_PARTS: Final = 40
"""Lines and pieces of a quote that are looked at; a quote is at most a few lines."""
LONG_ENOUGH: Final = 24
"""Signs that are evidence by themselves, whatever stands around them in the quote."""
MOST_BEFORE: Final = 400
"""Places in front of the line claimed among which the nearest are looked for."""
MOST_MARKS: Final = 6
"""Signs in a line behind which a remark may begin."""
LONGEST_TEXT: Final = 2_000
"""Signs of whole lines that make a fingerprint."""
MOST_PLACES: Final = 8
"""Places of one piece that are looked at, the nearest first."""
WINDOW: Final = 4_000
"""Signs around a piece in which the short ones beside it are looked for."""
COMMONEST: Final = 200
"""Lines that may hold a word which helps to find the nearest line."""

_NUMBER: Final = re.compile(
    r"[\s`\"']{0,20}(?:[>*•]\s{1,4})?(?:l(?:ine)?\s{0,2})?\d{1,6}(?:-\d{1,6})?"
    r"(?:\s{0,4}(?:[:|│┃→\])]|\.(?=\s))\s?|\t|\s{2,8}|\s(?=\S))",
    re.IGNORECASE,
)
_MARK: Final = re.compile(r"[\s`\"']{0,20}(?:[+\-](?!-)|[>!|•*│┃](?=\s))\s?")
_GREP: Final = re.compile(r"[\s`\"']{0,20}[\w./@-]{1,240}(?=:\d)")
_FENCE: Final = re.compile(r"\s{0,20}(?:`{3,}|~{3,})(?:[a-z]{1,12}(?=\s|$))?")
_NOISE: Final = re.compile(
    r"\s{0,20}(?:@@|diff --git |index [0-9a-f]{4,}|\+\+\+ |--- |\\ No newline)"
)
_LEFT_OUT: Final = re.compile(
    r"(?:/\*|//|#|<!--|\[|\(|\{/\*)?[ \t]{0,8}(?:\.{3,}|…|⋯)[ \t]{0,8}(?:\*/\}?|-->|\]|\))?"
)
_BREAK: Final = re.compile(r"\r\n|[\n\r\v\f\u0085\u2028\u2029⏎↵¶]|(?:\\r)?\\n")
_REMARK: Final = re.compile(r"//|/\*|<!--|<-|←|⟵|⬅|\s#|\s--|\s[\u2013\u2014]\s|\s\(|\^{2,}")
_WORD: Final = re.compile(r"\w{2,60}")


class QuotePlace(NamedTuple):
    """Where a quote stands."""

    path: str
    line: int
    last_line: int
    text: str
    """The lines of the file, in their plain form."""
    share: int = 0
    """How many signs of the quote stand there."""


class _File:
    """A file in its plain form, and where each of its lines begins in it."""

    def __init__(self, content: str, *, comments: bool = True) -> None:
        self.lines = content.split("\n")
        parts: list[str] = []
        self._starts: list[int] = []
        self._numbers: list[int] = []
        length = 0
        for number, line in enumerate(self.lines, start=1):
            kept = line if comments else _without_comment(line)
            if part := plain(kept):
                parts.append(part)
                self._starts.append(length)
                self._numbers.append(number)
                length += len(part)
        self.text = "".join(parts)

    def line_at(self, place: int) -> int:
        """The number of the line at a place of the plain form."""
        return self._numbers[bisect_right(self._starts, place) - 1]

    def place_of(self, line: int) -> int:
        """Where in the plain form a line begins, or the next one that holds anything."""
        number = bisect_left(self._numbers, line)
        return self._starts[number] if number < len(self._starts) else len(self.text)

    def around(self, begin: int, end: int) -> str:
        """The plain form of the lines from one place to another; of very long ones what is there.

        So a quote of a part of a line has the fingerprint of the line.
        """
        first, last = self.place_of(self.line_at(begin)), self.place_of(self.line_at(end - 1) + 1)
        whole = last - first <= LONGEST_TEXT
        return self.text[first:last] if whole else self.text[begin:end]


class QuotePlaces:
    """Files in which quotes are looked for."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self.names = NamedFiles(files)
        self._read: dict[tuple[str, bool], _File] = {}
        self._words: dict[str, list[tuple[str, int]]] | None = None

    def place(self, path: str, line: int, quote: str) -> QuotePlace | None:
        """Where a quote stands: in the file that is named, else in another; None if nowhere."""
        named = self.names.of_path(path)
        tries = [alternatives(quote, cut=False)]
        if (shorter := alternatives(quote, cut=True)) != tries[0]:
            tries.append(shorter)
        for parts in tries if named else ():
            found = self._in(str(named), line, parts, comments=True)
            if found is None or found.share < sum(len(forms[-1]) for forms in parts):
                bare = self._in(str(named), line, parts, comments=False)
                found = max((found, bare), key=lambda one: one.share if one else 0)
            if found:
                return found
        if named and (found := self._mostly(named, tries[0])):
            return found
        for parts in tries:
            if _longest(parts) >= SHORTEST_ELSEWHERE:
                for other in sorted(self._files):
                    if other != named and (found := self._in(other, 1, parts, comments=True)):
                        return found
        return None

    def nearest(self, path: str, quote: str) -> str:
        """The line that has most in common with a quote, as `path:line: text`; empty if none."""
        if self._words is None:
            self._words = self._index()
        named = self.names.of_path(path)
        score: Counter[tuple[str, int]] = Counter()
        for word in sorted({found.casefold() for found in _WORD.findall(quote)}):
            where = self._words.get(word, ())
            if len(where) <= COMMONEST:
                for place in where:
                    score[place] += len(word) + (1 if place[0] == named else 0)
        if not score:
            return ""
        (near, number), _ = max(score.items(), key=lambda one: (one[1], one[0][0], -one[0][1]))
        line = self._file(near, comments=True).lines[number - 1]
        return f"{near}:{number}: {line.strip()[:300]}"

    def holds(self, text: str) -> QuotePlace | None:
        """Where a short piece of code, such as the beginning of a call, stands first."""
        wanted = plain(text)
        for path in sorted(self._files):
            file = self._file(path, comments=True)
            if len(wanted) >= SHORTEST_QUOTE and (at := file.text.find(wanted)) >= 0:
                number = file.line_at(at)
                return QuotePlace(path, number, number, file.around(at, at + len(wanted)))
        return None

    def _index(self) -> dict[str, list[tuple[str, int]]]:
        words: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for path in sorted(self._files):
            for number, line in enumerate(self._files[path].split("\n"), start=1):
                for word in {found.casefold() for found in _WORD.findall(line)}:
                    if len(words[word]) <= COMMONEST:
                        words[word].append((path, number))
        return words

    def _file(self, path: str, *, comments: bool) -> _File:
        if (path, comments) not in self._read:
            self._read[path, comments] = _File(self._files[path], comments=comments)
        return self._read[path, comments]

    def _in(
        self, path: str, line: int, parts: Sequence[Sequence[str]], *, comments: bool
    ) -> QuotePlace | None:
        """Where enough of the parts stands, nearest to the line claimed."""
        file = self._file(path, comments=comments)
        if not comments and file.text == self._file(path, comments=True).text:
            return None
        span = _span(file, parts, line)
        if span is None:
            return None
        found, begin, end = span
        first, last = file.line_at(begin), file.line_at(end - 1)
        return QuotePlace(path, first, last, file.around(begin, end), found)

    def _mostly(self, path: str, parts: Sequence[Sequence[str]]) -> QuotePlace | None:
        """Where the beginning or the end of a part stands, if that is most of it."""
        file = self._file(path, comments=True)
        for piece in (forms[0] for forms in parts):
            for held in (_beginning(file.text, piece), _ending(file.text, piece)):
                if len(held) >= LONG_ENOUGH and 2 * len(held) >= len(piece):
                    at = file.text.find(held)
                    number = file.line_at(at)
                    return QuotePlace(path, number, number, file.around(at, at + len(held)))
        return None


def _span(file: _File, parts: Sequence[Sequence[str]], line: int) -> tuple[int, int, int] | None:
    """How much of the parts stands in a file's plain form in order, its beginning and its end.

    Parts that stand nowhere are remarks: they may be as long as what is found, or longer if that is
    long by itself.
    """
    whole = sum(len(forms[0]) for forms in parts)
    parts = [[form for form in forms if form in file.text] for forms in parts]
    standing = [(len(forms[0]), number, forms[0]) for number, forms in enumerate(parts) if forms]
    if not standing:
        return None
    length, number, anchor = max(standing, key=lambda one: (one[0], -one[1]))
    if length < SHORTEST_QUOTE:
        return None
    best: tuple[int, int, int] | None = None
    for at in _nearest_places(file, anchor, line):
        begins, before = _backward(file.text, parts[:number], at)
        ends, after = _forward(file.text, parts[number + 1 :], at + length)
        found = before + length + after
        if best is None or found > best[0]:
            best = (found, begins, ends)
    if best is None or (2 * best[0] < whole and length < LONG_ENOUGH):
        return None
    return best


def _nearest_places(file: _File, text: str, line: int) -> Sequence[int]:
    """Where a text stands in a file, the places nearest to a line first."""
    claimed = file.place_of(line)
    behind = _standing(file.text, text, claimed, MOST_PLACES)
    places = [*_standing(file.text, text, 0, MOST_BEFORE), *behind]
    return sorted(set(places), key=lambda at: (abs(at - claimed), at))[:MOST_PLACES]


def _standing(whole: str, text: str, start: int, most: int) -> Iterator[int]:
    """Some places where a text stands, from one on."""
    at = whole.find(text, start)
    while at >= 0 and most > 0:
        yield at
        most -= 1
        at = whole.find(text, at + len(text))


def _forward(text: str, parts: Sequence[Sequence[str]], end: int) -> tuple[int, int]:
    """Where the parts behind a place end, and how much of them stands there."""
    found = 0
    for forms in parts:
        for form in forms:
            limit = len(text) if len(form) >= SHORTEST_ELSEWHERE else end + WINDOW
            if (at := text.find(form, end, limit)) >= 0:
                end = at + len(form)
                found += len(form)
                break
    return end, found


def _backward(text: str, parts: Sequence[Sequence[str]], begin: int) -> tuple[int, int]:
    """Where the parts in front of a place begin, and how much of them stands there."""
    found = 0
    for forms in reversed(parts):
        for form in forms:
            if (at := text.find(form, max(0, begin - WINDOW), begin)) >= 0:
                begin = at
                found += len(form)
                break
    return begin, found


def _beginning(text: str, piece: str) -> str:
    """The longest beginning of a piece that stands in a text."""
    few, many = 0, len(piece)
    while few < many:
        middle = (few + many + 1) // 2
        few, many = (middle, many) if piece[:middle] in text else (few, middle - 1)
    return piece[:few]


def _ending(text: str, piece: str) -> str:
    """The longest end of a piece that stands in a text."""
    few, many = 0, len(piece)
    while few < many:
        middle = (few + many + 1) // 2
        stands = piece[len(piece) - middle :] in text
        few, many = (middle, many) if stands else (few, middle - 1)
    return piece[len(piece) - few :]


def alternatives(quote: str, *, cut: bool) -> list[list[str]]:
    """The parts of a quote, each in the forms in which it may stand in a file, likeliest first.

    Args:
        quote: As it came.
        cut: Whether what may be the reviewer's own remark behind the code is left out.
    """
    kept = []
    # Numbers and marks in front may have come in wide letters, too.
    for line in _BREAK.split(unicodedata.normalize("NFKC", quote))[:MOST_PARTS]:
        if _NOISE.match(line):
            continue
        bare = _behind(_FENCE, line)
        pieces = [piece for piece in _LEFT_OUT.split(bare)[:MOST_PARTS] if piece.strip()]
        forms = (_forms(piece, begins=not number, cut=cut) for number, piece in enumerate(pieces))
        kept += [each for each in forms if each]
    return kept[:MOST_PARTS]


def _forms(piece: str, *, begins: bool, cut: bool) -> list[str]:
    bare = [piece]
    if begins:
        for text in (piece, _behind(_MARK, piece), _behind(_GREP, piece)):
            unnumbered = _behind(_NUMBER, text)
            unmarked = _behind(_MARK, unnumbered)
            bare += [unnumbered, unmarked, _behind(_NUMBER, unnumbered), text]
    if cut:
        marks = ((text, _REMARK.finditer(text)) for text in dict.fromkeys(bare))
        ends = [text[: mark.start()] for text, all_ in marks for mark in islice(all_, MOST_MARKS)]
        bare = [*ends, *bare]
    forms = dict.fromkeys(plain(text) for text in dict.fromkeys(bare))
    ended = [form.rstrip(".,;:") for form in forms]
    return [form for form in dict.fromkeys([*forms, *ended]) if form]


def _behind(pattern: re.Pattern[str], text: str) -> str:
    """What follows a decoration at the beginning of a text."""
    found = pattern.match(text)
    return text[found.end() :] if found else text


def _longest(parts: Sequence[Sequence[str]]) -> int:
    return max((len(forms[0]) for forms in parts), default=0)


def _without_comment(line: str) -> str:
    """A line of code without a comment that fills it or stands at its end."""
    bare = line.strip()
    if bare.startswith(("//", "#", "--", "/*", "*", "<!--")):
        return ""
    for mark in (" //", " /*", " -- ", " <!--"):
        bare = bare.partition(mark)[0]
    return bare
