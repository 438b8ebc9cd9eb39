"""The log for those who follow it: relay, projector, reconciler, audit.

Invariant: whoever has read everything up to a position and asks from there misses nothing, whatever is
being written meanwhile; the fence (es.safe_upto) sees to it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from msgspec import Struct

from application.ports import Recorded
from domain.status import Step
from infrastructure.data_keys import KeyRing
from infrastructure.database import AsyncBoundedConnection, Database
from infrastructure.event_log.chain import StoredRow
from infrastructure.event_log.mapper import FeatureMapper
from infrastructure.event_log.registry import REGISTRY, Registry
from infrastructure.event_log.stored import (
    Envelope,
    KeyDestroyed,
    Recording,
    StoredFeatureEvent,
    StreamId,
)
from infrastructure.sealing import DataKey

PAGE: Final = 500
FENCE_WAIT_MS: Final = 20
"""How long a page waits for writers that may still fill a hole, before it ends at the hole."""


class Header(Struct, frozen=True):
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
    resume: tuple[Step, ...] = ()
    """For `feature_retried` and `feature_replayed`: the steps that run again."""


class SealedEvent(Struct, frozen=True):
    """An event of a deleted feature: its content is gone for ever."""

    header: Header


class _Resuming(Struct):
    resume: tuple[Step, ...] = ()


class LogReader:
    """Reads the whole log in the order of positions, across tenants."""

    def __init__(
        self, database: Database, ring: KeyRing | None = None, *, registry: Registry = REGISTRY
    ) -> None:
        """Take a database as relay, projector or sweeper; a ring only for `read`."""
        self._database = database
        self._ring = ring
        self._registry = registry
        self._resuming = msgspec.json.Decoder(_Resuming).decode

    async def head(self) -> int:
        """The highest position that was ever drawn. Raises Unavailable."""
        async with self._database.system() as connection:
            query = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM es.positions"
            row = await (await connection.execute(query)).fetchone()
        return int(row[0]) if row else 0

    async def read_headers(
        self, after: int, limit: int = PAGE, *, wait_ms: int = FENCE_WAIT_MS
    ) -> Sequence[Header]:
        """What follows `after`, at most `limit` of it, in order. Raises Unavailable."""
        query = "SELECT * FROM es.follow_headers(%s, %s, %s)"
        async with self._database.system() as connection:
            cursor = await connection.execute(query, (after, limit, wait_ms), binary=True)
            rows = await cursor.fetchall()
        return [
            Header(*row[:11], resume=self._resuming(row[11]).resume if row[11] else ())
            for row in rows
        ]

    async def read(
        self, after: int, limit: int = PAGE, *, wait_ms: int = FENCE_WAIT_MS
    ) -> Sequence[Recorded | SealedEvent]:
        """The same, opened. Raises Unavailable, UnknownEvent, Unsealable."""
        async with self._database.system() as connection:
            rows = await self._page(connection, after, limit, wait_ms)
            keys = await self.keys_of(connection, rows)
        return [self._opened(row, keys) for row in rows]

    async def read_raw(
        self, after: int, limit: int = PAGE, *, wait_ms: int = FENCE_WAIT_MS
    ) -> Sequence[StoredRow]:
        """The same, exactly as stored: for an audit. Raises Unavailable."""
        async with self._database.system() as connection:
            return await self._page(connection, after, limit, wait_ms)

    async def stream_raw(self, feature_id: UUID) -> Sequence[StoredRow]:
        """A whole stream exactly as stored. Raises Unavailable."""
        query = f"SELECT {_COLUMNS} FROM es.events WHERE stream_id = %s ORDER BY version"
        async with self._database.system() as connection:
            cursor = await connection.execute(query, (feature_id,), binary=True)
            return [StoredRow(*row) for row in await cursor.fetchall()]

    def opened(self, row: StoredRow, key: DataKey | None) -> Recorded | SealedEvent:
        """One stored event, opened with its key; None when that is destroyed."""
        stream = StreamId(row.tenant_id, row.feature_id)
        stored = StoredFeatureEvent(
            originator_id=stream,
            originator_version=row.version,
            topic=row.type,
            state=row.payload,
            event_id=row.event_id,
            schema_version=row.schema_version,
            sealed=row.sealed,
            key_id=row.key_id,
            meta=Recording(
                row.position,
                key is not None,
                row.correlation_id,
                row.causation_id,
                row.actor,
                row.recorded_at,
                row.previous_hash,
                row.hash,
            ),
        )
        mapper = FeatureMapper(self._registry, lambda _: key)
        try:
            envelope: Envelope = mapper.to_domain_event(stored)
        except KeyDestroyed:
            return SealedEvent(self._header(row))
        return cast("Recorded", envelope.recorded)

    def _opened(self, row: StoredRow, keys: dict[UUID, DataKey]) -> Recorded | SealedEvent:
        return self.opened(row, keys.get(row.key_id) if row.key_id else None)

    def _header(self, row: StoredRow) -> Header:
        return Header(
            row.position,
            row.tenant_id,
            row.feature_id,
            row.version,
            row.event_id,
            row.type,
            row.schema_version,
            row.correlation_id,
            row.causation_id,
            row.actor,
            row.recorded_at,
        )

    async def _page(
        self, connection: AsyncBoundedConnection, after: int, limit: int, wait_ms: int
    ) -> list[StoredRow]:
        query = f"SELECT {_COLUMNS} FROM es.follow(%s, %s, %s)"
        cursor = await connection.execute(query, (after, limit, wait_ms), binary=True)
        return [StoredRow(*row) for row in await cursor.fetchall()]

    async def keys_of(
        self, connection: AsyncBoundedConnection, rows: Sequence[StoredRow]
    ) -> dict[UUID, DataKey]:
        """The page's keys that still exist; those that do not are forgotten."""
        if self._ring is None:
            raise RuntimeError("this reader has no key ring: it reads headers and raw rows only")
        ring = self._ring
        streams = {row.key_id: row for row in rows if row.key_id is not None}
        if not streams:
            return {}
        keys: dict[UUID, DataKey] = {}
        found: list[Any] = []
        missing = []
        for key_id, row in streams.items():
            kept = ring.kept(row.tenant_id, row.feature_id)
            if kept is not None and kept.key_id == key_id:
                keys[key_id] = kept
            else:
                missing.append(key_id)
        cursor = await connection.execute(
            "SELECT key_id, CASE WHEN key_id = ANY (%s) THEN wrapped END FROM app.data_keys"
            " WHERE key_id = ANY (%s)",
            (missing, list(streams)),
        )
        found = await cursor.fetchall()
        for key_id, wrapped in found:
            if wrapped is not None:
                row = streams[key_id]
                keys[key_id] = ring.opened(key_id, wrapped, row.tenant_id, row.feature_id)
        for key_id in streams.keys() - {row[0] for row in found}:
            keys.pop(key_id, None)
            ring.forget(streams[key_id].tenant_id, streams[key_id].feature_id)
        return keys


_COLUMNS: Final = (
    "position, tenant_id, stream_id, version, event_id, type, schema_version, payload, sealed, key_id,"
    " correlation_id, causation_id, actor, recorded_at, previous_hash, hash"
)
