"""The shapes between the library and our schema: an event in its envelope, and its stored form."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, SafeUUID

from eventsourcing.persistence import StoredEvent
from msgspec import Struct

from application.ports import Effects, Metadata
from domain.errors import NotFound
from domain.events import FeatureEvent
from domain.recorded import Recorded
from infrastructure.sealing import DataKey


class KeyDestroyed(NotFound):
    """The feature was deleted: what was sealed under its data key is gone for ever."""


class StreamId(UUID):
    """A feature's id that knows its tenant: the library's calls have no other place for it."""

    __slots__ = ("tenant_id",)

    tenant_id: UUID

    def __init__(self, tenant_id: UUID, feature_id: UUID) -> None:
        object.__setattr__(self, "int", feature_id.int)
        object.__setattr__(self, "is_safe", SafeUUID.unknown)
        object.__setattr__(self, "tenant_id", tenant_id)


class Item(Struct, frozen=True):
    """One append of a batch: where, how many of the batch's events, and what goes with them."""

    stream: StreamId
    expected: int
    count: int
    origin: Metadata
    effects: Effects
    key: DataKey | None
    """What the events are sealed under, if any is."""
    wrapped: bytes | None
    """The key, wrapped, if it is to be stored with the stream's first event."""
    head: bytes | None = None
    """Hash of the event at `expected`, as far as it is known."""


class StoredStamp(NamedTuple):
    """What the database adds to an event."""

    position: int
    version: int
    event_id: UUID
    recorded_at: datetime
    previous_hash: bytes
    hash: bytes


class AppendOutcome(NamedTuple):
    """What became of one item."""

    word: str
    """`appended`, `stored`, `conflict`, `groundless`, `lease`, `receipt`, or `error`."""
    written: tuple[StoredStamp, ...] = ()
    error: Exception | None = None


class Envelope(Struct, frozen=True):
    """What the library calls a domain event: ours, with its place in the stream."""

    originator_id: StreamId
    originator_version: int
    event_id: UUID
    event: FeatureEvent
    key: DataKey | None = None
    """To seal with; only on the way in."""
    recorded: Recorded | None = None
    """All that is stored; only on the way out."""


class Recording(NamedTuple):
    """What stands beside a stored event."""

    position: int
    key_alive: bool
    """Whether the stream's data key still exists."""
    correlation_id: UUID
    causation_id: UUID | None
    actor: str
    recorded_at: datetime
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFeatureEvent(StoredEvent):
    """The library's stored event (`topic` is our tag, `state` the clear part) with our columns."""

    event_id: UUID
    schema_version: int
    sealed: bytes | None = None
    key_id: UUID | None = None
    meta: Recording | None = None
    """What the database added; only on the way out."""
