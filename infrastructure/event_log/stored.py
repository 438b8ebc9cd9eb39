"""The shapes between the library and our schema: an event in its envelope, and its stored form."""

from collections.abc import Sequence
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


class Append(Struct, frozen=True):
    """One append, from the use case to the statement that carries it out."""

    feature_id: UUID
    events: Sequence[tuple[UUID, FeatureEvent]]
    """Each under an id that the caller chose, so that asking again is no second append."""
    expected: int
    """The stream's version before it."""
    origin: Metadata
    effects: Effects
    head: bytes | None = None
    """Hash of the event at `expected`, as far as it is known."""
    key: DataKey | None = None
    """What the events are sealed under, if any is; found out when the batch is made."""
    wrapped: bytes | None = None
    """The key, wrapped, if it is to be stored with the stream's first event."""

    @property
    def stream(self) -> StreamId:
        """The feature's stream, with its tenant."""
        return StreamId(self.origin.tenant_id, self.feature_id)


class StoredStamp(NamedTuple):
    """What the database adds to an event."""

    position: int
    version: int
    event_id: UUID
    recorded_at: datetime
    previous_hash: bytes
    hash: bytes


class AppendOutcome(NamedTuple):
    """What became of one append."""

    word: str
    """`appended`, `stored`, `conflict`, `groundless`, `lease`, `receipt`, or `error`."""
    written: tuple[StoredStamp, ...] = ()
    error: Exception | None = None


class Leases(Struct):
    """Leases that are to be given in the transaction of a batch, of tasks that it makes."""

    owner: str
    """The worker."""
    seconds: float
    per_tenant: int
    """Tasks of one tenant that run at once, at most."""
    wanted: tuple[UUID, ...]
    given: dict[UUID, int]
    """Filled in: the fencing token of each task that was leased."""


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
