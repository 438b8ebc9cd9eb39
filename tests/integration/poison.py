"""Features that this version cannot read, each by one thing that is wrong with it.

Invariant: each way touches its own feature alone; what is true of the others must stay true.
"""

from collections.abc import Awaitable, Callable
from functools import reduce
from operator import or_
from typing import Any, ClassVar, Final, get_args
from uuid import UUID

from uuid_utils.compat import uuid7

from application.ports import Metadata, Why
from domain import events as e
from infrastructure.event_log import PostgresEventLog, Registry
from infrastructure.sealing import DataKey, MasterKey
from tests.given import drafted
from tests.integration.reading import USER, World, ring


class Paused(e.Event, frozen=True, tag="feature_paused"):
    """A tag that is not known."""

    personal: ClassVar[frozenset[str]] = frozenset({"reason"})
    reason: str


class Odd(e.Event, frozen=True, tag="Feature.Paused > *"):
    """A tag that none of this version could be."""


class RenamedAnew(e.Event, frozen=True, tag="feature_renamed"):
    """A shape that is not known."""

    personal: ClassVar[frozenset[str]] = frozenset({"title"})
    schema_version: ClassVar[int] = 2
    title: dict[str, str]


class ApprovedBy(e.Event, frozen=True, tag="spec_approved"):
    """A field that is not known, and a value of one that is."""

    content_sha256: str
    recommendation: str | None
    override: bool
    second_pair_of_eyes: str = ""


class Resumed(e.Event, frozen=True, tag="feature_retried"):
    """Steps that are not known."""

    to_version: int
    epoch: int
    restored: dict[str, str]
    resume: tuple[str, ...]


LATER_KINDS: Final = (Paused, Odd, RenamedAnew, ApprovedBy, Resumed)
_TAGS: Final = {str(kind.__struct_config__.tag) for kind in LATER_KINDS}
LATER: Final = Registry(
    reduce(
        or_,
        (
            *LATER_KINDS,
            *(k for k in get_args(e.FeatureEvent) if k.__struct_config__.tag not in _TAGS),
        ),
    ),
)
"""The events of a later version."""

SHA: Final = "a" * 64
Spoil = Callable[[World, UUID], Awaitable[None]]


def _later(*events: Any) -> Spoil:
    async def spoil(there: World, feature_id: UUID) -> None:
        async with PostgresEventLog(there.url, "bp_api", ring(), registry=LATER) as log:
            named = [(uuid7(), event) for event in events]
            origin = Metadata(there.tenant, USER, uuid7())
            await log.append(feature_id, named, expected=1, origin=origin)

    return spoil


def _changed(query: str, *values: object) -> Spoil:
    async def spoil(there: World, feature_id: UUID) -> None:
        there.sql("alter table es.events disable trigger append_only")
        there.sql(query, *values, feature_id)
        there.sql("alter table es.events enable always trigger append_only")

    return spoil


async def _locked(there: World, feature_id: UUID) -> None:
    stranger = MasterKey([bytes(range(1, 33))])
    (key_id,) = there.sql("select key_id from app.data_keys where scope = %s", str(feature_id))[0]
    wrapped = DataKey.generate(key_id, there.tenant, feature_id).wrap(stranger)
    there.sql("update app.data_keys set wrapped = %s where key_id = %s", wrapped, key_id)


POISONS: Final[dict[str, tuple[Spoil, Why]]] = {
    "tag": (_later(Paused("lunch")), Why.NEWER),
    "odd tag": (_later(Odd()), Why.NEWER),
    "schema version": (_later(RenamedAnew({"en": "A"})), Why.NEWER),
    "field": (_later(ApprovedBy(SHA, None, override=False, second_pair_of_eyes="x")), Why.NEWER),
    "value": (_later(ApprovedBy(SHA, "MAYBE", override=False)), Why.NEWER),
    "step": (_later(Resumed(1, 1, {"status": "drafting"}, ("dance",))), Why.NEWER),
    "many": (_later(Paused("a"), e.MessagePosted(uuid7(), "b"), Odd()), Why.NEWER),
    "payload": (
        _changed(r"update es.events set payload = '\x00ff7b' where stream_id = %s"),
        Why.DAMAGED,
    ),
    "nested": (
        _changed(
            "update es.events set payload = convert_to(repeat('[', 50000), 'UTF8')"
            " where stream_id = %s"
        ),
        Why.DAMAGED,
    ),
    "sealed": (
        _changed(
            "update es.events set sealed = set_byte(sealed, length(sealed) - 1,"
            " get_byte(sealed, length(sealed) - 1) # 1) where stream_id = %s"
        ),
        Why.DAMAGED,
    ),
    "data key": (
        _changed(r"update app.data_keys set wrapped = '\x00' where scope = %s::text"),
        Why.DAMAGED,
    ),
    "master key": (_locked, Why.LOCKED),
}
"""What makes a feature unreadable, and why it then is."""


async def poisoned(there: World) -> tuple[dict[str, UUID], list[UUID]]:
    """A feature with each poison, by its name, and a good one before and behind each."""
    bad: dict[str, UUID] = {}
    good = [await there.tell(drafted("Good"))]
    for name, (spoil, _) in POISONS.items():
        bad[name] = await there.tell(drafted(f"Bad: {name}"))
        await spoil(there, bad[name])
        good.append(await there.tell(drafted("Good")))
    return bad, good
