"""Between envelopes and stored events: tags instead of import paths, personal parts sealed.

Invariant: a sealed part opens only for its tenant, feature, key, event id and version.
"""

from collections.abc import Callable
from typing import Any, Final, cast
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder
from typing_extensions import override

from application.ports import Recorded
from infrastructure.event_log.registry import Registry
from infrastructure.event_log.stored import (
    Envelope,
    KeyDestroyed,
    Recording,
    StoredFeatureEvent,
    StreamId,
)
from infrastructure.sealing import DataKey

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
        """Read a stored event. Raises KeyDestroyed, UnknownEvent, Unsealable, ValidationError."""
        stored = cast("StoredFeatureEvent", stored_event)
        personal = None
        if stored.sealed is not None:
            key = self._find_key(stored)
            if key is None:
                raise KeyDestroyed
            record = record_of(stored.event_id, stored.originator_version)
            personal = key.open(PURPOSE, record, stored.sealed)
        event = self._registry.decode(stored.topic, stored.schema_version, stored.state, personal)
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
