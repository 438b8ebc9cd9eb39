"""Checks of a proposed brief, and what code mends in it by itself.

Invariant: a brief that passes gives back its own ids when its Markdown is read again.
"""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from application.agents.checks.naming import misnamed, repeated
from application.agents.markdown import inline
from application.agents.render import MUST
from domain.documents import Brief, Point
from domain.reading import BriefPoint, clean, free_ids


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


def with_steady_ids(brief: Brief, earlier: Sequence[BriefPoint]) -> Brief:
    """The brief, in which no id means something else than in the brief that it revises.

    A point with the words of an earlier one has that one's id. A point whose id stood for something
    else (the goal, a user, an assumption) gets a new one.
    """
    same = {point.text: point.id for point in reversed(earlier)}
    others = {point.id for point in earlier if point.under not in ("", MUST)}
    wanted = [same.get(clean(inline(point.text))) for point in brief.must_haves]
    free = free_ids({*(p.id for p in earlier), *(p.id for p in brief.must_haves)})
    given = {ident for ident in wanted if ident}
    claimed: set[str] = set()
    points: list[Point] = []
    for point, ident in zip(brief.must_haves, wanted, strict=True):
        if ident is None or ident in claimed:
            own = point.id not in given | others | claimed
            ident = point.id if own else next(free, point.id)  # noqa: PLW2901
        claimed.add(ident)
        points.append(replace(point, id=ident))
    return replace(brief, must_haves=tuple(points))


def with_real_sources(brief: Brief, messages: Collection[str]) -> Brief:
    """The brief without citations of messages that do not exist."""
    points = tuple(
        replace(point, sources=tuple(s for s in point.sources if s in messages))
        for point in brief.must_haves
    )
    return replace(brief, must_haves=points)
