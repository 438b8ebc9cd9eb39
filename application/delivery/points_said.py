"""The points of a brief with the messages that they come from.

Invariant: a point's messages are those that the proposed brief cited for the very words of the
point; a point that a person wrote into the brief has none, and stands in the brief alone.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from application.agents.markdown import inline
from application.agents.points import reading_in
from domain import events as e
from domain.reading import clean
from domain.recorded import Recorded

LONGEST_SHOWN: Final = 2_000
"""Characters of a message that are told; the conversation holds it whole."""


class SaidMessage(Struct, frozen=True):
    """A message of a person."""

    id: str
    version: int
    text: str
    """Its beginning, at most `LONGEST_SHOWN` characters."""


class SaidPoint(Struct, frozen=True):
    """A point of the confirmed brief."""

    id: str
    text: str
    brief: int
    """The version that confirmed it."""
    messages: tuple[SaidMessage, ...]
    """None: no message is known to have asked for it."""


def points_said(events: Sequence[Recorded], brief: int) -> tuple[SaidPoint, ...]:
    """The points of the brief that was confirmed at a version."""
    told = {one.version: e.told(one.event) for one in events if one.version <= brief}
    reading = reading_in(told.get(brief))
    if reading is None:
        return ()
    messages = {
        str(event.message_id): SaidMessage(
            str(event.message_id), version, event.text[:LONGEST_SHOWN]
        )
        for version, event in told.items()
        if isinstance(event, e.MessagePosted)
    }
    cited: dict[str, tuple[str, ...]] = {}
    for text, sources in _proposed(list(told.values())):
        cited.setdefault(text, sources)
    return tuple(
        SaidPoint(
            point.id,
            point.text,
            brief,
            tuple(messages[one] for one in cited.get(point.text, ()) if one in messages),
        )
        for point in reading.points
    )


def _proposed(told: Sequence[e.FeatureEvent]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The points of proposed briefs, the last first, in the words that a reading has of them."""
    for event in reversed(told):
        if isinstance(event, e.AgentReplied) and event.brief is not None:
            for point in event.brief.must_haves:
                yield clean(inline(point.text)), point.sources
