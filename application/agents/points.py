"""The points of a brief, BF-1, BF-2, …, as every later document cites them.

Invariant: of a confirmed brief these are the points that its event records.
"""

from application.agents.first_points import first_points_of
from domain import events as e
from domain.reading import BriefPoint, Reading


def reading_in(event: e.FeatureEvent | None) -> Reading | None:
    """What was understood of the brief of an event; None if it confirms none."""
    if not isinstance(event, e.BriefConfirmed | e.BriefRevised):
        return None
    if event.reading is not None:
        return event.reading
    found = first_points_of(event.brief)
    return Reading(tuple(BriefPoint(point.id, point.text) for point in found))
