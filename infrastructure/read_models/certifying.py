"""The port `Certifier` on PostgreSQL: one feature's rows and its log, compared.

Invariant: rows and the positions they stand for come from one statement, and the log is folded up
to exactly these positions; so a read model that is merely behind is not called wrong.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from application.running.turns import Turns
from domain.recorded import Recorded
from infrastructure.event_log import REGISTRY, LogReader, Registry
from infrastructure.event_log.chain import StoredRow
from infrastructure.event_log.reader import COLUMNS
from infrastructure.postgres.database import Database
from infrastructure.read_models.fold import Entry, UnreadablePosition
from infrastructure.read_models.source import PostgresSource
from infrastructure.sealing.data_keys import KeyRing
from projections.catalogue import PROJECTIONS
from projections.certificate import Certificate, Compared, Folding, Table, compare, stored_cell
from projections.projection import Projection

SHOWN: Final = """
    select p.projection, p.position, v.key, v.version, v.row::text
    from app.positions p left join app.views v
      on v.projection = p.projection and v.generation = p.generation
      and v.tenant_id = %s and v.feature_id = %s
    where p.active and p.projection = any(%s) order by p.projection
"""
LOG: Final = (
    f"SELECT {COLUMNS} FROM es.events WHERE tenant_id = %s AND stream_id = %s"  # noqa: S608
    " AND version > %s AND position <= %s ORDER BY version LIMIT %s"
)
PAGE: Final = 200
"""Events that are read and opened at once."""
KNOWN: Final = "SELECT 1 FROM es.streams WHERE tenant_id = %s AND stream_id = %s"


class PostgresCertifier:
    """Reads in a transaction of the tenant, a page of a long log at a time."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        turns: Turns | None = None,
        *,
        projections: Sequence[Projection[Any]] = PROJECTIONS,
        registry: Registry = REGISTRY,
    ) -> None:
        """Take a database as `bp_api` or `bp_projector`, and its process's data keys."""
        self._database = database
        self._reader = LogReader(database, ring, registry=registry)
        self._turns = turns or Turns()
        self._source = PostgresSource(database, ring, self._turns, registry=registry)
        self._projections = projections

    async def certify(self, tenant_id: UUID, feature_id: UUID) -> Certificate | None:
        """A certificate as of now; None if there is no such stream. Raises Unavailable."""
        names = [projection.name for projection in self._projections]
        async with self._turns.long(tenant_id), self._database.tenant(tenant_id) as connection:
            cursor = await connection.execute(SHOWN, (tenant_id, feature_id, names))
            shown = await cursor.fetchall()
            positions = {row[0]: int(row[1]) for row in shown}
            upto = max(positions.values(), default=0)
            folded = [_Folded(p, positions.get(p.name, 0)) for p in self._projections]
            last, head, events = None, "", 0
            stop: UnreadablePosition | None = None
            while True:
                cursor = connection.cursor(binary=True)
                after = last.version if last else 0
                await cursor.execute(LOG, (tenant_id, feature_id, after, upto, PAGE))
                rows = [StoredRow(*row) for row in await cursor.fetchall()]
                keys = await self._reader.keys_of(connection, rows)
                entries = await self._source.open(rows, keys)
                for one in folded:
                    await self._turns.through(entries, one.add)
                if stop is None:
                    stop = next(
                        (one for one in entries if isinstance(one, UnreadablePosition)), None
                    )
                readable = [row for row in rows if stop is None or row.version < stop.version]
                head = readable[-1].hash.hex() if readable else head
                last, events = rows[-1] if rows else last, events + len(readable)
                if len(rows) < PAGE:
                    break
            if last is None:
                known = await connection.execute(KNOWN, (tenant_id, feature_id))
                if await known.fetchone() is None:
                    return None
        tables: dict[str, Table] = {name: {} for name in names}
        await self._turns.through(shown, partial(_shown, tables))
        compared = [await asyncio.to_thread(one.compared, tables) for one in folded]
        return Certificate(
            feature_id,
            equal=all(one.equal for one in compared),
            events=events,
            head=head,
            projections=tuple(compared),
            unread_from=stop.version if stop else None,
            why=str(stop.why) if stop else None,
        )


def _shown(tables: dict[str, Table], row: tuple[Any, ...]) -> None:
    name, _, item, version, body = row
    if item is not None:
        tables[name][item] = stored_cell(version, body)


class _Folded:
    """One read model, folded up to the position that it had been applied to."""

    def __init__(self, projection: Projection[Any], position: int) -> None:
        self._name = projection.name
        self._position = position
        self._folding = Folding(projection)
        self._parked = False

    def add(self, entry: Entry) -> None:
        # From an event on that cannot be read the feature is parked: its rows stand still.
        self._parked = self._parked or not isinstance(entry, Recorded)
        if isinstance(entry, Recorded) and not self._parked and entry.position <= self._position:
            self._folding.add(entry)

    def compared(self, shown: dict[str, Table]) -> Compared:
        return compare(self._name, self._position, self._folding.table(), shown[self._name])
