"""Requests to models, in PostgreSQL: announced before they leave, settled when they are answered.

Invariant: what was announced stays; nothing is announced but under a live lease; an answer, once
stored, is never replaced, and opens only for its request and only while the feature exists.
"""

from collections.abc import Sequence
from typing import Any, Final, LiteralString, TypeAlias
from uuid import UUID

import msgspec

from application.ports import LeaseLost, LedgerEntry
from domain.runs import Tokens
from infrastructure.batcher import Batcher
from infrastructure.postgres.database import Database
from infrastructure.postgres.steady_clock import TRIES, SteadyClock
from infrastructure.sealing import bind
from infrastructure.sealing.data_keys import DataKeys

PURPOSE: Final = "model answer"

ANNOUNCE: Final = """
SELECT a, k.steady, k.at, k.jumps, k.moved FROM app.keep_time(%s, %s, %s, %s) k
LEFT JOIN LATERAL app.announce_calls(%s, %s, CASE WHEN k.steady OR %s THEN %s::uuid[] ELSE '{}' END,
  %s, %s, %s, %s) a ON true
"""
"""In one statement, so that nothing comes between: leases are compared with the database's clock
only when it is certain that nobody has just set it, or when that cannot be found out."""
SETTLE: Final = "SELECT app.settle_calls(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
CALLS: Final = (
    "SELECT attempt, turn, request_sha256, answer, key_id, outcome, tokens"
    " FROM app.calls_of(%s, %s, %s)"
)

_Call: TypeAlias = tuple[Any, ...]
"""The values of one announcement or settlement, as the function takes them."""


class NotAnnounced(LookupError):
    """A request to a model is in the ledger under another hash, or not at all: a defect."""


class PostgresLedger:
    """The ledger of model calls, for workers. Every method raises Unavailable."""

    def __init__(self, database: Database, keys: DataKeys) -> None:
        """Take the worker's database, and the features' data keys."""
        self._database = database
        self._keys = keys
        self._time = SteadyClock()
        self._announce = Batcher[_Call, str](self._under_lease)
        self._settle = Batcher[_Call, bool](lambda calls: self._together(SETTLE, calls))

    async def entries(
        self, tenant_id: UUID, feature_id: UUID, task_id: UUID
    ) -> Sequence[LedgerEntry]:
        """All requests of a task, oldest first: what a new attempt need not buy again."""
        rows = await self._database.call(CALLS, (tenant_id, feature_id, task_id))
        key = await self._keys.of_feature(tenant_id, feature_id) if rows else None
        found = []
        for attempt, turn, request_sha256, sealed, key_id, outcome, tokens in rows:
            answer = None
            if sealed is not None and key is not None and key.key_id == key_id:
                record = record_of_call(task_id, attempt, turn, request_sha256)
                answer = key.open(PURPOSE, record, sealed)
            used = msgspec.json.decode(tokens, type=Tokens) if tokens else Tokens()
            found.append(LedgerEntry(task_id, attempt, turn, request_sha256, answer, outcome, used))
        return found

    async def announce(
        self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry, fencing_token: int
    ) -> None:
        """Write the request down, durably, before it leaves; again is counted, not overwritten.

        Raises:
            LeaseLost: the task is not leased under this fencing token, or not any more.
            NotAnnounced: this turn stands there with another request, or is answered already.
        """
        turn = (entry.attempt, entry.turn, entry.request_sha256)
        match await self._announce((tenant_id, feature_id, entry.task_id, fencing_token, *turn)):
            case "announced":
                return
            case "lease":
                raise LeaseLost
            case _:
                raise NotAnnounced

    async def settle(self, tenant_id: UUID, feature_id: UUID, entry: LedgerEntry) -> None:
        """Write down what came back: the entry's answer, outcome and tokens.

        An answer for a feature that was deleted meanwhile is not kept; its outcome and tokens are.

        Raises:
            NotAnnounced: there is no such request.
        """
        sealed = key_id = None
        if entry.answer is not None:
            key = await self._keys.likely(tenant_id, feature_id)
            if key is not None:
                record = record_of_call(
                    entry.task_id, entry.attempt, entry.turn, entry.request_sha256
                )
                sealed, key_id = key.seal(PURPOSE, record, entry.answer), key.key_id
        named = (entry.task_id, entry.attempt, entry.turn, entry.request_sha256)
        tokens = msgspec.json.encode(entry.tokens).decode()
        told = (entry.outcome, tokens, sealed, key_id)
        if not await self._settle((tenant_id, *named, *told)):
            raise NotAnnounced

    async def _under_lease(self, calls: Sequence[_Call]) -> Sequence[str]:
        # Or a lease would seem to have run out because somebody set the database's clock.
        tenants, features, tasks, *others = [list(c) for c in zip(*calls, strict=True)]
        for left in reversed(range(TRIES)):
            sent = self._time.now()
            asked = (*self._time.asked(sent), tenants, features, not left, tasks, *others)
            rows = await self._database.call(ANNOUNCE, asked)
            if self._time.answered(sent, rows[0][1:]) or not left:
                return [row[0] for row in rows]
        raise AssertionError("the last try always answers")

    async def _together(self, query: LiteralString, calls: Sequence[_Call]) -> Sequence[Any]:
        columns = [list(column) for column in zip(*calls, strict=True)]
        return [answer for (answer,) in await self._database.call(query, columns)]


def record_of_call(task_id: UUID, attempt: int, turn: int, request_sha256: str) -> bytes:
    """What a sealed answer is bound to."""
    return bind(task_id, str(attempt), str(turn), request_sha256)
