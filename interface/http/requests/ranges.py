"""Which bytes of a file are asked for (RFC 9110, sections 13.1 and 14).

Invariant: a header that is no range of bytes, or several at once, is as if it were not there; a
range of other bytes than the client has the beginning of is never sent.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Final, NamedTuple

from application.delivery.parcel import Parcel
from application.running.recent import Recent
from interface.http.problems.table import HttpProblem, problem

REMEMBERED_LENGTHS: Final = 4_096
"""Of parcels by their names; each is a hundred bytes."""

_ONE_RANGE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)
_TAGS: Final = re.compile(r'(?:W/)?"[^"]*"')


class ByteSpan(NamedTuple):
    """Bytes from the first to the last, both included; none if the first comes after the last."""

    first: int
    last: int


def span_of(given: str, length: int) -> ByteSpan | None:
    """The bytes that `Range` asks for of so many; None if it asks for no one range of bytes."""
    found = _ONE_RANGE.fullmatch(given.strip())
    if found is None:
        return None
    first, last = found[1], found[2]
    if not first and not last:
        return None
    if not first:  # The last so many.
        return (
            ByteSpan(max(0, length - int(last)), length - 1) if int(last) else ByteSpan(length, 0)
        )
    if last and int(last) < int(first):
        return None
    return ByteSpan(int(first), min(int(last), length - 1) if last else length - 1)


def names(given: str, etag: str) -> bool:
    """Whether `If-None-Match` names this entity tag."""
    tags = [tag.removeprefix("W/") for tag in _TAGS.findall(given)]
    return given.strip() == "*" or etag in tags


class Lengths:
    """How many bytes parcels have that were made whole: only that tells of a zip."""

    def __init__(self) -> None:
        self._known: Recent[str, int] = Recent(REMEMBERED_LENGTHS)

    def find(self, parcel: Parcel) -> int | None:
        """The length, if the parcel was made lately."""
        return self._known.find(parcel.name)

    async def measure(self, parcel: Parcel) -> int:
        """The length; the parcel is made for it where it is not known."""
        known = self._known.find(parcel.name)
        if known is not None:
            return known
        length = 0
        async with aclosing(self.noting(parcel)) as chunks:
            async for chunk in chunks:
                length += len(chunk)
        return length

    async def noting(self, parcel: Parcel) -> AsyncGenerator[bytes, None]:
        """All chunks; the length is known after the last."""
        length = 0
        async with aclosing(parcel.chunks()) as chunks:
            async for chunk in chunks:
                length += len(chunk)
                yield chunk
        self._known.keep(parcel.name, length)


class Sending(NamedTuple):
    """What a request for a parcel comes to."""

    status: int
    headers: Mapping[str, str]
    span: ByteSpan | None = None
    """The bytes to send, where it is not all of them."""
    bare: bool = False
    """Whether only the head is sent."""


class RangeRequest(NamedTuple):
    """What the headers of a request ask for."""

    head_only: bool
    unless: str | None
    """`If-None-Match`."""
    range: str | None
    if_still: str | None
    """`If-Range`."""

    async def settle(self, parcel: Parcel, lengths: Lengths) -> Sending:
        """What to answer with. Makes the parcel once where only that tells its length.

        Raises:
            HttpProblem: none of the bytes that are asked for is there.
        """
        etag = f'"{parcel.name}"'
        headers = {"ETag": etag, "Accept-Ranges": "bytes"}
        if self.unless is not None and names(self.unless, etag):
            return Sending(304, headers, bare=True)
        if self.head_only:
            length = await lengths.measure(parcel)
            return Sending(200, {**headers, "Content-Length": str(length)}, bare=True)
        if self.range and self.if_still in (None, etag) and span_of(self.range, 1):
            length = await lengths.measure(parcel)
            span = span_of(self.range, length)
            if span is None or span.first > span.last:
                outside = {"Content-Range": f"bytes */{length}"}
                raise HttpProblem(problem("range_not_satisfiable"), headers=outside)
            part = {
                "Content-Range": f"bytes {span.first}-{span.last}/{length}",
                "Content-Length": str(span.last - span.first + 1),
            }
            return Sending(206, {**headers, **part}, span)
        known = lengths.find(parcel)
        return Sending(200, headers if known is None else {**headers, "Content-Length": str(known)})


async def within(chunks: AsyncIterator[bytes], span: ByteSpan | None) -> AsyncIterator[bytes]:
    """What of these bytes is inside a span."""
    at = 0
    async for chunk in chunks:
        begin, at = at, at + len(chunk)
        if span is None:
            yield chunk
        elif at > span.first:
            yield chunk[max(0, span.first - begin) : span.last + 1 - begin]
            if at > span.last:
                return
