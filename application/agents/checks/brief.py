"""Checks of a proposed brief, and what code mends in it by itself.

Invariant: a brief that passes gives back its own ids when its Markdown is read again.
"""

from collections.abc import Collection

from msgspec.structs import replace

from application.agents.checks.naming import misnamed, repeated
from domain.documents import Brief


def brief_findings(brief: Brief) -> list[str]:
    """What is wrong with the ids of the brief's points."""
    ids = [point.id for point in brief.must_haves]
    return [*misnamed("Point", "BF", ids), *repeated("Point", ids), *_out_of_range(ids)]


def _out_of_range(ids: list[str]) -> list[str]:
    """Numbers that cannot be read back: above 999, zero, or with leading zeros."""
    numbers = [(ident, ident.partition("-")[2]) for ident in ids]
    return [
        f"Point {ident} must have a number from 1 to 999 without leading zeros."
        for ident, number in numbers
        if number.startswith("0") or len(number) > 3  # noqa: PLR2004 - three digits.
    ]


def with_real_sources(brief: Brief, messages: Collection[str]) -> Brief:
    """The brief without citations of messages that do not exist."""
    points = tuple(
        replace(point, sources=tuple(s for s in point.sources if s in messages))
        for point in brief.must_haves
    )
    return replace(brief, must_haves=points)
