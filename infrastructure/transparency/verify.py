"""Verifies the whole store: every chain, every stream's end, and the root at every checkpoint.

Invariant: everything is computed here from the stored rows; nothing that the database computes or
remembers is believed, but for telling what is missing.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

import psycopg
from msgspec import Struct

from application.ports import ArtifactMissing
from application.transparency.checkpoint import Checkpoint
from application.transparency.notary import CheckpointStore, NoteRefused
from application.transparency.tree import CompactRange, event_leaf
from infrastructure.database import AsyncBoundedConnection, conninfo_of, unavailable
from infrastructure.event_log.chain import ChainBroken, Chains, StoredRow
from infrastructure.event_log.reader import COLUMNS
from infrastructure.transparency.note import NoteVerifier

Rows: TypeAlias = AsyncGenerator[tuple[Any, ...], None]

ROLE: Final = "bp_sweeper"
ROWS_AT_ONCE: Final = 250
TELL_EVERY: Final = 10_000
NOTES_AT_ONCE: Final = 64
HOLES_NAMED: Final = 10

EVENTS: Final = f"SELECT {COLUMNS} FROM es.events ORDER BY position"  # noqa: S608 - our columns.
STREAMS: Final = "SELECT stream_id, tenant_id, version, head_hash FROM es.streams"
NOTED: Final = "SELECT noted_size FROM app.log_tree"


class LogBroken(Exception):
    """The log is not what was recorded."""

    def __init__(
        self,
        reason: str,
        *,
        position: int | None = None,
        feature_id: UUID | None = None,
        version: int | None = None,
        between: tuple[int, int] | None = None,
    ) -> None:
        """Say what is wrong, and where: at an event, or in the positions from … to."""
        super().__init__(reason)
        self.position = position
        self.feature_id = feature_id
        self.version = version
        self.between = between


class LogReport(Struct, kw_only=True):
    """What was found."""

    valid: bool = True
    broken: str | None = None
    """The first bad place, in one sentence."""
    position: int | None = None
    feature_id: UUID | None = None
    version: int | None = None
    between: tuple[int, int] | None = None
    """Where no single event can be named: the first and last position of the bad range."""
    events: int = 0
    """That were read."""
    features: int = 0
    checkpoints: int = 0
    """Whose root was computed anew and is the signed one."""
    covered: int = 0
    """Events up to the newest of these checkpoints."""
    covered_position: int = 0
    covered_at: datetime | None = None
    key: str | None = None
    """The verifier key that the checkpoints were checked with."""


class Verifier:
    """Takes events in the order of positions, and stops at the first bad place."""

    def __init__(self, checkpoints: Iterable[Checkpoint], report: LogReport) -> None:
        """Take checkpoints whose signatures are checked, smallest first, and what to fill in."""
        self._left = iter(checkpoints)
        self._next = next(self._left, None)
        self._chains = Chains()
        self._tree = CompactRange()
        self._recent: list[int] = []
        self._last = 0
        self._report = report

    def add(self, row: StoredRow) -> None:
        """Check one event, and the checkpoints that end before it. Raises LogBroken."""
        while self._next is not None and row.position > self._next.position:
            self._compare(self._next)
        if row.position <= self._last:
            said = f"Position {row.position} is taken twice, or is none."
            raise LogBroken(said, position=row.position)
        try:
            self._chains.add(row)
        except ChainBroken as broken:
            raise LogBroken(
                f"The event at position {row.position} (feature {row.feature_id}, version "
                f"{row.version}, {row.type}) {broken.reason}.",
                position=row.position,
                feature_id=row.feature_id,
                version=row.version,
            ) from None
        self._tree.append(event_leaf(row.position, row.hash))
        self._last = row.position
        if self._next is not None:
            self._recent.append(row.position)
        self._report.events += 1

    def end(self, streams: Iterable[tuple[UUID, UUID, int, bytes]]) -> None:
        """Check what is left after the last event: checkpoints, and streams' ends."""
        while self._next is not None:
            self._compare(self._next, at_end=self._last < self._next.position)
        ends = self._chains.ends
        self._report.features = len(ends)
        known = set()
        wrong: list[tuple[int, LogBroken]] = []
        for feature_id, tenant_id, version, head in streams:
            known.add(feature_id)
            end = ends.get(feature_id)
            if end and (end.tenant_id, end.version, end.hash) == (tenant_id, version, head):
                continue
            here = f"ends at version {end.version}" if end else "has no events"
            said = f"Feature {feature_id} {here}; it was recorded up to version {version}."
            place = LogBroken(said, feature_id=feature_id, version=end.version if end else 0)
            wrong.append((end.position if end else 0, place))
        for feature_id in ends.keys() - known:
            said = f"Feature {feature_id} has events, and its stream is gone."
            wrong.append((ends[feature_id].position, LogBroken(said, feature_id=feature_id)))
        if wrong:
            raise min(wrong, key=lambda found: found[0])[1]

    def _compare(self, signed: Checkpoint, *, at_end: bool = False) -> None:
        """Compare the tree with a checkpoint that covers exactly what was read so far."""
        report = self._report
        first, last = report.covered_position + 1, signed.position
        gone = signed.size - self._tree.size
        where = f"between positions {first} and {last}"
        if gone > 0 and at_end:
            said = (
                f"The log is cut off after position {self._last}: the checkpoint of "
                f"{signed.at:%Y-%m-%d %H:%M:%S} UTC covers {signed.size} events up to {last}"
                f"{self._holes(first, self._last)}."
            )
            raise LogBroken(said, between=(self._last + 1, last))
        if gone > 0:
            said = f"{_events(gone)} missing {where}{self._holes(first, last)}."
            raise LogBroken(said, between=(first, last))
        if gone < 0:
            said = f"{_events(-gone)} too many {where}: added after the checkpoint was signed."
            raise LogBroken(said, between=(first, last))
        if self._tree.root() != signed.root or self._last != signed.position:
            said = (
                f"The log was rewritten {where}: its chains fit, and its Merkle root is not the "
                f"one signed at {signed.at:%Y-%m-%d %H:%M:%S} UTC."
            )
            raise LogBroken(said, between=(first, last))
        report.checkpoints += 1
        report.covered, report.covered_position = signed.size, signed.position
        report.covered_at = signed.at
        self._recent.clear()
        self._next = next(self._left, None)

    def _holes(self, first: int, last: int) -> str:
        """Positions without an event: some may never have had one, after a rolled-back append."""
        there = set(self._recent)
        holes = [place for place in range(first, last + 1) if place not in there]
        if not holes:
            return ""
        named = ", ".join(map(str, holes[:HOLES_NAMED]))
        more = ", …" if len(holes) > HOLES_NAMED else ""
        return f"; no event stands at {named}{more}"


async def verify_store(
    url: str,
    store: CheckpointStore,
    key: NoteVerifier | None,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> LogReport:
    """Verify everything that is stored.

    Args:
        url: The database.
        store: The checkpoints.
        key: The log's public key, best from where nobody can change it with the database; None if
            no checkpoint was ever signed.
        progress: Told the number of events read, now and then.

    Raises:
        Unavailable: the database or the store does not answer.
    """
    report = LogReport(key=key.text() if key else None)
    try:
        with unavailable():
            async with _connected(url) as connection:
                noted = await (await connection.execute(NOTED)).fetchone()
            checkpoints = await _checkpoints(store, key, int(noted[0]) if noted else 0)
            async with _connected(url) as connection:
                await _read(connection, Verifier(checkpoints, report), report, progress)
    except LogBroken as broken:
        report.valid, report.broken = False, str(broken)
        report.position, report.feature_id = broken.position, broken.feature_id
        report.version, report.between = broken.version, broken.between
    return report


async def _read(
    connection: AsyncBoundedConnection,
    verifier: Verifier,
    report: LogReport,
    progress: Callable[[int], None],
) -> None:
    add = verifier.add
    # One statement for all events: chunks stream while we compute, each waited for on its own.
    await connection.execute("SET LOCAL statement_timeout = 0")
    async with (
        connection.cursor(binary=True) as cursor,
        aclosing(cast("Rows", cursor.stream(EVENTS, size=ROWS_AT_ONCE))) as rows,
    ):
        try:
            async for row in rows:
                add(StoredRow(*row))
                if report.events % TELL_EVERY == 0:
                    progress(report.events)
        except psycopg.DataError as error:
            raise LogBroken(f"An event after the first {report.events} is unreadable.") from error
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(STREAMS)
        verifier.end([(row[0], row[1], row[2], bytes(row[3])) for row in await cursor.fetchall()])


async def _checkpoints(
    store: CheckpointStore, key: NoteVerifier | None, noted: int
) -> Sequence[Checkpoint]:
    """All of them, their signatures checked."""
    sizes = await store.list()
    if (sizes[-1] if sizes else 0) < noted:
        raise LogBroken(f"The newest checkpoint is gone from the store: it was of {noted} events.")
    if sizes and key is None:
        raise LogBroken("There are checkpoints, and the key that signed them is gone.")
    found: list[Checkpoint] = []
    for first in range(0, len(sizes), NOTES_AT_ONCE):
        asked = sizes[first : first + NOTES_AT_ONCE]
        notes = await asyncio.gather(*map(store.get, asked), return_exceptions=True)
        for size, note in zip(asked, notes, strict=True):
            found.append(_checked(key, size, note, found[-1].position if found else 0))
    return found


def _checked(
    key: NoteVerifier | None, size: int, note: bytes | BaseException, after: int
) -> Checkpoint:
    try:
        if isinstance(note, BaseException):
            raise note
        checkpoint = key.read(note) if key else None
    except (NoteRefused, ArtifactMissing) as refused:
        raise LogBroken(f"The checkpoint of {size} events is not good: {refused}.") from None
    if checkpoint is None or checkpoint.size != size or checkpoint.position <= after:
        raise LogBroken(f"The checkpoint of {size} events stands in the place of another.")
    return checkpoint


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncBoundedConnection]:
    """A transaction that sees one state of the log from its beginning to its end."""
    connection: AsyncBoundedConnection = await AsyncBoundedConnection.connect(
        conninfo_of(url, ROLE)
    )
    async with connection:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        yield connection


def _events(count: int) -> str:
    return "1 event is" if count == 1 else f"{count} events are"
