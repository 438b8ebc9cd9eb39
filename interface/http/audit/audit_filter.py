"""The filters of the log: what a query may ask for, and nothing else.

Invariant: a type that no event has is refused, so that a misspelt filter is not an empty answer.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final, get_args

from litestar.di import NamedDependency
from litestar.params import QueryParameter

from application.audit.events import EventFilter, SearchTerm
from domain.events import FeatureEvent, tag_of
from interface.http.problems.table import Fault, refuse
from interface.http.requests.parameters import LogWords, Since, Until, read_time

TAGS: Final = frozenset(tag_of(kind) for kind in get_args(FeatureEvent))
MOST_WORDS: Final = 12
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
Problems = Annotated[bool, QueryParameter(description="Only events that tell of trouble.")]
Meanings = Annotated[
    list[str] | None,
    QueryParameter(
        name="means",
        max_items=MOST_WORDS,
        description="`word=value,value`: what a word of `q` stands for in the reader's own "
        "language, types and actors; give it repeatedly.",
    ),
]


async def wanted(
    types: Types = None,
    not_types: NotTypes = None,
    actor: Actor = None,
    since: Since = None,
    until: Until = None,
    problems: Problems = False,  # noqa: FBT002 - by its name, in a query.
    q: LogWords = None,
    means: Meanings = None,
) -> EventFilter:
    """Read the filters. Raises HttpProblem."""
    for name, given in (("type", types), ("not_type", not_types)):
        unknown = sorted(set(given or ()) - TAGS)
        if unknown:
            raise refuse("invalid_request", errors=(Fault(name, "No event has this type"),))
    if actor is not None and not ACTOR.fullmatch(actor):
        raise refuse("invalid_request", errors=(Fault("actor", "Expected `kind:name` or `kind`"),))
    return EventFilter(
        types=tuple(types or ()),
        not_types=tuple(not_types or ()),
        actor=actor,
        since=read_time("from", since),
        until=read_time("to", until),
        problems=problems,
        words=words_of(q or "", means or ()),
    )


def words_of(text: str, meanings: Iterable[str]) -> tuple[SearchTerm, ...]:
    """The words of a search with what they stand for. Raises HttpProblem."""
    words = tuple(dict.fromkeys(text.lower().split()))
    if len(words) > MOST_WORDS:
        raise refuse("invalid_request", errors=(Fault("q", f"At most {MOST_WORDS} words"),))
    known: dict[str, list[str]] = {}
    for meaning in meanings:
        word, _, values = meaning.rpartition("=")
        known[word.lower()] = values.split(",")
    given = [value for values in known.values() for value in values]
    if "" in known or not all(value in TAGS or ACTOR.fullmatch(value) for value in given):
        raise refuse("invalid_request", errors=(Fault("means", "Expected `word=value,…`"),))
    return tuple(
        SearchTerm(
            word,
            tuple(value for value in known.get(word, ()) if value in TAGS),
            tuple(value for value in known.get(word, ()) if value not in TAGS),
        )
        for word in words
    )


OfLog = NamedDependency[EventFilter]
"""What the query asks for."""
