"""Verifies the whole store: every chain, every stream's end, and the root at every tree head.

Invariant: everything is computed here from the stored rows; nothing that the database computes or
remembers is believed, but for telling what is missing.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, TypeAlias, cast

import psycopg

from application.ports import ArtifactMissing
from application.transparency.ports import NoteRefused, TreeHeadStore
from application.transparency.tree_head import SignedTreeHead
from infrastructure.event_log.chain import StoredRow
from infrastructure.event_log.reader import COLUMNS
from infrastructure.postgres.database import AsyncBoundedConnection, conninfo_of, unavailable
from infrastructure.transparency.note import NoteVerifier
from infrastructure.transparency.verifier import LogBroken, LogReport, Verifier

Rows: TypeAlias = AsyncGenerator[tuple[Any, ...], None]

ROLE: Final = "bp_sweeper"
ROWS_AT_ONCE: Final = 250
TELL_EVERY: Final = 10_000
NOTES_AT_ONCE: Final = 64

EVENTS: Final = f"SELECT {COLUMNS} FROM es.events ORDER BY position"  # noqa: S608 - our columns.
STREAMS: Final = "SELECT stream_id, tenant_id, version, head_hash FROM es.streams"
NOTED: Final = "SELECT noted_size FROM app.log_tree"


async def verify_store(
    url: str,
    store: TreeHeadStore,
    key: NoteVerifier | None,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> LogReport:
    """Verify everything that is stored.

    Args:
        url: The database.
        store: The tree heads.
        key: The log's public key, best from where nobody can change it with the database; None if
            no tree head was ever signed.
        progress: Told the number of events read, now and then.

    Raises:
        Unavailable: the database or the store does not answer.
    """
    report = LogReport(key=key.text() if key else None)
    try:
        with unavailable():
            async with _connected(url) as connection:
                noted = await (await connection.execute(NOTED)).fetchone()
            tree_heads = await _tree_heads(store, key, int(noted[0]) if noted else 0)
            async with _connected(url) as connection:
                await _read(connection, Verifier(tree_heads, report), report, progress)
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


async def _tree_heads(
    store: TreeHeadStore, key: NoteVerifier | None, noted: int
) -> Sequence[SignedTreeHead]:
    """All of them, their signatures checked."""
    sizes = await store.list()
    if (sizes[-1] if sizes else 0) < noted:
        raise LogBroken(f"The newest tree head is gone from the store: it was of {noted} events.")
    if sizes and key is None:
        raise LogBroken("There are tree heads, and the key that signed them is gone.")
    found: list[SignedTreeHead] = []
    for first in range(0, len(sizes), NOTES_AT_ONCE):
        asked = sizes[first : first + NOTES_AT_ONCE]
        notes = await asyncio.gather(*map(store.get, asked), return_exceptions=True)
        for size, note in zip(asked, notes, strict=True):
            found.append(_checked(key, size, note, found[-1].position if found else 0))
    return found


def _checked(
    key: NoteVerifier | None, size: int, note: bytes | BaseException, after: int
) -> SignedTreeHead:
    try:
        if isinstance(note, BaseException):
            raise note
        tree_head = key.read(note) if key else None
    except (NoteRefused, ArtifactMissing) as refused:
        raise LogBroken(f"The tree head of {size} events is not good: {refused}.") from None
    if tree_head is None or tree_head.size != size or tree_head.position <= after:
        raise LogBroken(f"The tree head of {size} events stands in the place of another.")
    return tree_head


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncBoundedConnection]:
    """A transaction that sees one state of the log from its beginning to its end."""
    connection: AsyncBoundedConnection = await AsyncBoundedConnection.connect(
        conninfo_of(url, ROLE, writes=False)
    )
    async with connection:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        yield connection
