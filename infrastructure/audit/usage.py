"""The port `Expenses` on PostgreSQL: from the clear part of the log, which outlives deletion.

Whether a result still counts is asked of the feature's row; without a row the feature is deleted.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, get_args
from uuid import UUID

import msgspec

from application.audit.usage import Expense, Fate
from domain import events as e
from domain.events import tag_of
from domain.pipeline import AGENT_OF
from domain.runs import OURS, Attempt, Run
from infrastructure.postgres.database import Database
from projections.feature import FEATURE, FeatureRow

SPENDING: Final = tuple(
    tag_of(kind)
    for kind in get_args(e.FeatureEvent)
    if {"run", "attempt"} <= set(kind.__struct_fields__)
)
"""Events that say what an attempt used."""

FEATURES: Final = """
    SELECT DISTINCT stream_id FROM es.events
    WHERE tenant_id = %(tenant)s AND type = any(%(types)s)
      AND (%(since)s::timestamptz IS NULL OR recorded_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR recorded_at < %(until)s)
    ORDER BY stream_id
"""
EVENTS: Final = """
    SELECT stream_id, version, type, recorded_at, payload FROM es.events
    WHERE tenant_id = %(tenant)s AND stream_id = any(%(features)s) AND type = any(%(types)s)
      AND (stream_id, version) > (%(feature)s, %(version)s)
    ORDER BY stream_id, version LIMIT %(limit)s
"""
FEATURES_AT_ONCE: Final = 100
"""Features whose rows are held together."""
EVENTS_AT_ONCE: Final = 1_000
ROWS: Final = """
    SELECT v.feature_id, v.row::text FROM app.views v
    WHERE v.projection = 'feature' AND v.tenant_id = %s AND v.feature_id = any(%s)
      AND v.generation = (
        SELECT p.generation FROM app.positions p WHERE p.projection = 'feature' AND p.active)
"""
STARTED: Final = tag_of(e.StepStarted)
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
    code: str = ""


class _Inputs(msgspec.Struct):
    model: str
    prices: str = ""


NO_INPUTS: Final = _Inputs("")


class _Started(msgspec.Struct):
    attempt: Attempt
    manifest: _Inputs


class PostgresExpenses:
    """Reads as the API does: nothing of another tenant is ever in reach."""

    def __init__(self, database: Database) -> None:
        """Take a database as the API."""
        self._database = database

    async def between(
        self, tenant_id: UUID, since: datetime | None, until: datetime | None
    ) -> AsyncIterator[Sequence[Expense]]:
        """Expenses recorded in [since, until), feature by feature. Raises Unavailable."""
        asked = {"tenant": tenant_id, "types": list(SPENDING), "since": since, "until": until}
        async with self._database.tenant(tenant_id) as connection:
            found = await (await connection.execute(FEATURES, asked)).fetchall()
        features = [row[0] for row in found]
        for start in range(0, len(features), FEATURES_AT_ONCE):
            some = features[start : start + FEATURES_AT_ONCE]
            async with self._database.tenant(tenant_id) as connection:
                rows = dict(await (await connection.execute(ROWS, (tenant_id, some))).fetchall())
            books = {feature_id: _Book(feature_id, rows.get(feature_id)) for feature_id in some}
            place = (UUID(int=0), 0)
            more = True
            while more:
                events = await self._events(tenant_id, some, place)
                if events:
                    place = (events[-1][0], events[-1][1])
                    entered = (books[event[0]].entered(*event[1:]) for event in events)
                    yield [
                        one
                        for one in entered
                        if one is not None
                        and (since is None or one.at >= since)
                        and (until is None or one.at < until)
                    ]
                more = len(events) == EVENTS_AT_ONCE

    async def _events(
        self, tenant_id: UUID, features: list[UUID], place: tuple[UUID, int]
    ) -> Sequence[Any]:
        asked = {
            "tenant": tenant_id,
            "features": features,
            "types": [STARTED, *SPENDING],
            "feature": place[0],
            "version": place[1],
            "limit": EVENTS_AT_ONCE,
        }
        async with self._database.tenant(tenant_id) as connection:
            return await (await connection.execute(EVENTS, asked)).fetchall()


class _Book:
    """The expenses of one feature, from its events in order."""

    def __init__(self, feature_id: UUID, row: str | None) -> None:
        self._feature_id = feature_id
        self._inputs: dict[Attempt, _Inputs] = {}
        self._exists = row is not None
        self._row: FeatureRow | None = None
        if row is not None:
            with contextlib.suppress(*UNREADABLE):  # A newer version wrote it.
                self._row = _decode_row(row)
        self._counting = self._row.counting if self._row else frozenset()

    def entered(self, version: int, kind: str, at: datetime, payload: bytes) -> Expense | None:
        """What an event says was used, if it is anything."""
        if kind == STARTED:
            with contextlib.suppress(*UNREADABLE):
                told = _decode_started(payload)
                self._inputs[told.attempt] = told.manifest
            return None
        try:
            spent = _decode_spent(payload)
        except UNREADABLE:
            return Expense(self._feature_id, UNKNOWN, "", at, Run(), Fate.UNREAD)
        if not spent.run.turns and spent.run.cost_usd == Decimal(0):
            return None
        inputs = self._inputs.get(spent.attempt, NO_INPUTS)
        return Expense(
            feature_id=self._feature_id,
            agent=str(AGENT_OF[spent.attempt.step]),
            model=inputs.model,
            prices=inputs.prices,
            at=at,
            run=spent.run,
            fate=self._fate(kind, version, spent.code),
        )

    def _fate(self, kind: str, version: int, code: str) -> Fate:
        if not self._exists:
            return Fate.DELETED
        if kind in FATES:
            return Fate.OURS if code in OURS else FATES[kind]
        # A row that does not hold the event yet, or cannot be read, says nothing against it.
        row = self._row
        counts = row is None or version > row.version or version in self._counting
        return Fate.COUNTS if counts else Fate.REPLACED


_decode_spent: Final = msgspec.json.Decoder(_Spent).decode
_decode_started: Final = msgspec.json.Decoder(_Started).decode
_decode_row: Final = msgspec.json.Decoder(FEATURE.row).decode
