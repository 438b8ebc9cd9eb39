"""Events as a database would have stored them: for exports without one."""

from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

from application.transparency.export import StoredEvent
from application.transparency.verifier import event_hash
from domain.recorded import Recorded
from infrastructure.event_log import REGISTRY

KEY_ID = UUID(int=77)


def stored_as_it_would_be(events: Iterable[Recorded]) -> list[StoredEvent]:
    """One stream, chained anew over what its events are written as; the same bytes every time."""
    made: list[StoredEvent] = []
    previous = b""
    for one in events:
        written = REGISTRY.encode(one.event, one.event_id.bytes)
        sealed = written.personal and sha256(b"sealed" + written.personal).digest()
        key_id = KEY_ID if sealed else None
        head = event_hash(
            previous,
            one.position,
            one.tenant_id.bytes,
            one.feature_id.bytes,
            one.version,
            one.event_id.bytes,
            one.type,
            one.schema_version,
            written.clear,
            sealed,
            key_id.bytes if key_id else None,
            one.correlation_id.bytes,
            one.causation_id.bytes if one.causation_id else None,
            one.actor,
            one.recorded_at,
        )
        made.append(
            StoredEvent(
                position=one.position,
                tenant_id=one.tenant_id,
                feature_id=one.feature_id,
                version=one.version,
                event_id=one.event_id,
                type=one.type,
                schema_version=one.schema_version,
                clear=written.clear,
                personal=written.personal,
                sealed_sha256=sealed,
                key_id=key_id,
                correlation_id=one.correlation_id,
                causation_id=one.causation_id,
                actor=one.actor,
                recorded_at=one.recorded_at,
                previous_hash=previous,
                hash=head,
            )
        )
        previous = head
    return made
