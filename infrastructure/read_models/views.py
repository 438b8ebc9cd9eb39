"""Rows, positions and parked features in PostgreSQL: all SQL that writes read models.

Invariant: rows and the position they stand for move in one transaction, under the position's lock.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from infrastructure.database import LOST, AsyncBoundedConnection
from infrastructure.read_models.fold import SPOILT, Batch, Change, Parked, RowsOf
from projections.projection import Projection

ENSURE: Final = """
    insert into app.positions (projection, generation, position, active)
    select name, 1, 0, true from unnest(%s::text[]) as name
    where not exists (select from app.positions p where p.projection = name and p.active)
    on conflict do nothing
"""
ACTIVE: Final = """
    select projection, generation, position, active, updated_at from app.positions
    where projection = any(%s) order by projection, generation
"""
LOCK: Final = """
    select p.projection, p.generation, p.position from app.positions p
    join unnest(%s::text[], %s::int[]) as wanted (projection, generation)
      using (projection, generation)
    order by 1, 2 for update of p
"""
LOCK_FREE: Final = f"{LOCK} skip locked"
MOVE: Final = """
    update app.positions p set position = %s, updated_at = clock_timestamp()
    from unnest(%s::text[], %s::int[]) as wanted (projection, generation)
    where p.projection = wanted.projection and p.generation = wanted.generation
"""
PARKED: Final = """
    select projection, feature_id from app.parked
    join unnest(%s::text[], %s::int[]) as wanted (projection, generation)
      using (projection, generation)
"""
PARK: Final = """
    insert into app.parked (projection, generation, feature_id, version, error)
    select * from unnest(%s::text[], %s::int[], %s::uuid[], %s::int[], %s::text[])
    on conflict do nothing
"""
RELEASE: Final = """
    delete from app.parked k
    using unnest(%s::text[], %s::int[], %s::uuid[]) as gone (projection, generation, feature_id)
    where k.projection = gone.projection and k.generation = gone.generation
      and k.feature_id = gone.feature_id
"""
LOAD: Final = """
    select feature_id, key, row::text from app.views
    where projection = %s and generation = %s
      and (tenant_id, feature_id) in (select * from unnest(%s::uuid[], %s::uuid[]))
"""
SAVE: Final = """
    insert into app.views (projection, generation, tenant_id, feature_id, key, version, row)
    select projection, generation, tenant_id, feature_id, key, version, row::jsonb
    from unnest(%b::text[], %b::int[], %b::uuid[], %b::uuid[], %b::text[], %b::int[], %b::text[])
      as changed (projection, generation, tenant_id, feature_id, key, version, row)
    on conflict (projection, generation, tenant_id, feature_id, key)
    do update set version = excluded.version, row = excluded.row
"""
REMOVE: Final = """
    delete from app.views v
    using unnest(%s::text[], %s::int[], %s::uuid[], %s::uuid[], %s::text[])
      as gone (projection, generation, tenant_id, feature_id, key)
    where v.projection = gone.projection and v.generation = gone.generation
      and v.tenant_id = gone.tenant_id and v.feature_id = gone.feature_id and v.key = gone.key
"""

CLEAR: Final = """
    delete from app.views
    where projection = %s and generation = %s and tenant_id = %s and feature_id = %s
"""

_encode: Final = msgspec.json.Encoder().encode


class Generations(Struct, frozen=True):
    """One generation of each of some projections, all at the same position."""

    of: Mapping[str, int]
    """Projection name to generation."""
    position: int

    def columns(self) -> tuple[list[str], list[int]]:
        """Names and generations, side by side."""
        return list(self.of), list(self.of.values())


async def locked(
    connection: AsyncBoundedConnection, generations: Generations, *, wait: bool = False
) -> bool:
    """Lock the positions until the transaction ends; whether they are still what they were.

    Args:
        connection: In a transaction.
        generations: What to lock, and where it is believed to be.
        wait: Wait for another projector; otherwise a locked position counts as moved.
    """
    cursor = await connection.execute(LOCK if wait else LOCK_FREE, generations.columns())
    found = {(name, generation): position for name, generation, position in await cursor.fetchall()}
    return found == dict.fromkeys(generations.of.items(), generations.position)


async def held(connection: AsyncBoundedConnection, of: Mapping[str, int]) -> int | None:
    """Hold positions until the transaction ends; where they are, if they all agree."""
    cursor = await connection.execute(LOCK, ([*of], [*of.values()]))
    rows = await cursor.fetchall()
    positions = {position for *_, position in rows}
    return positions.pop() if len(positions) == 1 and len(rows) == len(of) else None


async def load(
    connection: AsyncBoundedConnection,
    generations: Generations,
    wanted: Mapping[str, Mapping[UUID, UUID]],
    projections: Mapping[str, Projection[Any]],
) -> tuple[RowsOf, set[tuple[str, UUID]]]:
    """All rows of the wanted features, and which features are parked where.

    Args:
        connection: In a transaction.
        generations: Which rows.
        wanted: For each projection, the features by id, each with its tenant.
        projections: By name.
    """
    rows: RowsOf = {}
    parked = await connection.execute(PARKED, generations.columns())
    cursors = {}
    for name, features in wanted.items():
        if features:
            values = (name, generations.of[name], [*features.values()], [*features])
            cursors[name] = await connection.execute(LOAD, values)
        rows[name] = {feature_id: {} for feature_id in features}
    for name, cursor in cursors.items():
        decode = msgspec.json.Decoder(projections[name].row).decode
        for feature_id, item, row in await cursor.fetchall():
            try:
                rows[name][feature_id][item] = decode(row)
            except (msgspec.MsgspecError, RecursionError):
                rows[name][feature_id][item] = SPOILT
    return rows, {(name, feature_id) for name, feature_id in await parked.fetchall()}


async def save(
    connection: AsyncBoundedConnection, generations: Generations, batch: Batch, position: int
) -> None:
    """Write what a batch changed, park what it could not apply, and move the positions."""
    async with connection.pipeline():
        await _write(connection, generations.of, batch.changes())
        await _settle(connection, generations, batch, position)


async def save_apart(
    connection: AsyncBoundedConnection, generations: Generations, batch: Batch, position: int
) -> None:
    """The same feature by feature, after all together were refused: what is at fault is parked."""
    await _write_apart(connection, generations.of, batch)
    await _settle(connection, generations, batch, position)


async def _settle(
    connection: AsyncBoundedConnection, generations: Generations, batch: Batch, position: int
) -> None:
    of = generations.of
    if batch.released:
        released = _columns((name, of[name], feature_id) for name, feature_id in batch.released)
        await connection.execute(RELEASE, released)
    if batch.parked:
        await connection.execute(PARK, _parked_columns(of, batch.parked))
    await connection.execute(MOVE, (position, *generations.columns()))


async def _write(
    connection: AsyncBoundedConnection, of: Mapping[str, int], changes: Iterable[Change]
) -> None:
    kept: list[Change] = []
    gone: list[Change] = []
    for change in changes:
        (gone if change.row is None else kept).append(change)
    if kept:
        columns = _columns(
            (of[c.projection], c.projection, c.tenant_id, c.feature_id, c.item, c.version)
            for c in kept
        )
        numbers, names, tenants, features, items, versions = columns
        bodies = [_encode(c.row).decode() for c in kept]
        await connection.execute(SAVE, (names, numbers, tenants, features, items, versions, bodies))
    if gone:
        columns = _columns(
            (c.projection, of[c.projection], c.tenant_id, c.feature_id, c.item) for c in gone
        )
        await connection.execute(REMOVE, columns)


async def _write_apart(
    connection: AsyncBoundedConnection, of: Mapping[str, int], batch: Batch
) -> None:
    """Write feature by feature, each under a savepoint of its own."""
    changed: dict[tuple[str, UUID], list[Change]] = defaultdict(list)
    for change in batch.changes():
        changed[change.projection, change.feature_id].append(change)
    for (name, feature_id), changes in changed.items():
        try:
            async with connection.transaction():
                await _write(connection, of, changes)
        except LOST:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, only this feature waits.
            batch.refuse(name, feature_id, f"{type(error).__name__}: its row cannot be written")


async def clear(
    connection: AsyncBoundedConnection, name: str, generation: int, tenant_id: UUID, feature: UUID
) -> None:
    """Remove one feature's rows of a projection, to be folded anew."""
    await connection.execute(CLEAR, (name, generation, tenant_id, feature))


def _parked_columns(of: Mapping[str, int], parked: Iterable[Parked]) -> Sequence[list[Any]]:
    return _columns(
        (p.projection, of[p.projection], p.feature_id, p.version, p.error) for p in parked
    )


def _columns(rows: Iterable[tuple[Any, ...]]) -> Sequence[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
