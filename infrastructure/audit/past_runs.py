"""The port `PastRuns` on PostgreSQL: from the clear part of the log, which outlives deletion."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from application.audit.past_runs import TELLING, RecordedRun, RunTrace, recorded_runs
from domain.events import tag_of
from domain.runs import Attempt, Run
from domain.status import Part
from infrastructure.postgres.database import Database

MOST: Final = 1_000
"""Events that are looked at: the last few dozen features of a tenant."""

KINDS: Final = {tag_of(kind): kind for kind in TELLING}

RECENT: Final = """
    SELECT stream_id, version, type, payload FROM es.events
    WHERE tenant_id = %s AND type = any(%s)
    ORDER BY position DESC LIMIT %s
"""


class _Inputs(msgspec.Struct):
    model: str = ""


class _Clear(msgspec.Struct):
    attempt: Attempt | None = None
    run: Run = Run()
    manifest: _Inputs = msgspec.field(default_factory=_Inputs)
    part: Part | None = None


class PostgresPastRuns:
    """Reads as the API does: nothing of another tenant is ever in reach."""

    def __init__(self, database: Database) -> None:
        """Take a database as the API."""
        self._database = database

    async def recent(self, tenant_id: UUID) -> Sequence[RecordedRun]:
        """The newest runs first. Raises Unavailable."""
        async with self._database.tenant(tenant_id) as connection:
            cursor = await connection.execute(RECENT, (tenant_id, list(KINDS), MOST))
            rows = await cursor.fetchall()
        # A long history takes long to read: the event loop goes on meanwhile.
        return await asyncio.to_thread(lambda: recorded_runs(_traces(rows[::-1])))


def _traces(rows: Sequence[Any]) -> Iterator[RunTrace]:
    for feature_id, version, kind, payload in rows:
        try:
            told = _decode(payload)
        except (msgspec.MsgspecError, RecursionError):
            continue  # Of a newer version: an estimate rests on what can be read.
        yield RunTrace(
            feature_id, version, KINDS[kind], told.attempt, told.run, told.manifest.model, told.part
        )


_decode: Final = msgspec.json.Decoder(_Clear).decode
