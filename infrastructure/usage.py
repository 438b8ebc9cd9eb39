"""The port `Expenses` on PostgreSQL: from the clear part of the log, which outlives deletion.

Whether a result still counts is asked of the feature's row; without a row the feature is deleted.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, get_args
from uuid import UUID

import msgspec

from application.usage import Expense, Fate
from domain import events as e
from domain.pipeline import AGENT_OF
from domain.runs import Attempt, Run
from infrastructure.database import Database
from projections.feature import FEATURE, FeatureRow, tag_of

SPENDING: Final = tuple(
    tag_of(kind)
    for kind in get_args(e.FeatureEvent)
    if {"run", "attempt"} <= set(kind.__struct_fields__)
)
"""Events that say what an attempt used."""

RUNS: Final = """
    SELECT stream_id, version, type, recorded_at, payload FROM es.events
    WHERE tenant_id = %(tenant)s AND type = any(%(types)s)
      AND (%(since)s::timestamptz IS NULL OR recorded_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR recorded_at < %(until)s)
    ORDER BY position
"""
STARTED: Final = """
    SELECT stream_id, payload FROM es.events
    WHERE tenant_id = %s AND type = %s AND stream_id = any(%s)
"""
ROWS: Final = """
    SELECT v.feature_id, v.row::text FROM app.views v
    WHERE v.projection = 'feature' AND v.tenant_id = %s AND v.feature_id = any(%s)
      AND v.generation = (
        SELECT p.generation FROM app.positions p WHERE p.projection = 'feature' AND p.active)
"""
FATES: Final = {
    tag_of(e.AttemptFailed): Fate.FAILED,
    tag_of(e.RunDiscarded): Fate.DISCARDED,
}


UNREADABLE: Final = (msgspec.MsgspecError, RecursionError)
"""What decoding raises for what a newer version wrote: it is told as such, and hides nothing."""
UNKNOWN: Final = "unknown"


class _Spent(msgspec.Struct):
    attempt: Attempt
    run: Run = Run()


class _Manifest(msgspec.Struct):
    model: str


class _Started(msgspec.Struct):
    attempt: Attempt
    manifest: _Manifest


class PostgresExpenses:
    """Reads as the API does: nothing of another tenant is ever in reach."""

    def __init__(self, database: Database) -> None:
        """Take a database as the API."""
        self._database = database

    async def between(
        self, tenant_id: UUID, since: datetime | None, until: datetime | None
    ) -> Sequence[Expense]:
        """Expenses recorded in [since, until), in order. Raises Unavailable."""
        asked = {"tenant": tenant_id, "types": list(SPENDING), "since": since, "until": until}
        async with self._database.tenant(tenant_id) as connection:
            runs = await (await connection.execute(RUNS, asked)).fetchall()
            features = list({row[0] for row in runs})
            begun = (tenant_id, tag_of(e.StepStarted), features)
            started = await (await connection.execute(STARTED, begun)).fetchall()
            rows = await (await connection.execute(ROWS, (tenant_id, features))).fetchall()
        # A long history takes long to read: the event loop goes on meanwhile.
        return await asyncio.to_thread(lambda: list(_expenses(runs, started, dict(rows))))


def _expenses(
    runs: Sequence[Any], started: Sequence[Any], rows: dict[UUID, str]
) -> Iterator[Expense]:
    models = {}
    for feature_id, payload in started:
        with contextlib.suppress(*UNREADABLE):
            told = _decode_started(payload)
            models[feature_id, told.attempt] = told.manifest.model
    shown: dict[UUID, FeatureRow | None] = {}
    for feature_id, row in rows.items():
        try:
            shown[feature_id] = _decode_row(row)
        except UNREADABLE:
            shown[feature_id] = None
    for feature_id, version, kind, at, payload in runs:
        try:
            spent = _decode_spent(payload)
        except UNREADABLE:
            yield Expense(feature_id, UNKNOWN, "", at, Run(), Fate.UNREAD)
            continue
        if not spent.run.turns and spent.run.cost_usd == Decimal(0):
            continue
        yield Expense(
            feature_id=feature_id,
            agent=str(AGENT_OF[spent.attempt.step]),
            model=models.get((feature_id, spent.attempt), ""),
            at=at,
            run=spent.run,
            fate=_fate(shown[feature_id], kind, version) if feature_id in shown else Fate.DELETED,
        )


def _fate(row: FeatureRow | None, kind: str, version: int) -> Fate:
    if kind in FATES:
        return FATES[kind]
    if row is None:  # It is there, and a newer version wrote it: nothing is said against the event.
        return Fate.COUNTS
    # A row that has not heard of the event yet has not heard of anything against it either.
    return Fate.COUNTS if version > row.version or row.counts(version) else Fate.REPLACED


_decode_spent: Final = msgspec.json.Decoder(_Spent).decode
_decode_started: Final = msgspec.json.Decoder(_Started).decode
_decode_row: Final = msgspec.json.Decoder(FEATURE.row).decode
