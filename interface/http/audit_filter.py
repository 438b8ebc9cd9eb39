"""The filters of the log: what a query may ask for, and nothing else.

Invariant: a type that no event has is refused, so that a misspelt filter is not an empty answer.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, get_args
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from application.audit import Wanted, tag_of
from domain.events import FeatureEvent
from interface.http.problems import Fault, refuse

TAGS: Final = frozenset(tag_of(kind) for kind in get_args(FeatureEvent))
ACTOR: Final = re.compile(r"[a-z]+(?::[\x21-\x7e]{1,100})?")


class Direction(StrEnum):
    """Which end of the log comes first."""

    ASC = "asc"
    DESC = "desc"


Order = Annotated[
    Direction, QueryParameter(description="`asc` is oldest first, `desc` newest first.")
]
Types = Annotated[
    list[str] | None,
    QueryParameter(name="type", max_items=100, description="Only these types; give it repeatedly."),
]
NotTypes = Annotated[
    list[str] | None,
    QueryParameter(
        name="not_type", max_items=100, description="None of these types; give it repeatedly."
    ),
]
Actor = Annotated[
    str | None,
    QueryParameter(
        max_length=120, description="Whoever caused it: `user:<id>`, `agent:spec`; or only `agent`."
    ),
]
Since = Annotated[
    datetime | None, QueryParameter(name="from", description="Recorded then or later.")
]
Until = Annotated[datetime | None, QueryParameter(name="to", description="Recorded before then.")]
Problems = Annotated[bool, QueryParameter(description="Only events that tell of trouble.")]
OfFeature = Annotated[UUID | None, QueryParameter(description="Only of this feature.")]
EventId = Annotated[UUID, PathParameter(description="The event's id.")]


async def wanted(
    types: Types = None,
    not_types: NotTypes = None,
    actor: Actor = None,
    since: Since = None,
    until: Until = None,
    problems: Problems = False,  # noqa: FBT002 - by its name, in a query.
) -> Wanted:
    """Read the filters. Raises HttpProblem."""
    for name, given in (("type", types), ("not_type", not_types)):
        unknown = sorted(set(given or ()) - TAGS)
        if unknown:
            raise refuse("invalid_request", errors=(Fault(name, "No event has this type"),))
    if actor is not None and not ACTOR.fullmatch(actor):
        raise refuse("invalid_request", errors=(Fault("actor", "Expected `kind:name` or `kind`"),))
    return Wanted(
        types=tuple(types or ()),
        not_types=tuple(not_types or ()),
        actor=actor,
        since=zoned(since),
        until=zoned(until),
        problems=problems,
    )


def zoned(time: datetime | None) -> datetime | None:
    """A time as given, in UTC where it names no zone."""
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


OfLog = NamedDependency[Wanted]
"""What the query asks for."""
