"""Requests to models, in PostgreSQL: announced before they leave, settled when they are answered.

Invariant: what was announced stays; an answer, once stored, is never replaced, and opens only for
its request and only while the feature exists.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from application.ports import LedgerEntry
from domain.runs import Tokens
from infrastructure.data_keys import DataKeys
from infrastructure.database import AsyncBoundedConnection, Database
from infrastructure.sealing import bind

PURPOSE: Final = "model answer"

ANNOUNCE: Final = """
INSERT INTO app.model_calls AS c (task_id, attempt, turn, tenant_id, feature_id, request_sha256)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (task_id, attempt, turn) DO UPDATE SET announced = c.announced + 1
WHERE c.request_sha256 = excluded.request_sha256 AND c.answer IS NULL
"""
SETTLE: Final = """
UPDATE app.model_calls
SET settled_at = clock_timestamp(), outcome = %s, tokens = %s, answer = %s, key_id = %s
WHERE task_id = %s AND attempt = %s AND turn = %s AND request_sha256 = %s AND answer IS NULL
"""
ENTRIES: Final = """
SELECT attempt, turn, request_sha256, answer, key_id, outcome, tokens
FROM app.model_calls WHERE tenant_id = %s AND feature_id = %s AND task_id = %s
ORDER BY announced_at, attempt, turn
"""


class NotAnnounced(LookupError):
    """A request to a model is in the ledger under another hash, or not at all: a defect."""


class PostgresLedger:
    """The ledger of model calls, for workers. Every method raises Unavailable."""

    def __init__(self, database: Database, keys: DataKeys) -> None:
        """Take the worker's database, and the features' data keys."""
        self._database = database
        self._keys = keys

    async def entries(
        self, tenant_id: UUID, feature_id: UUID, task_id: UUID
    ) -> Sequence[LedgerEntry]:
        """All requests of a task, oldest first: what a new attempt need not buy again."""
        async with self._database.tenant(tenant_id) as connection:
            cursor = await connection.execute(ENTRIES, (tenant_id, feature_id, task_id))
            rows = await cursor.fetchall()
            key = await self._keys.find(connection, tenant_id, feature_id) if rows else None
        found = []
        for attempt, turn, request_sha256, sealed, key_id, outcome, tokens in rows:
            answer = None
            if sealed is not None and key is not None and key.key_id == key_id:
                record = _record(task_id, attempt, turn, request_sha256)
                answer = key.open(PURPOSE, record, bytes(sealed))
            used = msgspec.convert(tokens or {}, Tokens)
            found.append(LedgerEntry(task_id, attempt, turn, request_sha256, answer, outcome, used))
        return found

    async def announce(self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry) -> None:
        """Write the request down, durably, before it leaves; again is counted, not overwritten.

        Raises:
            NotAnnounced: this turn stands there with another request, or is answered already.
        """
        asked = (entry.task_id, entry.attempt, entry.turn, tenant_id, feature_id)
        async with self._database.tenant(tenant_id) as connection:
            done = await connection.execute(ANNOUNCE, (*asked, entry.request_sha256))
            if done.rowcount != 1:
                raise NotAnnounced

    async def settle(self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry) -> None:
        """Write down what came back: the entry's answer, outcome and tokens.

        An answer for a feature that was deleted meanwhile is not kept; its outcome and tokens are.

        Raises:
            NotAnnounced: there is no such request.
        """
        async with self._database.tenant(tenant_id) as connection:
            sealed = key_id = None
            if entry.answer is not None:
                key = await self._keys.find(connection, tenant_id, feature_id)
                if key is not None:
                    record = _record(entry.task_id, entry.attempt, entry.turn, entry.request_sha256)
                    sealed, key_id = key.seal(PURPOSE, record, entry.answer), key.key_id
            tokens = Jsonb(msgspec.to_builtins(entry.tokens))
            named = (entry.task_id, entry.attempt, entry.turn, entry.request_sha256)
            done = await connection.execute(SETTLE, (entry.outcome, tokens, sealed, key_id, *named))
            if done.rowcount != 1 and not await self._stands(connection, named):
                raise NotAnnounced

    @staticmethod
    async def _stands(
        connection: AsyncBoundedConnection, named: tuple[UUID, int, int, str]
    ) -> bool:
        cursor = await connection.execute(
            "SELECT FROM app.model_calls"
            " WHERE task_id = %s AND attempt = %s AND turn = %s AND request_sha256 = %s",
            named,
        )
        return await cursor.fetchone() is not None


def _record(task_id: UUID, attempt: int, turn: int, request_sha256: str) -> bytes:
    return bind(task_id, str(attempt), str(turn), request_sha256)
