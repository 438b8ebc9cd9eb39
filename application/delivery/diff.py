"""What changed between two texts, and between two sets of them, as unified diffs of bounded size.

Pure. Invariant: a change is always named, with the hashes of both sides, even where its diff is too
large to be shown; a diff that is not whole, or coarser than it could be, says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import Match, SequenceMatcher
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple

from msgspec import Struct

from application.delivery.matching import Matching, matching

CONTEXT_LINES: Final = 3
LARGEST_TEXT_BYTES: Final = 400_000
LARGEST_TEXT_LINES: Final = 10_000
LARGEST_DIFF_BYTES: Final = 100_000
LARGEST_ANSWER_BYTES: Final = 1_000_000
"""Of all diffs together; from there on changes are named only."""

CUT: Final = "\\ The diff goes on; it is cut off here because of its size.\n"
UNENDED: Final = "\\ No newline at end of file\n"


class Kind(StrEnum):
    """What happened to a text."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Shown(StrEnum):
    """How much of a diff is there."""

    WHOLE = "whole"
    CUT = "cut"
    """It ends where a line begins with a backslash and says so."""
    TOO_LARGE = "too_large"
    """The texts are too large to be compared line by line, or the answer is full."""
    NO_TEXT = "no_text"
    """One side is no text."""


class ComparedText(Struct, frozen=True):
    """One side of a comparison."""

    sha256: str
    body: bytes | None = None
    """Needed only where both sides have the name and their hashes differ, or one side has it."""


class ChangedText(Struct, frozen=True):
    """A text that is not the same on both sides."""

    name: str
    kind: Kind
    shown: Shown
    diff: str
    """Unified, from the first side to the second; empty if it is not shown."""
    from_sha256: str | None = None
    to_sha256: str | None = None
    coarse: bool = False
    """Whether parts with little in common are shown as replaced whole, to bound the work."""


class _Diff(NamedTuple):
    shown: Shown
    text: str = ""
    coarse: bool = False


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """The names whose hash is not the same on both sides, sorted."""
    names = before.keys() | after.keys()
    return tuple(sorted(name for name in names if before.get(name) != after.get(name)))


def changes(
    before: dict[str, ComparedText], after: dict[str, ComparedText]
) -> tuple[ChangedText, ...]:
    """Every difference between two sets of texts, by name.

    Args:
        before: The texts of the first side by name.
        after: Those of the second.
    """
    left = LARGEST_ANSWER_BYTES
    found = []
    for name in differing(_hashes(before), _hashes(after)):
        change = _change(name, before.get(name), after.get(name), left)
        left -= len(change.diff.encode())
        found.append(change)
    return tuple(found)


def _hashes(side: Mapping[str, ComparedText]) -> dict[str, str]:
    return {name: text.sha256 for name, text in side.items()}


def _change(
    name: str, before: ComparedText | None, after: ComparedText | None, left: int
) -> ChangedText:
    kind = Kind.ADDED if before is None else Kind.REMOVED if after is None else Kind.CHANGED
    diff = _diff(name, before, after, left)
    return ChangedText(
        name,
        kind,
        diff.shown,
        diff.text,
        before.sha256 if before else None,
        after.sha256 if after else None,
        diff.coarse,
    )


def _diff(name: str, before: ComparedText | None, after: ComparedText | None, left: int) -> _Diff:
    bodies = [(text.body or b"") if text else b"" for text in (before, after)]
    if left <= 0 or any(len(body) > LARGEST_TEXT_BYTES for body in bodies):
        return _Diff(Shown.TOO_LARGE)
    try:
        old, new = (lines_of(body.decode()) for body in bodies)
    except UnicodeDecodeError:
        return _Diff(Shown.NO_TEXT)
    if max(len(old), len(new)) > LARGEST_TEXT_LINES:
        return _Diff(Shown.TOO_LARGE)
    matched = matching(old, new)
    heads = [
        f"--- {f'a/{name}' if before else '/dev/null'}\n",
        f"+++ {f'b/{name}' if after else '/dev/null'}\n",
    ]
    lines = _ended(_hunks(old, new, matched))
    shown, text = _bounded([*heads], lines, min(left, LARGEST_DIFF_BYTES))
    return _Diff(shown, text, not matched.close)


class _Matched(SequenceMatcher[str]):
    """The standard library's hunks over our own matches, which it does not look for again."""

    def __init__(self, old: Sequence[str], new: Sequence[str], matched: Matching) -> None:
        super().__init__()
        self.a, self.b = old, new
        self.opcodes = None
        self.matching_blocks = [
            *(Match(*stretch) for stretch in matched.stretches),
            Match(len(old), len(new), 0),
        ]


def _hunks(old: Sequence[str], new: Sequence[str], matched: Matching) -> Iterator[str]:
    for hunk in _Matched(old, new, matched).get_grouped_opcodes(CONTEXT_LINES):
        first, last = hunk[0], hunk[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, old_start, old_end, new_start, new_end in hunk:
            if tag == "equal":
                yield from (f" {line}" for line in old[old_start:old_end])
            else:
                yield from (f"-{line}" for line in old[old_start:old_end])
                yield from (f"+{line}" for line in new[new_start:new_end])


def _range(start: int, end: int) -> str:
    """Lines from the first to the last as a hunk names them: the first from 1, and how many."""
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def lines_of(text: str) -> list[str]:
    """Lines by line feeds alone, as every patch program counts them."""
    *lines, rest = text.split("\n")
    return [f"{line}\n" for line in lines] + ([rest] if rest else [])


def _ended(lines: Iterator[str]) -> Iterator[str]:
    """Lines that end, with the usual mark below those that did not."""
    for line in lines:
        if line.endswith("\n"):
            yield line
        else:
            yield f"{line}\n"
            yield UNENDED


def _bounded(kept: list[str], lines: Iterator[str], bytes_at_most: int) -> tuple[Shown, str]:
    size = sum(len(line.encode()) for line in kept)
    for line in islice(lines, 4 * LARGEST_TEXT_LINES):
        size += len(line.encode())
        if size > bytes_at_most:
            return Shown.CUT, "".join([*kept, CUT])
        kept.append(line)
    return Shown.WHOLE, "".join(kept)
