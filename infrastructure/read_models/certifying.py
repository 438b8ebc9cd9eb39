"""The port `Certifier` on PostgreSQL: one feature's rows and its log, compared.

Invariant: rows and the positions they stand for come from one statement, and the log is folded up
to exactly these positions; so a read model that is merely behind is not called wrong.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final
from uuid import UUID

from infrastructure.data_keys import KeyRing
from infrastructure.database import Database
from infrastructure.event_log import REGISTRY, LogReader, Registry
from infrastructure.event_log.chain import StoredRow
from infrastructure.event_log.reader import COLUMNS
from infrastructure.read_models.fold import Entry, Unreadable
from infrastructure.read_models.source import PostgresSource
from projections.catalogue import PROJECTIONS
from projections.certificate import Certificate, Compared, Table, compare, fold, stored_cell
from projections.fact import Fact
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
    " AND position <= %s ORDER BY version"
)


class PostgresCertifier:
    """Reads in a transaction of the tenant; computes without any connection."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        *,
        projections: Sequence[Projection[Any]] = PROJECTIONS,
        registry: Registry = REGISTRY,
    ) -> None:
        """Take a database as `bp_api` or `bp_projector`, and its process's data keys."""
        self._database = database
        self._reader = LogReader(database, ring, registry=registry)
        self._source = PostgresSource(database, ring, registry=registry)
        self._projections = projections

    async def certify(self, tenant_id: UUID, feature_id: UUID) -> Certificate | None:
        """A certificate as of now; None if there is no such stream. Raises Unavailable."""
        names = [projection.name for projection in self._projections]
        async with self._database.tenant(tenant_id) as connection:
            cursor = await connection.execute(SHOWN, (tenant_id, feature_id, names))
            shown = await cursor.fetchall()
            positions = {row[0]: int(row[1]) for row in shown}
            upto = max(positions.values(), default=0)
            cursor = connection.cursor(binary=True)
            await cursor.execute(LOG, (tenant_id, feature_id, upto))
            rows = [StoredRow(*row) for row in await cursor.fetchall()]
            keys = await self._reader.keys_of(connection, rows)
        if not rows:
            return None
        tables: dict[str, Table] = {name: {} for name in names}
        for name, _, item, version, row in shown:
            if item is not None:
                tables[name][item] = stored_cell(version, row)
        entries = self._source.opened(rows, keys)
        compared = tuple(
            self._compared(projection, positions.get(projection.name, 0), entries, tables)
            for projection in self._projections
        )
        stop = next((one for one in entries if isinstance(one, Unreadable)), None)
        folded = [row for row in rows if stop is None or row.version < stop.version]
        return Certificate(
            feature_id,
            equal=all(one.equal for one in compared),
            events=len(folded),
            head=folded[-1].hash.hex() if folded else "",
            projections=compared,
            unread_from=stop.version if stop else None,
            why=str(stop.why) if stop else None,
        )

    def _compared(
        self,
        projection: Projection[Any],
        position: int,
        entries: Sequence[Entry],
        shown: dict[str, Table],
    ) -> Compared:
        # From an event on that cannot be read the feature is parked: its rows stand still.
        readable = takewhile(lambda entry: isinstance(entry, Fact), entries)
        facts = [one for one in readable if isinstance(one, Fact) and one.position <= position]
        folded = fold(facts, [projection])[projection.name]
        return compare(projection.name, position, folded, shown[projection.name])
