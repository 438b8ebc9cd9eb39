"""Between envelopes and stored events: tags instead of import paths, personal parts sealed.

Invariant: a sealed part opens only for its tenant, feature, key, event id and version; an event
that cannot be read is `Unreadable`, whatever is wrong with it, and hurts nobody but its feature.
"""

from collections.abc import Callable
from typing import Any, Final, cast
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder
from typing_extensions import override

from application.ports import Unread, Unreadable, Why
from domain.recorded import Recorded
from infrastructure.event_log.chain import StoredRow, is_authentic
from infrastructure.event_log.registry import Registry, UnknownEvent
from infrastructure.event_log.stored import (
    Envelope,
    KeyDestroyed,
    Recording,
    StoredFeatureEvent,
    StreamId,
)
from infrastructure.sealing import DataKey, MasterKeyUnusable, Unsealable

PURPOSE: Final = "event"

FindKey = Callable[[StoredFeatureEvent], DataKey | None]
"""The data key a stored event is sealed under; None when it is destroyed."""


def record_of(event_id: UUID, version: int) -> bytes:
    """What a sealed part is bound to, beside tenant, feature and key: 16 and 4 bytes."""
    return event_id.bytes + version.to_bytes(4, "big")


class NoTranscoder(Transcoder):
    """The library asks for one; the registry does its work."""

    @override
    def encode(self, obj: Any) -> bytes:
        raise NotImplementedError("events are written by the registry")

    @override
    def decode(self, data: bytes) -> Any:
        raise NotImplementedError("events are read by the registry")


class FeatureMapper(Mapper[UUID]):
    """Writes and reads envelopes."""

    def __init__(self, registry: Registry, find_key: FindKey) -> None:
        """Take the registry, and how to find the key of a stored event."""
        super().__init__(NoTranscoder())
        self._registry = registry
        self._find_key = find_key

    @override
    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredFeatureEvent:
        """Write an envelope; its personal part sealed under the envelope's key.

        Raises:
            KeyDestroyed: it has a personal part and no key.
        """
        envelope = cast("Envelope", domain_event)
        written = self._registry.encode(envelope.event)
        sealed = key_id = None
        if written.personal is not None:
            if envelope.key is None:
                raise KeyDestroyed
            record = record_of(envelope.event_id, envelope.originator_version)
            sealed = envelope.key.seal(PURPOSE, record, written.personal)
            key_id = envelope.key.key_id
        return StoredFeatureEvent(
            originator_id=envelope.originator_id,
            originator_version=envelope.originator_version,
            topic=written.tag,
            state=written.clear,
            event_id=envelope.event_id,
            schema_version=written.schema_version,
            sealed=sealed,
            key_id=key_id,
        )

    @override
    def to_domain_event(self, stored_event: StoredEvent) -> Envelope:
        """Read a stored event. Raises KeyDestroyed, Unreadable, Unavailable."""
        stored = cast("StoredFeatureEvent", stored_event)
        key = self._key_of(stored)
        try:
            personal = None
            if key is not None and stored.sealed is not None:
                record = record_of(stored.event_id, stored.originator_version)
                personal = key.open(PURPOSE, record, stored.sealed)
            event = self._registry.decode(
                stored.topic, stored.schema_version, stored.state, personal
            )
        except Exception as error:
            what = f"Event {stored.originator_version} ({stored.topic})"
            raise Unreadable(what, why_of(error, row_of(stored))) from error
        stream = cast("StreamId", stored.originator_id)
        meta = cast("Recording", stored.meta)
        return Envelope(
            originator_id=stream,
            originator_version=stored.originator_version,
            event_id=stored.event_id,
            event=event,
            recorded=Recorded(
                position=meta.position,
                tenant_id=stream.tenant_id,
                feature_id=stream,
                version=stored.originator_version,
                event_id=stored.event_id,
                type=stored.topic,
                schema_version=stored.schema_version,
                event=event,
                actor=meta.actor,
                correlation_id=meta.correlation_id,
                causation_id=meta.causation_id,
                recorded_at=meta.recorded_at,
                hash=meta.hash,
                previous_hash=meta.previous_hash,
            ),
        )

    def entry(self, stored: StoredFeatureEvent) -> Recorded | Unread:
        """Read a stored event, or say that it cannot be read. Raises KeyDestroyed, Unavailable."""
        try:
            return cast("Recorded", self.to_domain_event(stored).recorded)
        except Unreadable as unreadable:
            return unread(row_of(stored), unreadable.why)

    def _key_of(self, stored: StoredFeatureEvent) -> DataKey | None:
        if stored.sealed is None:
            return None
        try:
            key = self._find_key(stored)
        except (Unsealable, MasterKeyUnusable) as error:
            what = f"The data key of event {stored.originator_version} ({stored.topic})"
            raise Unreadable(what, why_of(error, row_of(stored))) from error
        if key is None:
            raise KeyDestroyed
        return key


def why_of(error: Exception, row: StoredRow) -> Why:
    """Why an event cannot be read: what is as it was recorded was written by a newer version.

    A tag, version or field that is not known says so itself; whether it was changed as well is
    for the check of the whole chain to say.
    """
    if isinstance(error, MasterKeyUnusable):
        return Why.LOCKED
    if isinstance(error, UnknownEvent):
        return Why.NEWER
    if isinstance(error, Unsealable) or not is_authentic(row):
        return Why.DAMAGED
    return Why.NEWER


def unread(row: StoredRow, why: Why) -> Unread:
    """What is told of an event that cannot be read."""
    return Unread(
        position=row.position,
        tenant_id=row.tenant_id,
        feature_id=row.feature_id,
        version=row.version,
        event_id=row.event_id,
        type=row.type,
        schema_version=row.schema_version,
        actor=row.actor,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        recorded_at=row.recorded_at,
        hash=row.hash,
        previous_hash=row.previous_hash,
        why=why,
    )


def row_of(stored: StoredFeatureEvent) -> StoredRow:
    """A stored event of the library as it stands in the table."""
    stream = cast("StreamId", stored.originator_id)
    meta = cast("Recording", stored.meta)
    return StoredRow(
        position=meta.position,
        tenant_id=stream.tenant_id,
        feature_id=UUID(int=stream.int),
        version=stored.originator_version,
        event_id=stored.event_id,
        type=stored.topic,
        schema_version=stored.schema_version,
        payload=stored.state,
        sealed=stored.sealed,
        key_id=stored.key_id,
        correlation_id=meta.correlation_id,
        causation_id=meta.causation_id,
        actor=meta.actor,
        recorded_at=meta.recorded_at,
        previous_hash=meta.previous_hash,
        hash=meta.hash,
    )
