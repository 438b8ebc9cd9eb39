"""The port `AuditLog` on PostgreSQL: headers of one tenant's events, filtered by the database.

Invariant: every value is a parameter; the statement is put together of fixed parts only. Nothing
sealed is opened but the envelope of model answers, for the provider's own name of a request.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from application.audit.events import (
    PROBLEMS,
    VERDICT,
    AuditEntry,
    Causation,
    EventFilter,
    Found,
    ModelCall,
    tree_of,
)
from domain.events import StepStarted, tag_of
from domain.runs import Attempt, Tokens
from domain.status import Verdict
from infrastructure.audit.search import (
    CODED,
    condition_of,
    titled,
    titles_of,
    values_of,
)
from infrastructure.postgres.database import AsyncBoundedConnection, Database
from infrastructure.queue.ledger import PURPOSE, record_of_call
from infrastructure.read_models.views import COMPLETE_UPTO
from infrastructure.sealing import DataKey, MasterKeyUnusable, Unsealable
from infrastructure.sealing.data_keys import DataKeys, KeyRing

HEADER: Final = (
    "SELECT position, stream_id, version, event_id, type, schema_version, actor, recorded_at,"
    " correlation_id, causation_id, encode(hash, 'hex')"
)
LOOKED_AT: Final = """
    FROM es.events e WHERE tenant_id = %(tenant)s"""
LIMITS: Final = {
    "types": "type = any(%(types)s)",
    "feature_id": "stream_id = %(feature_id)s",
    "since": "recorded_at >= %(since)s",
    "until": "recorded_at < %(until)s",
    "problems": "type = any(%(troubles)s)",
}
"""What an index narrows down: only what these leave is looked at, and counted."""

IN_ORDER: Final = "SET LOCAL enable_sort = off"
"""The whole log comes in order from its index. As long as there are no statistics of a tenant, the
planner believes it to be small, and would read and sort all of it for every page."""

CONDITIONS: Final = {
    "not_types": "type <> all(%(not_types)s)",
    "actor": "(actor = %(actor)s OR (strpos(%(actor)s, ':') = 0 AND actor ^@ (%(actor)s || ':')))",
    "problems": (
        "(type <> %(verdict)s OR coalesce(app.text_at(payload, 'verdict'), '') <> %(passed)s)"
    ),
}
COMPLETE: Final = f"position <= {COMPLETE_UPTO}"
"""What every read model has applied: nothing below it is still to come."""

OF_COMMAND: Final = (
    f"{HEADER}, CASE WHEN type = %(started)s THEN payload END"  # noqa: S608
    " FROM es.events WHERE tenant_id = %(tenant)s AND stream_id = %(feature_id)s"
    " AND correlation_id = (SELECT c.correlation_id FROM es.events c WHERE c.tenant_id = %(tenant)s"
    " AND c.stream_id = %(feature_id)s AND c.event_id = %(event_id)s) ORDER BY version"
)
CALLS: Final = (
    "SELECT task_id, attempt, turn, request_sha256, announced, announced_at, settled_at, outcome,"
    " tokens::text, answer, key_id FROM app.model_calls"
    " WHERE feature_id = %s AND task_id = any(%s) ORDER BY task_id, attempt, turn"
)
UNKNOWN: Final = "outcome_unknown"
LOOKS_AT_MOST: Final = 20_000
"""Events that one call looks at: about 50 ms of the database."""


class _Started(msgspec.Struct):
    attempt: Attempt
    task_id: UUID


class _Envelope(msgspec.Struct):
    model: str = ""
    request_id: str = ""


class PostgresAuditLog:
    """Reads as the API does: nothing of another tenant is ever in reach."""

    def __init__(self, database: Database, ring: KeyRing, *, most: int = LOOKS_AT_MOST) -> None:
        """Take a database as the API, its process's data keys, and how many events to look at."""
        self._database = database
        self._most = most
        self._keys = DataKeys(database, ring)

    async def entries(
        self,
        tenant_id: UUID,
        wanted: EventFilter,
        *,
        beyond: int | None,
        limit: int,
        ascending: bool,
    ) -> Found:
        """Events beyond a position, oldest or newest first. Raises Unavailable."""
        narrowed, conditions, values = _asked(wanted, beyond=beyond, ascending=ascending)
        values |= {"tenant": tenant_id, "limit": limit, "most": self._most}
        order = f"ORDER BY position {'ASC' if ascending else 'DESC'}"
        async with self._database.tenant(tenant_id) as connection:
            if not any(getattr(wanted, name) for name in LIMITS):
                await connection.execute(IN_ORDER)
            last = None
            if conditions:
                ended = f"{HEADER} {narrowed} {order} OFFSET %(most)s - 1 LIMIT 1"
                row = await (await connection.execute(ended.encode(), values)).fetchone()
                last = AuditEntry(*row) if row else None
            if last is not None:
                values["last"] = last.position
                conditions.append(f"position {'<=' if ascending else '>='} %(last)s")
            for number, word in enumerate(wanted.words):
                values[f"titled_{number}"] = await titled(connection, tenant_id, word.text)
            query = f"{HEADER} {' AND '.join([narrowed, *conditions])} {order} LIMIT %(limit)s"
            found = await connection.execute(query.encode(), values)
            entries = [AuditEntry(*row) for row in await found.fetchall()]
            titles = await titles_of(connection, tenant_id, {one.feature_id for one in entries})
        if len(entries) == limit:
            last = None
        return Found(entries, titles, last)

    async def titles(self, tenant_id: UUID, features: Collection[UUID]) -> Mapping[UUID, str]:
        """What features are called now; deleted ones are missing. Raises Unavailable."""
        async with self._database.tenant(tenant_id) as connection:
            return await titles_of(connection, tenant_id, features)

    async def causation(
        self, tenant_id: UUID, feature_id: UUID, event_id: UUID
    ) -> Causation | None:
        """What followed from the command that an event belongs to. Raises Unavailable."""
        asked = {
            "tenant": tenant_id,
            "feature_id": feature_id,
            "event_id": event_id,
            "started": tag_of(StepStarted),
        }
        async with self._database.tenant(tenant_id) as connection:
            rows = await (await connection.execute(OF_COMMAND, asked)).fetchall()
            if not rows:
                return None
            started = _started({row[3]: row[11] for row in rows if row[11] is not None})
            calls = await self._calls(connection, tenant_id, feature_id, started)
        entries = [AuditEntry(*row[:11]) for row in rows]
        every = [call for each in calls.values() for call in each]
        return Causation(
            correlation_id=entries[0].correlation_id,
            actor=entries[0].actor,
            events=len(entries),
            calls=len(every),
            tokens=sum((call.tokens for call in every), Tokens()),
            roots=tree_of(entries, calls),
        )

    async def _calls(
        self,
        connection: AsyncBoundedConnection,
        tenant_id: UUID,
        feature_id: UUID,
        started: dict[UUID, _Started],
    ) -> dict[UUID, tuple[ModelCall, ...]]:
        """The requests of each announced attempt."""
        tasks = list({attempt.task_id for attempt in started.values()})
        if not tasks:
            return {}
        rows = await (await connection.execute(CALLS, (feature_id, tasks))).fetchall()
        key = None
        with contextlib.suppress(Unsealable, MasterKeyUnusable):  # Then nothing is named.
            key = await self._keys.find(connection, tenant_id, feature_id)
        by_attempt: dict[tuple[UUID, int], list[ModelCall]] = {}
        for row in rows:
            by_attempt.setdefault((row[0], row[1]), []).append(_call(row, key))
        return {
            event_id: tuple(by_attempt.get((one.task_id, one.attempt.number), ()))
            for event_id, one in started.items()
        }


def _asked(
    wanted: EventFilter, *, beyond: int | None, ascending: bool
) -> tuple[str, list[str], dict[str, Any]]:
    """Which events to look at, which of them to take, and the values for both."""
    given = {name for name in wanted.__struct_fields__ if getattr(wanted, name)}
    narrowed = [LOOKED_AT, *(text for name, text in LIMITS.items() if name in given)]
    if beyond is not None:
        narrowed.append("position > %(beyond)s" if ascending else "position < %(beyond)s")
    if ascending:
        narrowed.append(COMPLETE)
    conditions = [text for name, text in CONDITIONS.items() if name in given]
    values: dict[str, Any] = {
        "types": list(wanted.types),
        "not_types": list(wanted.not_types),
        "actor": wanted.actor,
        "feature_id": wanted.feature_id,
        "since": wanted.since,
        "until": wanted.until,
        "troubles": [*sorted(PROBLEMS), VERDICT],
        "verdict": VERDICT,
        "passed": str(Verdict.PASS),
        "beyond": beyond,
        "coded": CODED,
    }
    for number, word in enumerate(wanted.words):
        conditions.append(condition_of(number, word))
        values |= values_of(number, word)
    return " AND ".join(narrowed), conditions, values


def _started(payloads: Mapping[UUID, bytes]) -> dict[UUID, _Started]:
    """The announced attempts, as far as they can be read: a newer version may have written one."""
    found: dict[UUID, _Started] = {}
    for event_id, payload in payloads.items():
        with contextlib.suppress(msgspec.MsgspecError, RecursionError):
            found[event_id] = _decode_started(payload)
    return found


def _call(row: Sequence[Any], key: DataKey | None) -> ModelCall:
    task_id, attempt, turn, sha, announced, announced_at, settled_at, outcome, tokens = row[:9]
    sealed, key_id = row[9:]
    envelope = _Envelope()
    if sealed is not None and key is not None and key.key_id == key_id:
        with contextlib.suppress(Unsealable, msgspec.MsgspecError):  # Damaged: it names nothing.
            opened = key.open(PURPOSE, record_of_call(task_id, attempt, turn, sha), bytes(sealed))
            envelope = msgspec.json.decode(opened, type=_Envelope)
    return ModelCall(
        attempt=attempt,
        turn=turn,
        request_sha256=sha,
        announced=announced,
        announced_at=announced_at,
        settled_at=settled_at,
        outcome=outcome or UNKNOWN,
        tokens=msgspec.json.decode(tokens, type=Tokens) if tokens else Tokens(),
        model=envelope.model or None,
        request_id=envelope.request_id or None,
    )


_decode_started: Final = msgspec.json.Decoder(_Started).decode
