"""The log for those who follow it: relay, projector, reconciler, audit.

Invariant: whoever has read everything up to a position and asks from there misses nothing, whatever
is being written meanwhile; the high-water mark (es.safe_upto) sees to it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

import msgspec

from application.ports import Unreadable
from domain.recorded import Recorded
from infrastructure.event_log.chain import StoredRow
from infrastructure.event_log.followed import (
    HeaderPage,
    SealedEvent,
    StoredHeader,
    UnreadableEvent,
    header_of,
    stored_of,
)
from infrastructure.event_log.mapper import FeatureMapper
from infrastructure.event_log.registry import REGISTRY, Registry
from infrastructure.event_log.stored import KeyDestroyed
from infrastructure.postgres.database import READ_SECONDS, AsyncBoundedConnection, Database
from infrastructure.sealing import DataKey, MasterKeyUnusable, Unsealable
from infrastructure.sealing.data_keys import KeyRing

PAGE: Final = 500
SAFE_UPTO_WAIT_MS: Final = 20
"""How long a page waits for writers that may still fill a hole, before it ends at the hole."""

HEADERS: Final = (
    "SELECT position, tenant_id, stream_id, version, event_id, type, schema_version,"
    " correlation_id, causation_id, actor, recorded_at, resuming FROM es.follow_headers(%s, %s, %s)"
)
SAFE: Final = "SELECT es.safe_upto(%s, %s, %s)"
COLUMNS: Final = (
    "position, tenant_id, stream_id, version, event_id, type, schema_version, payload, sealed,"
    " key_id, correlation_id, causation_id, actor, recorded_at, previous_hash, hash"
)
BETWEEN: Final = (
    f"SELECT {COLUMNS} FROM es.events WHERE position > %s AND position <= %s"  # noqa: S608
    " ORDER BY position LIMIT %s"
)
OF_STREAM: Final = (
    f"SELECT {COLUMNS} FROM es.events WHERE tenant_id = %s AND stream_id = %s"  # noqa: S608
    " AND version > %s ORDER BY version"
)
KEYS: Final = (
    "SELECT key_id, CASE WHEN key_id = ANY (%s) THEN wrapped END FROM app.data_keys"
    " WHERE key_id = ANY (%s)"
)


Keys: TypeAlias = Mapping[UUID, DataKey | Exception]
"""Data keys that exist, by id; one that cannot be opened stands there as the reason."""

UNREADABLE: Final = ("unreadable",)
"""The steps that an event resumes, where it does not say so in a way that is known here: none that
anybody knows, so that whoever makes tasks of them refuses this event, and no other."""


class _Resuming(msgspec.Struct):
    resume: tuple[str, ...] = ()


class LogReader:
    """Reads the whole log in the order of positions, across tenants."""

    def __init__(
        self, database: Database, ring: KeyRing | None = None, *, registry: Registry = REGISTRY
    ) -> None:
        """Take a database as relay, projector or sweeper; a ring, unless only headers are read."""
        self._database = database
        self._ring = ring
        self._registry = registry
        self._resuming = msgspec.json.Decoder(_Resuming).decode

    async def head(self) -> int:
        """The highest position that was ever drawn. Raises Unavailable."""
        query = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM es.positions"
        rows = await self._database.call(query)
        return int(rows[0][0]) if rows else 0

    async def after(
        self, position: int, limit: int = PAGE, *, wait_ms: int = SAFE_UPTO_WAIT_MS
    ) -> Sequence[StoredHeader]:
        """The next headers in order, at most `limit`. Raises Unavailable."""
        rows = await self._database.call(
            HEADERS, (position, limit, wait_ms), answer_seconds=READ_SECONDS + wait_ms / 1_000
        )
        return [StoredHeader(*row[:11], *self._resumed(row[11])) for row in rows]

    async def page(
        self,
        after: int,
        limit: int = PAGE,
        upto: int | None = None,
        *,
        wait_ms: int = SAFE_UPTO_WAIT_MS,
    ) -> HeaderPage:
        """The next events, opened, at most `limit` and none past `upto`. Raises Unavailable."""
        async with self._database.system() as connection:
            rows, end = await self._rows(connection, after, limit, upto, wait_ms)
            keys = await self.keys_of(connection, rows)
        return HeaderPage([self._entry(row, keys) for row in rows], end)

    async def read(
        self, after: int, limit: int = PAGE, *, wait_ms: int = SAFE_UPTO_WAIT_MS
    ) -> Sequence[Recorded | SealedEvent]:
        """The same, for who can do nothing about an event that cannot be read.

        Raises:
            Unavailable: the database does not answer.
            Unreadable: at the first event that is of a later version, or damaged.
        """
        found: list[Recorded | SealedEvent] = []
        for entry in (await self.page(after, limit, wait_ms=wait_ms)).entries:
            if isinstance(entry, UnreadableEvent):
                raise entry.error
            found.append(entry)
        return found

    async def read_raw(
        self, after: int, limit: int = PAGE, *, wait_ms: int = SAFE_UPTO_WAIT_MS
    ) -> Sequence[StoredRow]:
        """The same, exactly as stored: for an audit. Raises Unavailable."""
        async with self._database.system() as connection:
            rows, _ = await self._rows(connection, after, limit, None, wait_ms)
        return rows

    async def of_feature(
        self, tenant_id: UUID, feature_id: UUID, after: int = 0
    ) -> Sequence[Recorded | SealedEvent | UnreadableEvent]:
        """One feature's events with versions above `after`, opened. Raises Unavailable."""
        async with self._database.system() as connection:
            rows = await self._stream(connection, tenant_id, feature_id, after)
            keys = await self.keys_of(connection, rows)
        return [self._entry(row, keys) for row in rows]

    async def of_feature_raw(self, tenant_id: UUID, feature_id: UUID) -> Sequence[StoredRow]:
        """One feature's events exactly as stored: for an audit. Raises Unavailable."""
        async with self._database.system() as connection:
            return await self._stream(connection, tenant_id, feature_id, 0)

    async def _rows(
        self,
        connection: AsyncBoundedConnection,
        after: int,
        limit: int,
        upto: int | None,
        wait_ms: int,
    ) -> tuple[list[StoredRow], int]:
        answer = await (await connection.execute(SAFE, (after, limit, wait_ms))).fetchone()
        safe = int(answer[0]) if answer else after
        end = safe if upto is None else max(after, min(safe, upto))
        if end == after:
            return [], after
        cursor = connection.cursor(binary=True)
        await cursor.execute(BETWEEN, (after, end, limit))
        rows = [StoredRow(*row) for row in await cursor.fetchall()]
        return rows, rows[-1].position if len(rows) == limit else end

    async def _stream(
        self, connection: AsyncBoundedConnection, tenant_id: UUID, feature_id: UUID, after: int
    ) -> list[StoredRow]:
        cursor = connection.cursor(binary=True)
        await cursor.execute(OF_STREAM, (tenant_id, feature_id, after))
        return [StoredRow(*row) for row in await cursor.fetchall()]

    def _resumed(self, payload: bytes | None) -> tuple[tuple[str, ...]] | tuple[()]:
        if not payload:
            return ()
        try:
            return (self._resuming(payload).resume,)
        except (msgspec.MsgspecError, RecursionError):
            return (UNREADABLE,)

    def _entry(self, row: StoredRow, keys: Keys) -> Recorded | SealedEvent | UnreadableEvent:
        mapper = FeatureMapper(self._registry, lambda _: key_in(keys, row.key_id))
        try:
            return cast("Recorded", mapper.to_domain_event(stored_of(row)).recorded)
        except KeyDestroyed:
            return SealedEvent(header_of(row))
        except Unreadable as error:
            return UnreadableEvent(header_of(row), error)

    async def keys_of(self, connection: AsyncBoundedConnection, rows: Sequence[StoredRow]) -> Keys:
        """The rows' keys that still exist; those that do not are forgotten.

        One that cannot be opened stands there as the reason: it hurts its own feature alone.
        """
        named = {row.key_id for row in rows if row.key_id is not None}
        if not named:
            return {}
        kept = self._kept(rows)
        cursor = await connection.execute(KEYS, (list(named - kept.keys()), list(named)))
        return self._opened(rows, dict(await cursor.fetchall()), kept)

    def opened(self, rows: Sequence[StoredRow], wrapped: Mapping[UUID, bytes]) -> Keys:
        """The same of keys that were read along: those that exist, by id."""
        return self._opened(rows, wrapped, self._kept(rows))

    def _opened(
        self, rows: Sequence[StoredRow], wrapped: Mapping[UUID, Any], kept: Mapping[UUID, DataKey]
    ) -> Keys:
        keys: dict[UUID, DataKey | Exception] = {}
        for key_id, row in _by_key(rows).items():
            if key_id not in wrapped:
                self._keys.forget(row.tenant_id, row.feature_id)
            elif key_id in kept:
                keys[key_id] = kept[key_id]
            else:
                try:
                    keys[key_id] = self._keys.opened(
                        key_id, wrapped[key_id], row.tenant_id, row.feature_id
                    )
                except (Unsealable, MasterKeyUnusable) as error:
                    keys[key_id] = error
        return keys

    @property
    def _keys(self) -> KeyRing:
        if self._ring is None:
            raise RuntimeError("this reader has no key ring: it reads headers and raw rows only")
        return self._ring

    def _kept(self, rows: Sequence[StoredRow]) -> dict[UUID, DataKey]:
        """Of the rows' keys, those that this process has kept."""
        return {
            key.key_id: key
            for row in _by_key(rows).values()
            if (key := self._keys.kept(row.tenant_id, row.feature_id)) is not None
        }


def _by_key(rows: Sequence[StoredRow]) -> Mapping[UUID, StoredRow]:
    """A row for each key."""
    return {row.key_id: row for row in rows if row.key_id is not None}


def key_in(keys: Keys, key_id: UUID | None) -> DataKey | None:
    """A key that still exists; None if there is none. Raises why it cannot be opened."""
    found = keys.get(key_id) if key_id else None
    if isinstance(found, Exception):
        raise found
    return found
