"""The parameters that requests carry in path, query and headers, each of a kind of `incoming`.

Invariant: no handler takes a number, an id, a time, a text or a cursor but as a type of this
module, so that each has its bound here and nowhere else. The framework reads numbers and ids by
the same decoder as `incoming`; what it cannot read is read here, by `read`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from domain.commands import LARGEST_VERSION
from interface.http.problems.table import Fault, refuse
from interface.incoming import (
    ENTITY_TAG,
    LARGEST_LINE,
    LARGEST_POSITION,
    LONGEST_BRIEF,
    LONGEST_CURSOR,
    LONGEST_KEY,
    LONGEST_SEARCH,
    LONGEST_SENTENCE,
    LONGEST_TIME,
    MOST_ITEMS,
    NUMBER,
    POINT,
    REQUIREMENT,
    TEXT,
    TOKEN,
    Malformed,
    id_of,
    time_of,
)

T = TypeVar("T")


def _version(description: str, *, name: str | None = None) -> QueryParameter:
    return QueryParameter(name=name, ge=1, le=LARGEST_VERSION, description=description)


def _time(description: str, *, name: str | None = None) -> QueryParameter:
    """A time comes as text: its `+` may have been written as a blank."""
    return QueryParameter(
        name=name,
        max_length=LONGEST_TIME,
        description=description,
        schema_extra={"format": "date-time"},
    )


def _search(description: str) -> QueryParameter:
    return QueryParameter(
        name="q", max_length=LONGEST_SEARCH, pattern=TEXT, description=description
    )


FeatureId = Annotated[UUID, PathParameter(description="The feature's id.")]
EventId = Annotated[UUID, PathParameter(description="The event's id.")]
OfFeature = Annotated[UUID | None, QueryParameter(description="Only of this feature.")]
With = Annotated[
    UUID | None,
    QueryParameter(
        name="with", description="The feature that `to` is a version of, if it is another one."
    ),
]

MinVersion = Annotated[
    int | None, _version("Wait up to 2 s until the read model has this version.")
]
AsOfVersion = Annotated[
    int | None, _version("As it was at this version; not together with `at`.", name="version")
]
OfVersion = Annotated[int | None, _version("Only the event of this version.", name="version")]
Target = Annotated[int | None, _version("The checkpoint, for `replay`.", name="version")]
FromVersion = Annotated[int, _version("The version to begin with.", name="from")]
ToVersion = Annotated[int | None, _version("The version to end with; else the latest.", name="to")]

AfterVersion = Annotated[
    int | None,
    QueryParameter(
        name="after",
        ge=0,
        le=LARGEST_VERSION,
        description="Begin after this version; `Last-Event-ID` comes first.",
    ),
]
AfterPosition = Annotated[
    int | None,
    QueryParameter(
        name="after",
        ge=0,
        le=LARGEST_POSITION,
        description="Begin after this position; `Last-Event-ID` comes first.",
    ),
]

AsOfTime = Annotated[
    str | None, _time("As it was at this time (RFC 3339, with its offset).", name="at")
]
Since = Annotated[str | None, _time("Recorded then or later.", name="from")]
Until = Annotated[str | None, _time("Recorded before then.", name="to")]

Prices = Annotated[
    str | None,
    QueryParameter(
        max_length=LONGEST_SEARCH,
        pattern=TEXT,
        description="Version of a table of prices, one of `tables` in the answer: what recorded "
        "tokens would have cost under it. Without it and `as_model`, nothing is computed.",
    ),
]
AsModel = Annotated[
    str | None,
    QueryParameter(
        max_length=LONGEST_SEARCH,
        pattern=TEXT,
        description="A model at whose prices every recorded token is taken; without a known price, "
        "amounts are null and not 0. Under the table in force unless `prices` names another.",
    ),
]

TitleWords = Annotated[str | None, _search("Words of the title, in any case.")]
LogWords = Annotated[
    str | None,
    _search(
        "Words, each of which is found in the type, the actor, a code of what went "
        "wrong, the title that the feature has now, or at the start of the event's id, its "
        "feature's id or its hash. What people and agents wrote is sealed, and is not searched."
    ),
]

LineNumber = Annotated[
    int,
    QueryParameter(name="line", ge=1, le=LARGEST_LINE, description="The line of the file, from 1."),
]
OfPoint = Annotated[
    str | None,
    QueryParameter(name="point", pattern=POINT, description="A point of the brief, as `BF-1`."),
]
OfRequirement = Annotated[
    str | None,
    QueryParameter(
        name="requirement",
        pattern=REQUIREMENT,
        description="A requirement of the specification, as `FR-1`.",
    ),
]
OfMessage = Annotated[
    UUID | None, QueryParameter(name="message", description="A message of the person, by its id.")
]
OfSentence = Annotated[
    str | None,
    QueryParameter(
        name="sentence",
        min_length=1,
        max_length=LONGEST_SENTENCE,
        pattern=TEXT,
        description="Words of the brief or of a message, as they stand there.",
    ),
]

Length = Annotated[
    int,
    QueryParameter(
        ge=0, le=LONGEST_BRIEF, description="Characters of the brief, for `confirm` and `revise`."
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_ITEMS, description="How many items at most.")]
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before."),
]
Words = Annotated[
    bool,
    QueryParameter(
        description="Also what agents are doing right now, each with its `feature_id`, without an "
        "id of its own."
    ),
]

LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        description="The last `id` that was seen.",
        schema_extra={"pattern": NUMBER},
    ),
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description='Only if the feature is at this version: `"23"`; `*` is any.',
        schema_extra={"pattern": ENTITY_TAG},
    ),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description=f"1 to {LONGEST_KEY} visible ASCII characters. The same request again within "
        "24 hours gets the first answer, and nothing is done twice.",
        schema_extra={"pattern": TOKEN},
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match", description="Not if it still has one of these entity tags."
    ),
]
Range = Annotated[
    str | None,
    HeaderParameter(
        name="Range",
        description="Only these bytes, such as `bytes=1048576-`; several ranges at once are the "
        "whole.",
    ),
]
IfRange = Annotated[
    str | None,
    HeaderParameter(
        name="If-Range", description="Only these bytes if it still has this entity tag; else all."
    ),
]


async def ids(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse a path in which what stands for an id is none: it names nothing. Raises HttpProblem.

    As a guard, so that it comes before the body is looked at.
    """
    for name, value in connection.path_params.items():
        if name.endswith("_id"):
            try:
                id_of(value)
            except Malformed:
                raise refuse("not_found") from None


def read(name: str, given: str | None, decode: Callable[[str], T]) -> T | None:
    """What a parameter or header says; None if it is not there. Raises HttpProblem."""
    if given is None:
        return None
    try:
        return decode(given)
    except Malformed as malformed:
        raise refuse("invalid_request", errors=(Fault(name, str(malformed)),)) from None


def read_time(name: str, given: str | None, *, zoned: bool = False) -> datetime | None:
    """The same for a time."""
    return read(name, given, lambda text: time_of(text, zoned=zoned))
