"""The log as projectors read it: facts, in order, behind the high-water mark.

Invariant: nothing is skipped in silence. A deleted feature's sealed events are nothing to show; an
event that cannot be read is handed on as such, and parks its feature.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from application.running.turns import Turns
from domain.recorded import Recorded
from infrastructure.event_log import REGISTRY, LogReader, Registry
from infrastructure.event_log.chain import StoredRow
from infrastructure.event_log.mapper import PURPOSE, record_of, why_of
from infrastructure.event_log.reader import Keys, key_in
from infrastructure.postgres.database import Database
from infrastructure.read_models.fold import Entry, UnreadablePosition
from infrastructure.sealing.data_keys import KeyRing

SAFE_UPTO_WAIT_MS: Final = 20
"""How long a page waits for writers that may still fill a hole, before it ends at the hole."""

ROWS: Final = """
    select position, tenant_id, stream_id, version, event_id, type, schema_version, payload, sealed,
      key_id, correlation_id, causation_id, actor, recorded_at, previous_hash, hash from es.events
"""
PAGE: Final = """
    select upto, position, tenant_id, stream_id, version, event_id, type, schema_version, payload,
      sealed, key_id, correlation_id, causation_id, actor, recorded_at, previous_hash, hash,
      key_alive, wrapped from es.follow_page(%s, %s, %s, %s)
"""
STREAM: Final = ROWS + "where stream_id = %s and version >= %s and position <= %s order by version"


class LogPage(NamedTuple):
    """Events, and how far they reach."""

    entries: Sequence[Entry]
    upto: int
    """The position that is read when these are: holes after the last event are crossed."""
    events: int
    """How many events were read, the sealed ones included."""
    head: tuple[int, bytes] | None = None
    """Position and hash of the last of them; None if there are none."""


class Source(Protocol):
    """The log, in pages. All methods raise `ports.Unavailable`."""

    async def page(self, after: int, limit: int, upto: int | None = None) -> LogPage:
        """Up to `limit` events behind a position, none of them past `upto`."""

    async def of_feature(self, feature_id: UUID, version: int, upto: int) -> Sequence[Entry]:
        """One feature's events from a version on, none of them past the position `upto`."""

    async def end(self) -> int:
        """The last position that was ever handed out."""


class PostgresSource:
    """The log in PostgreSQL."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        turns: Turns | None = None,
        *,
        registry: Registry = REGISTRY,
    ) -> None:
        """Take a database as `bp_projector`, the process's data keys, and the known events."""
        self._database = database
        self._reader = LogReader(database, ring, registry=registry)
        self._decode = registry.decode
        self._turns = turns or Turns()

    async def page(self, after: int, limit: int, upto: int | None = None) -> LogPage:
        """Up to `limit` events behind a position, none of them past `upto`."""
        wanted = (after, limit, SAFE_UPTO_WAIT_MS, upto)
        found = await self._database.call(PAGE, wanted)
        end = found[0][0]
        rows = [StoredRow(*row[1:17]) for row in found if row[1] is not None]
        if not rows:
            return LogPage((), end, 0)
        wrapped = {row[10]: row[18] for row in found if row[17]}
        keys = self._reader.opened(rows, wrapped)
        entries = await self.open(rows, keys)
        last = rows[-1]
        upto = last.position if len(rows) == limit else end
        return LogPage(entries, upto, len(rows), (last.position, last.hash))

    async def of_feature(self, feature_id: UUID, version: int, upto: int) -> Sequence[Entry]:
        """One feature's events from a version on, none of them past the position `upto`."""
        async with self._database.system() as connection:
            cursor = await connection.execute(STREAM, (feature_id, version, upto), binary=True)
            rows = [StoredRow(*row) for row in await cursor.fetchall()]
            keys = await self._reader.keys_of(connection, rows)
        return await self.open(rows, keys)

    async def end(self) -> int:
        """The last position that was ever handed out."""
        return await self._reader.head()

    async def open(self, rows: Sequence[StoredRow], keys: Keys) -> list[Entry]:
        """The events, without those of deleted features whose content is gone for ever."""
        entries: list[Entry] = []

        def add(row: StoredRow) -> None:
            if row.key_id is None or row.key_id in keys:
                entries.append(self._entry(row, keys))

        await self._turns.through(rows, add)
        return entries

    def _entry(self, row: StoredRow, keys: Keys) -> Entry:
        try:
            personal = None
            key = key_in(keys, row.key_id)
            if key is not None and row.sealed is not None:
                personal = key.open(PURPOSE, record_of(row.event_id, row.version), row.sealed)
            event = self._decode(row.type, row.schema_version, row.payload, personal)
        except Exception as error:  # noqa: BLE001 - whatever it is, only this feature waits.
            # The words of a validation error may quote what was sealed: only its kind is kept.
            what = f"{type(error).__name__} in {row.type} of schema version {row.schema_version}"
            why = why_of(error, row)
            return UnreadablePosition(
                row.position, row.tenant_id, row.feature_id, row.version, what, why
            )
        return Recorded(
            position=row.position,
            tenant_id=row.tenant_id,
            feature_id=row.feature_id,
            version=row.version,
            event_id=row.event_id,
            type=row.type,
            schema_version=row.schema_version,
            event=event,
            actor=row.actor,
            correlation_id=row.correlation_id,
            causation_id=row.causation_id,
            recorded_at=row.recorded_at,
            hash=row.hash,
            previous_hash=row.previous_hash,
        )
