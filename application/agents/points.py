"""The points of a brief, BF-1, BF-2, …, as every later document cites them.

Invariant: of a confirmed brief these are the points that its event records; a text that nobody has
confirmed is read as it would be now.
"""

from functools import lru_cache

from application.agents.first_points import first_points_of
from domain import events as e
from domain.documents import Point
from domain.reading import MOST, REMEMBERED, BriefPoint, Reading, reading_of

__all__ = ["MOST", "points_of", "reading_in"]


@lru_cache(maxsize=REMEMBERED)
def points_of(markdown: str) -> tuple[Point, ...]:
    """The points of a text, in its order; at least one for any text with a word in it."""
    return tuple(Point(point.id, point.text) for point in reading_of(markdown).points)


def reading_in(event: e.FeatureEvent | None) -> Reading | None:
    """What was understood of the brief of an event; None if it confirms none."""
    if not isinstance(event, e.BriefConfirmed | e.BriefRevised):
        return None
    if event.reading is not None:
        return event.reading
    found = first_points_of(event.brief)
    return Reading(tuple(BriefPoint(point.id, point.text) for point in found))
