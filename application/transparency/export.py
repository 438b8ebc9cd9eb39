"""A feature's log as CloudEvents 1.0 lines (structured mode), for its owner to keep and to check.

Invariant: a line holds all that its hash covers, the clear part as the very bytes that are stored,
so that `application/transparency/verifier.py` can check it with nothing else at hand.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from application.transparency.verifier import TYPE_PREFIX

MEDIA_TYPE: Final = "application/x-ndjson"
PAGE: Final = 200
"""Events read and written at once."""


class StoredEvent(Struct, frozen=True):
    """An event as it is stored, its personal part opened as far as its key still exists."""

    position: int
    tenant_id: UUID
    feature_id: UUID
    version: int
    event_id: UUID
    type: str
    schema_version: int
    clear: bytes
    """JSON of what is stored in clear."""
    personal: bytes | None
    """JSON of what was sealed, its salt first; None if nothing was, or the feature is deleted."""
    sealed_sha256: bytes | None
    key_id: UUID | None
    correlation_id: UUID
    causation_id: UUID | None
    actor: str
    recorded_at: datetime
    previous_hash: bytes
    hash: bytes


class StoredLog(Protocol):
    """The log as it is stored, for its tenant."""

    async def stored(
        self, tenant_id: UUID, feature_id: UUID, after: int, upto: int
    ) -> Sequence[StoredEvent]:
        """Events with versions in (after, upto], in order. Raises Unavailable."""


class EventData(Struct, frozen=True, omit_defaults=True):
    """An event's own fields, in the two parts that are stored: JSON texts, to be parsed as such."""

    clear: str
    """With `personal_sha256`, if there is a personal part."""
    personal: str | None = None
    """With its `salt`; absent if the event has none, or the feature is deleted."""


class CloudEvent(Struct, frozen=True, omit_defaults=True):
    """A line of the exported log, as CloudEvents 1.0 have it (JSON format)."""

    specversion: str
    id: UUID
    source: str
    type: str
    subject: UUID
    """The feature."""
    time: datetime
    datacontenttype: str
    sequence: str
    """The version in ten digits, as the Sequence extension has it: to be compared as text."""
    position: str
    """Place in the whole log; text, for it may outgrow the integers of CloudEvents."""
    tenantid: UUID
    schemaversion: int
    actor: str
    correlationid: UUID
    hash: str
    previoushash: str
    data: EventData
    causationid: UUID | None = None
    keyid: UUID | None = None
    sealedsha256: str | None = None
    """Of the sealed form of the personal part, which the hash covers."""


def cloud_event(stored: StoredEvent) -> CloudEvent:
    """An event as a line of the export."""
    return CloudEvent(
        specversion="1.0",
        id=stored.event_id,
        source=f"/api/features/{stored.feature_id}",
        type=TYPE_PREFIX + stored.type,
        subject=stored.feature_id,
        time=stored.recorded_at,
        datacontenttype="application/json",
        sequence=f"{stored.version:010d}",
        position=str(stored.position),
        tenantid=stored.tenant_id,
        schemaversion=stored.schema_version,
        actor=stored.actor,
        correlationid=stored.correlation_id,
        hash=stored.hash.hex(),
        previoushash=stored.previous_hash.hex(),
        data=EventData(
            stored.clear.decode(), None if stored.personal is None else stored.personal.decode()
        ),
        causationid=stored.causation_id,
        keyid=stored.key_id,
        sealedsha256=None if stored.sealed_sha256 is None else stored.sealed_sha256.hex(),
    )


async def lines_of(
    log: StoredLog, tenant_id: UUID, feature_id: UUID, upto: int
) -> AsyncIterator[bytes]:
    """The whole export up to a version, in chunks of whole lines. Raises Unavailable."""
    encode = msgspec.json.Encoder().encode_lines
    for after in range(0, upto, PAGE):
        found = await log.stored(tenant_id, feature_id, after, min(upto, after + PAGE))
        yield encode([cloud_event(stored) for stored in found])


def read_line(line: bytes) -> StoredEvent:
    """An exported line as what it was made from, not checked. Raises MsgspecError."""
    told = _read(line)
    return StoredEvent(
        position=int(told.position),
        tenant_id=told.tenantid,
        feature_id=told.subject,
        version=int(told.sequence),
        event_id=told.id,
        type=told.type.removeprefix(TYPE_PREFIX),
        schema_version=told.schemaversion,
        clear=told.data.clear.encode(),
        personal=None if told.data.personal is None else told.data.personal.encode(),
        sealed_sha256=None if told.sealedsha256 is None else bytes.fromhex(told.sealedsha256),
        key_id=told.keyid,
        correlation_id=told.correlationid,
        causation_id=told.causationid,
        actor=told.actor,
        recorded_at=told.time,
        previous_hash=bytes.fromhex(told.previoushash),
        hash=bytes.fromhex(told.hash),
    )


_read: Final = msgspec.json.Decoder(CloudEvent).decode
