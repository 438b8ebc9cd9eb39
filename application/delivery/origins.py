"""Who wrote each line of a file: the recording from which on it stands as it is.

Invariant: the ranges of a file cover each of its lines once, in order. A line whose earlier texts
cannot be read has no origin: nothing is guessed.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct

from application.delivery.diff import lines_of
from application.delivery.matching import matching
from application.delivery.writings import Writings


class LineRange(Struct, frozen=True):
    """Lines of a file, from 1, both ends included, that one recording wrote."""

    first: int
    last: int
    writing: int | None
    """The version of the recording; null: not known."""


def lines_in(body: bytes) -> list[str]:
    """A file's lines, whatever bytes they are; only a line feed ends one."""
    return lines_of(body.decode("utf-8", "surrogateescape"))


def origins_of(
    writings: Writings, version: int, path: str, bodies: Mapping[str, bytes]
) -> tuple[LineRange, ...]:
    """Who wrote the lines of a file as it stands at a recording; none of an empty file.

    Args:
        writings: All recordings up to that one.
        version: Of the recording.
        path: The file.
        bodies: Texts by their hash, those of `Writings.wanted` as far as they could be read.
    """
    found: list[int | None] | None = None
    before: list[str] | None = None
    for place, writing in enumerate(reversed(list(writings.chain(version, path)))):
        body = _body(writings, writing.files[path], bodies)
        now = None if body is None else lines_in(body)
        if now is None:
            found = None
        elif before is None:
            found = [writing.version if place == 0 else None] * len(now)
        else:
            found = _inherited(found or [], before, now, writing.version)
        before = now
    return tuple(_ranges(found or []))


def _body(writings: Writings, sha256: str, bodies: Mapping[str, bytes]) -> bytes | None:
    text = writings.texts.get(sha256)
    return bodies.get(sha256) if text is None else text.encode()


def _inherited(
    found: Sequence[int | None], before: Sequence[str], now: Sequence[str], version: int
) -> list[int | None]:
    """The origins of lines: those that stayed keep theirs, the others are this recording's."""
    origins: list[int | None] = [version] * len(now)
    for stretch in matching(before, now).stretches:
        kept = found[stretch.before : stretch.before + stretch.size]
        origins[stretch.after : stretch.after + stretch.size] = kept
    return origins


def _ranges(origins: Sequence[int | None]) -> Iterator[LineRange]:
    first = 1
    for writing, group in groupby(origins):
        size = sum(1 for _ in group)
        yield LineRange(first, first + size - 1, writing)
        first += size
