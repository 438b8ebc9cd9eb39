"""Rows, positions and parked features in PostgreSQL: all SQL that writes read models.

Invariant: rows and the position they stand for move in one transaction, under the position's lock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncCursor

from infrastructure.postgres.database import LOST, AsyncBoundedConnection, Database
from infrastructure.read_models.fold import SPOILT, Batch, Parked, RowChange, RowsOf
from projections.catalogue import PROJECTIONS
from projections.projection import Projection, Rows

_NAMES: Final = ", ".join(f"'{projection.name}'" for projection in PROJECTIONS)
COMPLETE_UPTO: Final = (
    "(select coalesce(min(p.position), 0) from app.positions p"  # noqa: S608 - our own names.
    f" where p.active and p.projection in ({_NAMES}))"
)
"""The place in the log up to which every read model is applied, as an expression."""

ENSURE: Final = """
    insert into app.positions (projection, generation, position, active)
    select name, 1, 0, true from unnest(%s::text[]) as name
    where not exists (select from app.positions p where p.projection = name and p.active)
    on conflict do nothing
"""
ACTIVE: Final = """
    select p.projection, p.generation, p.position, p.active, p.updated_at, p.anchor_hash,
      p.anchor_position is null or exists (select from es.events e
        where e.position = p.anchor_position and e.hash = p.anchor_hash)
    from app.positions p where p.projection = any(%s) order by p.projection, p.generation
"""
BEGIN_ANEW: Final = """
    with gone as (
      delete from app.positions p where p.projection = any(%(names)s) and exists (
        select from app.positions x where x.projection = p.projection
          and x.anchor_position is not null and not exists (select from es.events e
            where e.position = x.anchor_position and e.hash = x.anchor_hash))
      returning p.projection, p.generation
    )
    insert into app.positions (projection, generation, position, active)
    select projection, 1 + max(generation), 0, true from gone group by projection
    returning projection
"""
"""Rows that were filled from events that the log does not hold are filled from the first event."""
LOCK: Final = """
    select p.projection, p.generation, p.position, p.anchor_hash,
      p.anchor_position is null or exists (select from es.events e
        where e.position = p.anchor_position and e.hash = p.anchor_hash)
    from app.positions p
    join unnest(%s::text[], %s::int[]) as wanted (projection, generation)
      using (projection, generation)
    order by 1, 2 for update of p
"""
LOCK_FREE: Final = f"{LOCK} skip locked"
MOVE: Final = """
    update app.positions p set position = %s, anchor_position = coalesce(%s, p.anchor_position),
      anchor_hash = coalesce(%s, p.anchor_hash), updated_at = clock_timestamp()
    from unnest(%s::text[], %s::int[]) as wanted (projection, generation)
    where p.projection = wanted.projection and p.generation = wanted.generation
      and (%s::bigint is null
        or exists (select from es.events e where e.position = %s and e.hash = %s))
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

PROJECT: Final = (
    "select app.project(%s::text[], %s::int[], %s::bigint, %s::bytea, %s::text[], %s::uuid[],"
    " %s::bigint, %s::bigint, %s::bytea,"
    " %s::text[], %s::int[], %s::uuid[], %s::uuid[], %s::text[], %s::int[], %s::text[])"
)
"""All of it in one round trip, where rows are only written and nobody is parked or released."""

CLEAR_FEATURE: Final = """
    delete from app.views
    where projection = %s and generation = %s and tenant_id = %s and feature_id = %s
"""
CLEAR: Final = """
    delete from app.views where ctid = any(array(
      select v.ctid from app.views v where v.projection = %(projection)s and not exists (
        select from app.positions p
        where p.projection = v.projection and p.generation = v.generation)
      limit %(limit)s)) and projection = %(projection)s
"""
RETIRE: Final = "delete from app.positions where projection = any(%s)"
CLEAR_PARKED: Final = """
    delete from app.parked k where k.projection = any(%s) and not exists (
      select from app.positions p where p.projection = k.projection and p.generation = k.generation)
"""
REMOVED_AT_ONCE: Final = 5_000

_encode: Final = msgspec.json.Encoder().encode


class InNoLog(Exception):
    """The folded events are in no log any more. Nothing of them was written."""


class Generations(Struct, frozen=True):
    """One generation of each of some projections, all at the same position."""

    of: Mapping[str, int]
    """Projection name to generation."""
    position: int
    head: bytes | None = None
    """Hash of the last event that they hold, if there is one and it is known."""

    def columns(self) -> tuple[list[str], list[int]]:
        """Names and generations, side by side."""
        return list(self.of), list(self.of.values())


async def locked(
    connection: AsyncBoundedConnection, generations: Generations, *, wait: bool = False
) -> bool:
    """Lock the positions until the transaction ends; whether they are still what they were.

    And whether the log holds the event that was applied last.

    Args:
        connection: In a transaction.
        generations: What to lock, and where it is believed to be.
        wait: Wait for another projector; otherwise a locked position counts as moved.
    """
    cursor = await connection.execute(LOCK if wait else LOCK_FREE, generations.columns())
    found = {tuple(row[:2]): tuple(row[2:]) for row in await cursor.fetchall()}
    at = (generations.position, generations.head, True)
    return found == dict.fromkeys(generations.of.items(), at)


async def held(connection: AsyncBoundedConnection, of: Mapping[str, int]) -> int | None:
    """Hold positions until the transaction ends; where they are, if they all agree.

    None also when the log does not hold what was applied last.
    """
    cursor = await connection.execute(LOCK, ([*of], [*of.values()]))
    rows = await cursor.fetchall()
    positions = {position for _, _, position, _, in_log in rows if in_log}
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
        _decode_into(rows[name], await cursor.fetchall(), projections[name])
    return rows, {(name, feature_id) for name, feature_id in await parked.fetchall()}


def _decode_into(
    rows: dict[UUID, Rows], found: Iterable[tuple[Any, ...]], projection: Projection[Any]
) -> None:
    decode = msgspec.json.Decoder(projection.row).decode
    for feature_id, item, row in found:
        try:
            rows[feature_id][item] = decode(row)
        except (msgspec.MsgspecError, RecursionError):
            rows[feature_id][item] = SPOILT


async def load_committed(
    database: Database,
    generations: Generations,
    wanted: Mapping[str, Mapping[UUID, UUID]],
    projections: Mapping[str, Projection[Any]],
) -> RowsOf:
    """All rows of the wanted features as they are committed. Raises Unavailable.

    They hold for as long as the positions and who is parked stay what they are, which `project`
    sees to.
    """
    rows: RowsOf = {}
    for name, features in wanted.items():
        rows[name] = {feature_id: {} for feature_id in features}
        if features:
            values = (name, generations.of[name], [*features.values()], [*features])
            found = await database.call(LOAD, values)
            _decode_into(rows[name], found, projections[name])
    return rows


async def waiting_in(database: Database, generations: Generations) -> frozenset[tuple[str, UUID]]:
    """Who is parked, by projection, as it is committed. Raises Unavailable."""
    found = await database.call(PARKED, generations.columns())
    return frozenset((name, feature_id) for name, feature_id in found)


async def project(
    database: Database,
    generations: Generations,
    batch: Batch,
    parked: Collection[tuple[str, UUID]],
    position: int,
    head: tuple[int, bytes] | None,
) -> str:
    """Write what a batch changed and move the positions, in one round trip; what came of it.

    Args:
        database: As role `bp_projector`.
        generations: What moves, and where it is believed to be.
        batch: Rows to write: of nothing that it removes, parks or lets go.
        parked: Who is believed to wait, by projection.
        position: Where it moves to.
        head: Position and hash of the last event of the batch.

    Returns:
        `moved`, or why nothing was done: `elsewhere`, `parked`, `in_no_log` (see the function).

    Raises:
        Unavailable: the database does not answer; all of it was done, or nothing.
    """
    of = generations.of
    waiting = _columns(parked) if parked else ([], [])
    rows = [
        (c.projection, of[c.projection], c.tenant_id, c.feature_id, c.item, c.version, c.row)
        for c in batch.changes()
    ]
    *named, bodies = _columns(rows) if rows else [[] for _ in range(7)]
    encoded = [_encode(body).decode() for body in bodies]
    moving = (*generations.columns(), generations.position, generations.head)
    values = (*moving, *waiting, position, *(head or (None, None)), *named, encoded)
    [(word,)] = await database.call(PROJECT, values)
    return str(word)


def is_plain(batch: Batch) -> bool:
    """Whether a batch only writes rows, which `project` can do."""
    return not (
        batch.parked or batch.released or any(change.row is None for change in batch.changes())
    )


async def save(
    connection: AsyncBoundedConnection,
    generations: Generations,
    batch: Batch,
    position: int,
    head: tuple[int, bytes] | None = None,
) -> None:
    """Write what a batch changed, park what it could not apply, and move the positions.

    `head` is position and hash of the last event of the batch.

    Raises:
        InNoLog: the log does not hold that event: it was read before the log was set back.
    """
    async with connection.pipeline():
        await _write(connection, generations.of, batch.changes())
        moved = await _settle(connection, generations, batch, position, head)
    _all_moved(moved, generations)


async def save_apart(
    connection: AsyncBoundedConnection,
    generations: Generations,
    batch: Batch,
    position: int,
    head: tuple[int, bytes] | None = None,
) -> None:
    """The same feature by feature, after all together were refused: what is at fault is parked."""
    await _write_apart(connection, generations.of, batch)
    _all_moved(await _settle(connection, generations, batch, position, head), generations)


def _all_moved(moved: AsyncCursor[Any], generations: Generations) -> None:
    if moved.rowcount != len(generations.of):
        raise InNoLog(InNoLog.__doc__)


async def _settle(
    connection: AsyncBoundedConnection,
    generations: Generations,
    batch: Batch,
    position: int,
    head: tuple[int, bytes] | None,
) -> AsyncCursor[Any]:
    of = generations.of
    if batch.released:
        released = _columns((name, of[name], feature_id) for name, feature_id in batch.released)
        await connection.execute(RELEASE, released)
    if batch.parked:
        await connection.execute(PARK, _parked_columns(of, batch.parked))
    at = head or (None, None)
    return await connection.execute(MOVE, (position, *at, *generations.columns(), at[0], *at))


async def _write(
    connection: AsyncBoundedConnection, of: Mapping[str, int], changes: Iterable[RowChange]
) -> None:
    kept: list[RowChange] = []
    gone: list[RowChange] = []
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
    changed: dict[tuple[str, UUID], list[RowChange]] = defaultdict(list)
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


async def clear_feature(
    connection: AsyncBoundedConnection, name: str, generation: int, tenant_id: UUID, feature: UUID
) -> None:
    """Remove one feature's rows of a projection, to be folded anew."""
    await connection.execute(CLEAR_FEATURE, (name, generation, tenant_id, feature))


async def clear(database: Database, names: Sequence[str]) -> None:
    """Remove rows of generations that are no more. Raises Unavailable."""
    for projection in names:
        removed = REMOVED_AT_ONCE
        while removed == REMOVED_AT_ONCE:
            async with database.system() as connection:
                values = {"projection": projection, "limit": REMOVED_AT_ONCE}
                removed = (await connection.execute(CLEAR, values)).rowcount
    async with database.system() as connection:
        await connection.execute(CLEAR_PARKED, (list(names),))


async def retire(database: Database, names: Sequence[str]) -> None:
    """Remove all that is stored of read models that are no more. Raises Unavailable."""
    async with database.system() as connection:
        await connection.execute(RETIRE, (list(names),))
    await clear(database, names)


def _parked_columns(of: Mapping[str, int], parked: Iterable[Parked]) -> Sequence[list[Any]]:
    return _columns(
        (p.projection, of[p.projection], p.feature_id, p.version, p.error) for p in parked
    )


def _columns(rows: Iterable[tuple[Any, ...]]) -> Sequence[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
