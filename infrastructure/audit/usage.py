"""The port `Expenses` on PostgreSQL: from the clear part of the log, which outlives deletion.

Why a token was paid is folded from the same events (`application.audit.waste`), and so is whether a
result still counts; so the answer is the log's, however far the read models have come.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, get_args
from uuid import UUID

import msgspec

from application.audit.expense import Expense, Fate
from application.audit.waste import DECIDING, Causes, ClearPart, SpendingCause
from domain import events as e
from domain.events import tag_of
from domain.pipeline import AGENT_OF
from domain.runs import OURS, Attempt, Run
from infrastructure.postgres.database import Database

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
"""Features whose events are asked for together."""
EVENTS_AT_ONCE: Final = 1_000
KINDS: Final[Mapping[str, type[e.FeatureEvent]]] = {
    tag_of(kind): kind
    for kind in get_args(e.FeatureEvent)
    if tag_of(kind) in SPENDING or kind in DECIDING
}
"""The events that are read."""
STARTED: Final = tag_of(e.StepStarted)
FATES: Final = {
    tag_of(e.AttemptFailed): Fate.FAILED,
    tag_of(e.RunDiscarded): Fate.DISCARDED,
}


UNREADABLE: Final = (msgspec.MsgspecError, RecursionError)
"""What decoding raises for what a newer version wrote: it is told as such, and hides nothing."""
UNKNOWN: Final = "unknown"


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
            async for book in self._books(tenant_id, some):
                for entered in book:
                    yield [
                        one
                        for one in entered
                        if (since is None or one.at >= since) and (until is None or one.at < until)
                    ]

    async def of_feature(
        self, tenant_id: UUID, feature_id: UUID
    ) -> AsyncIterator[Sequence[Expense]]:
        """All expenses of one feature. Raises Unavailable."""
        async for book in self._books(tenant_id, [feature_id]):
            for found in book:
                yield found

    async def _books(
        self, tenant_id: UUID, features: list[UUID]
    ) -> AsyncIterator[Iterator[Sequence[Expense]]]:
        """The expenses of each feature, once its last event is read: before, no cause is sure."""
        book, place, more = _Book(UUID(int=0)), (UUID(int=0), 0), True
        while more:
            events = await self._events(tenant_id, features, place)
            for feature_id, version, kind, at, payload in events:
                if feature_id != book.feature_id:
                    yield book.closed()
                    book = _Book(feature_id)
                book.enter(version, kind, at, payload)
                place = (feature_id, version)
            more = len(events) == EVENTS_AT_ONCE
        yield book.closed()

    async def _events(
        self, tenant_id: UUID, features: list[UUID], place: tuple[UUID, int]
    ) -> Sequence[Any]:
        asked = {
            "tenant": tenant_id,
            "features": features,
            "types": [*KINDS],
            "feature": place[0],
            "version": place[1],
            "limit": EVENTS_AT_ONCE,
        }
        async with self._database.tenant(tenant_id) as connection:
            return await (await connection.execute(EVENTS, asked)).fetchall()


class _Book:
    """The expenses of one feature, from its events in order."""

    def __init__(self, feature_id: UUID) -> None:
        self.feature_id = feature_id
        self._inputs: dict[Attempt, _Inputs] = {}
        self._causes = Causes()
        self._entries: list[tuple[int, str, datetime, ClearPart]] = []

    def enter(self, version: int, kind: str, at: datetime, payload: bytes) -> None:
        """Take in what an event says."""
        try:
            told = _decode_told(payload)
            if kind == STARTED:
                started = _decode_started(payload)
                self._inputs[started.attempt] = started.manifest
        except UNREADABLE:
            if kind in SPENDING:
                self._entries.append((version, UNKNOWN, at, NOTHING_TOLD))
            return
        self._causes.add(version, KINDS[kind], told)
        run = told.run
        if kind in SPENDING and run is not None and (run.turns or run.cost_usd != Decimal(0)):
            self._entries.append((version, kind, at, told))

    def closed(self) -> Iterator[Sequence[Expense]]:
        """All expenses, some at a time."""
        causes = self._causes.causes()
        for start in range(0, len(self._entries), EVENTS_AT_ONCE):
            some = self._entries[start : start + EVENTS_AT_ONCE]
            yield [self._expense(causes, *entry) for entry in some]

    def _expense(
        self,
        causes: Mapping[int, SpendingCause],
        version: int,
        kind: str,
        at: datetime,
        told: ClearPart,
    ) -> Expense:
        if told.attempt is None or told.run is None:
            unread = Fate.UNREAD
            return Expense(
                self.feature_id, UNKNOWN, "", at, Run(), unread, cause=SpendingCause.UNREAD
            )
        inputs, cause = self._inputs.get(told.attempt, NO_INPUTS), causes[version]
        return Expense(
            feature_id=self.feature_id,
            agent=str(AGENT_OF[told.attempt.step]),
            model=inputs.model,
            prices=inputs.prices,
            at=at,
            run=told.run,
            fate=self._fate(kind, told.code, cause),
            cause=cause,
        )

    def _fate(self, kind: str, code: str, cause: SpendingCause) -> Fate:
        if self._causes.deleted:
            return Fate.DELETED
        if kind in FATES:
            return Fate.OURS if code in OURS else FATES[kind]
        return Fate.COUNTS if cause is SpendingCause.IN_USE else Fate.REPLACED


NOTHING_TOLD: Final = ClearPart()
_decode_told: Final = msgspec.json.Decoder(ClearPart).decode
_decode_started: Final = msgspec.json.Decoder(_Started).decode
