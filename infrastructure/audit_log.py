"""The port `AuditLog` on PostgreSQL: headers of one tenant's events, filtered by the database.

Invariant: every value is a parameter; the statement is put together of fixed parts only. Nothing
sealed is opened but the envelope of model answers, for the provider's own name of a request.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from application.audit import (
    PROBLEMS,
    VERDICT,
    AuditEntry,
    Causation,
    ModelCall,
    Wanted,
    tag_of,
    tree_of,
)
from domain.events import StepStarted
from domain.runs import Attempt, Tokens
from domain.status import Verdict
from infrastructure.data_keys import DataKeys, KeyRing
from infrastructure.database import AsyncBoundedConnection, Database
from infrastructure.ledger import PURPOSE, record_of_call
from infrastructure.sealing import DataKey

HEADER: Final = (
    "SELECT position, stream_id, version, event_id, type, schema_version, actor, recorded_at,"
    " correlation_id, causation_id, encode(hash, 'hex')"
)
OF_TENANT: Final = f"{HEADER} FROM es.events WHERE tenant_id = %(tenant)s"
CONDITIONS: Final = {
    "types": "type = any(%(types)s)",
    "not_types": "type <> all(%(not_types)s)",
    "actor": "(actor = %(actor)s OR (strpos(%(actor)s, ':') = 0 AND actor ^@ (%(actor)s || ':')))",
    "feature_id": "stream_id = %(feature_id)s",
    "since": "recorded_at >= %(since)s",
    "until": "recorded_at < %(until)s",
    "problems": (
        "(type = any(%(problems)s) OR (type = %(verdict)s AND"
        " convert_from(payload, 'UTF8')::json ->> 'verdict' <> %(passed)s))"
    ),
}
COMPLETE: Final = (
    "position <= (SELECT coalesce(min(p.position), 0) FROM app.positions p WHERE p.active)"
)
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


class _Started(msgspec.Struct):
    attempt: Attempt
    task_id: UUID


class _Envelope(msgspec.Struct):
    model: str = ""
    request_id: str = ""


class PostgresAuditLog:
    """Reads as the API does: nothing of another tenant is ever in reach."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        """Take a database as the API, and its process's data keys."""
        self._database = database
        self._keys = DataKeys(database, ring)

    async def entries(
        self, tenant_id: UUID, wanted: Wanted, *, beyond: int | None, limit: int, ascending: bool
    ) -> Sequence[AuditEntry]:
        """Events beyond a position, oldest or newest first. Raises Unavailable."""
        given = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
        parts = [OF_TENANT, *(CONDITIONS[name] for name, value in given.items() if value)]
        if beyond is not None:
            parts.append("position > %(beyond)s" if ascending else "position < %(beyond)s")
        if ascending:
            parts.append(COMPLETE)
        order = " ORDER BY position LIMIT %(limit)s"
        if not ascending:
            order = " ORDER BY position DESC LIMIT %(limit)s"
        values = {
            **given,
            "tenant": tenant_id,
            "types": list(wanted.types),
            "not_types": list(wanted.not_types),
            "problems": sorted(PROBLEMS),
            "verdict": VERDICT,
            "passed": str(Verdict.PASS),
            "beyond": beyond,
            "limit": limit,
        }
        async with self._database.tenant(tenant_id) as connection:
            query = (" AND ".join(parts) + order).encode()
            found = await connection.execute(query, values)
            return [AuditEntry(*row) for row in await found.fetchall()]

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
            started = {row[3]: _decode_started(row[11]) for row in rows if row[11] is not None}
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
        key = await self._keys.find(connection, tenant_id, feature_id)
        by_attempt: dict[tuple[UUID, int], list[ModelCall]] = {}
        for row in rows:
            by_attempt.setdefault((row[0], row[1]), []).append(_call(row, key))
        return {
            event_id: tuple(by_attempt.get((one.task_id, one.attempt.number), ()))
            for event_id, one in started.items()
        }


def _call(row: Sequence[Any], key: DataKey | None) -> ModelCall:
    task_id, attempt, turn, sha, announced, announced_at, settled_at, outcome, tokens = row[:9]
    sealed, key_id = row[9:]
    envelope = _Envelope()
    if sealed is not None and key is not None and key.key_id == key_id:
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
