"""What comes from outside, by kind: one bound and one decoder for each, for HTTP and commands.

Numbers are ASCII digits, ids are UUIDs in hex with hyphens or without, in either case, times are
RFC 3339: what msgspec takes of a text, here as in a body. Invariant: whatever the characters and
however many, a decoder gives a value inside its kind's bounds, which every store and every index
can hold, or it raises `Malformed`.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from domain.commands import LARGEST_VERSION
from projections.store import MOST

LARGEST_POSITION: Final = 2**53 - 1
"""In the log: what a JSON number carries exactly, for every reader."""
LONGEST_BRIEF: Final = 40_000
"""Characters; as `domain.commands.BriefText` has it."""
LONGEST_SENTENCE: Final = 2_000
LARGEST_LINE: Final = 10_000_000
POINT: Final = r"^BF-[0-9]{1,4}$"
REQUIREMENT: Final = r"^[A-Z]{1,3}-[0-9]{1,4}$"
LONGEST_SEARCH: Final = 200
"""Characters of a search."""
LONGEST_CURSOR: Final = 2_048
"""Characters; the longest are those of a list of files, which name a path."""
LONGEST_KEY: Final = 255
"""Characters of an idempotency key."""
LONGEST_TIME: Final = 64
"""Characters of a time."""
MOST_ITEMS: Final = MOST
"""Of one page of a list."""

Version = Annotated[int, Meta(ge=1, le=LARGEST_VERSION)]
SeenVersion = Annotated[int, Meta(ge=0, le=LARGEST_VERSION)]
"""The last version that a reader has seen; 0 is none."""
SeenPosition = Annotated[int, Meta(ge=0, le=LARGEST_POSITION)]

TEXT: Final = r"^[^\x00-\x08\x0E-\x1F\x7F]*$"
"""What is searched for or quoted: white space, and no other control character.

As a pattern that Python and JSON Schema (ECMA 262) both read.
"""
TOKEN: Final = f"^[!-~]{{1,{LONGEST_KEY}}}$"
NUMBER: Final = "^(0|[1-9][0-9]{0,15})$"
ENTITY_TAG: Final = r'^(\*|(W/)?"[1-9][0-9]{0,9}")$'

_BLANK_FOR_PLUS: Final = re.compile(r"(?<=[0-9]) ([0-9]{2}:[0-9]{2})$")
"""A query writes a blank as `+`, so that `+00:00` comes in as one."""
_NUMBER: Final = re.compile(r"-?[0-9]+", re.ASCII)
_ENTITY_TAG: Final = re.compile(ENTITY_TAG)
_TOKEN: Final = re.compile(TOKEN)


class Malformed(ValueError):
    """What came in is not of the kind that belongs there; the message says what does."""


def number_of(text: str, kind: object) -> int:
    """A whole number of a kind above, from its digits. Raises Malformed."""
    try:
        # Digits alone: what else a float may look like is no number of anything that is counted.
        found: int = msgspec.convert(text if _NUMBER.fullmatch(text) else "", kind, strict=False)
    except msgspec.ValidationError as error:
        told = str(error) if str(error).startswith("Expected `int` ") else "Expected a whole number"
        raise Malformed(told) from None
    return found


def id_of(text: str) -> UUID:
    """An id. Raises Malformed."""
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        raise Malformed("Expected an id, such as 01890000-0000-7000-8000-000000000001") from None


def time_of(text: str, *, zoned: bool = False) -> datetime:
    """A time in UTC; without an offset it is one, or with `zoned` it is refused. Raises Malformed.

    An offset's `+` may have come in as a blank.
    """
    try:
        time = msgspec.convert(_BLANK_FOR_PLUS.sub(r"+\1", text), datetime)
        if time.tzinfo is None and zoned:
            raise Malformed("Give the time with its offset, such as 2026-11-28T09:00:00Z")
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise Malformed(
            "Expected a time as RFC 3339 has it, such as 2026-11-28T09:00:00Z"
        ) from None


def version_of_tag(text: str) -> int | None:
    """The version that an entity tag of ours names; None for `*`, any version. Raises Malformed."""
    if not _ENTITY_TAG.fullmatch(text.strip()):
        raise Malformed('Expected one version in quotes, such as "23"')
    tag = text.strip().removeprefix("W/").strip('"')
    return None if tag == "*" else number_of(tag, Version)


def key_of(text: str) -> str:
    """An idempotency key. Raises Malformed."""
    if not _TOKEN.fullmatch(text):
        raise Malformed(f"Expected 1 to {LONGEST_KEY} visible ASCII characters")
    return text
