"""The hash chain of a stream: each event's hash covers what is stored of it and the hash before it.

Invariant: the same bytes as es.event_hash in infrastructure/sql/0002_event_log.sql gives.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from application.transparency import verifier


class StoredRow(Struct, frozen=True):
    """An event exactly as it is stored, sealed part included: what an audit works on."""

    position: int
    tenant_id: UUID
    feature_id: UUID
    version: int
    event_id: UUID
    type: str
    schema_version: int
    payload: bytes
    sealed: bytes | None
    key_id: UUID | None
    correlation_id: UUID
    causation_id: UUID | None
    actor: str
    recorded_at: datetime
    previous_hash: bytes
    hash: bytes


class ChainBroken(Exception):
    """The log was changed behind our back."""

    def __init__(self, row: StoredRow, reason: str) -> None:
        super().__init__(
            f"{self.__doc__} Feature {row.feature_id}, version {row.version}: {reason}."
        )
        self.row = row
        self.reason = reason


def event_hash(row: StoredRow) -> bytes:
    """The SHA-256 that `row.hash` must be. The row's own `hash` does not take part."""
    return verifier.event_hash(
        row.previous_hash,
        row.position,
        row.tenant_id.bytes,
        row.feature_id.bytes,
        row.version,
        row.event_id.bytes,
        row.type,
        row.schema_version,
        row.payload,
        None if row.sealed is None else sha256(row.sealed).digest(),
        None if row.key_id is None else row.key_id.bytes,
        row.correlation_id.bytes,
        None if row.causation_id is None else row.causation_id.bytes,
        row.actor,
        row.recorded_at,
    )


def is_authentic(row: StoredRow) -> bool:
    """Whether the event is what its own hash says: nobody changed it alone."""
    try:
        return event_hash(row) == row.hash
    except (OverflowError, ValueError):
        return False


class StreamEnd(NamedTuple):
    """Where a stream stands after the events seen so far."""

    version: int
    hash: bytes
    position: int
    tenant_id: UUID
    recorded_at: datetime


class Chains:
    """The chains of any number of streams, checked event by event."""

    def __init__(self) -> None:
        """Begin before the first event of every stream."""
        self.ends: dict[UUID, StreamEnd] = {}

    def add(self, row: StoredRow) -> None:
        """Check one event against those of its stream before it. Raises ChainBroken."""
        before = self.ends.get(row.feature_id)
        if row.version != (before.version + 1 if before else 1):
            raise ChainBroken(row, f"follows version {before.version if before else 0}")
        if row.previous_hash != (before.hash if before else b""):
            raise ChainBroken(row, "does not continue the event before it")
        if before and (row.position <= before.position or row.tenant_id != before.tenant_id):
            raise ChainBroken(row, "was moved from another place")
        if before and row.recorded_at < before.recorded_at:
            raise ChainBroken(row, "is dated before the event before it")
        if not is_authentic(row):
            raise ChainBroken(row, "is not what was recorded")
        self.ends[row.feature_id] = StreamEnd(
            row.version, row.hash, row.position, row.tenant_id, row.recorded_at
        )


def verify_chain(rows: Iterable[StoredRow], *, head: tuple[int, bytes] | None = None) -> int:
    """Verify whole streams, each from version 1, in any interleaving; how many events there were.

    Args:
        rows: In the order of their positions, or stream by stream.
        head: The version and hash that a single stream must end at (from es.streams, or noted
            elsewhere): without it, events missing at the end go unnoticed.

    Raises:
        ChainBroken: with the first event that does not fit.
    """
    chains = Chains()
    count = 0
    last: StoredRow | None = None
    for row in rows:
        chains.add(row)
        last = row
        count += 1
    if head and last and (last.version, last.hash) != head:
        raise ChainBroken(last, f"is not the end: the stream was recorded up to version {head[0]}")
    return count
