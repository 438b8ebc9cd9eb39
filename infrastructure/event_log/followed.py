"""What a follower of the log gets: headers, opened events, and what cannot be opened.

Invariant: every stored event is one of these; none is left out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from domain.recorded import Recorded
from infrastructure.event_log.chain import StoredRow
from infrastructure.event_log.stored import Recording, StoredFeatureEvent, StreamId


class StoredHeader(Struct, frozen=True):
    """What may be known of an event without opening it."""

    position: int
    tenant_id: UUID
    feature_id: UUID
    version: int
    event_id: UUID
    type: str
    schema_version: int
    correlation_id: UUID
    causation_id: UUID | None
    actor: str
    recorded_at: datetime
    resume: tuple[str, ...] = ()
    """For `feature_retried`, `feature_replayed`, `feature_forked` and `work_resumed`: which steps
    run again.

    As they stand there: a later version may name steps that are not known here.
    """


class SealedEvent(Struct, frozen=True):
    """An event of a deleted feature: its content is gone for ever."""

    header: StoredHeader


class UnreadableEvent(Struct, frozen=True):
    """An event that this program cannot read: of a later version, or damaged."""

    header: StoredHeader
    error: Exception
    """What is wrong with it, as `Unreadable` says it."""


class HeaderPage(NamedTuple):
    """A stretch of the log."""

    entries: Sequence[Recorded | SealedEvent | UnreadableEvent]
    upto: int
    """The position that is read when these are: holes behind the last event are crossed."""


def header_of(row: StoredRow) -> StoredHeader:
    """A stored event's header, without the steps that resume."""
    return StoredHeader(
        position=row.position,
        tenant_id=row.tenant_id,
        feature_id=row.feature_id,
        version=row.version,
        event_id=row.event_id,
        type=row.type,
        schema_version=row.schema_version,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        actor=row.actor,
        recorded_at=row.recorded_at,
    )


def stored_of(row: StoredRow) -> StoredFeatureEvent:
    """A stored event as the mapper reads it."""
    return StoredFeatureEvent(
        originator_id=StreamId(row.tenant_id, row.feature_id),
        originator_version=row.version,
        topic=row.type,
        state=row.payload,
        event_id=row.event_id,
        schema_version=row.schema_version,
        sealed=row.sealed,
        key_id=row.key_id,
        meta=Recording(
            position=row.position,
            key_alive=True,
            correlation_id=row.correlation_id,
            causation_id=row.causation_id,
            actor=row.actor,
            recorded_at=row.recorded_at,
            previous_hash=row.previous_hash,
            hash=row.hash,
        ),
    )
