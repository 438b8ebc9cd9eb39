"""A log with signed tree heads, and a superuser who gets around all that the database refuses.

position    1    2    3    4    5    6  |   7    8    9   10  |  11   12
event      A1   B1   A2   B2   C1   A3  |  B3   A4   C2   D1  |  A5   B4
                           first head  ^      second head   ^  none yet
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from application.ports import Effects, Metadata
from application.transparency.tree_head_signer import TreeHeadSigner
from domain import events as e
from infrastructure.artifacts.tree_heads import FolderTreeHeads
from infrastructure.postgres.database import Database
from infrastructure.sealing import MasterKey
from infrastructure.transparency import LogKeys, LogReport, PostgresLogTree, verify_store
from tests.integration.logs import MASTER_TEXT, Opened, new, opened, posted

FIRST, SECOND, REST = "ABABCA", "BACD", "AB"
SIZE = len(FIRST + SECOND)

# What a thorough forger does after a change: number every stream anew, and make all hashes fit.
RECHAIN = """
DO $$
DECLARE
  e record;
  stream uuid;
  head bytea;
  number int;
  fresh bytea;
BEGIN
  UPDATE es.events SET version = version + 10000;
  FOR e IN SELECT * FROM es.events ORDER BY stream_id, position LOOP
    IF stream IS DISTINCT FROM e.stream_id THEN
      stream := e.stream_id; head := ''; number := 0;
    END IF;
    number := number + 1;
    fresh := es.event_hash(head, e.position, e.tenant_id, e.stream_id, number, e.event_id, e.type,
      e.schema_version, e.payload, e.sealed, e.key_id, e.correlation_id, e.causation_id, e.actor,
      e.recorded_at);
    UPDATE es.events SET version = number, previous_hash = head, hash = fresh
      WHERE position = e.position;
    UPDATE es.streams SET version = number, head_hash = fresh, head_at = e.recorded_at,
      tenant_id = e.tenant_id WHERE stream_id = e.stream_id;
    head := fresh;
  END LOOP;
  DELETE FROM es.streams s
    WHERE NOT EXISTS (SELECT FROM es.events x WHERE x.stream_id = s.stream_id);
END $$
"""


@dataclass
class SignedLog:
    """The log, the signer of tree heads, and all that an attack needs."""

    url: str
    opened: Opened
    sweeper: Database
    store: FolderTreeHeads
    folder: Path
    tenant_id: UUID = field(default_factory=uuid7)
    features: dict[str, UUID] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def tree(self) -> PostgresLogTree:
        """The tree."""
        return PostgresLogTree(self.sweeper)

    @property
    def keys(self) -> LogKeys:
        """The key."""
        return LogKeys(self.sweeper)

    def tree_head_signer(self, store: Any = None, *, every_seconds: float = 0) -> TreeHeadSigner:
        """One of any number."""

        async def signer() -> Any:
            return await self.keys.signer(MasterKey.from_text(MASTER_TEXT))

        return TreeHeadSigner(self.tree, store or self.store, signer, every_seconds=every_seconds)

    async def seal(self) -> None:
        """Let a signer of tree heads do all there is to do."""
        tree_head_signer = self.tree_head_signer()
        while await tree_head_signer.round(0):
            continue

    async def record(self, names: str, *, deleting: bool = False) -> None:
        """Append one event to each of these features, in this order."""
        for name in names:
            feature_id = self.features.setdefault(name, uuid7())
            version = self.versions.get(name, 0)
            event = e.FeatureCreated(name) if version == 0 else posted(f"{name}{version + 1}")
            await self.opened.log.append(
                feature_id,
                new(e.FeatureDeleted() if deleting else event),
                expected=version,
                origin=Metadata(self.tenant_id, "user:x", uuid7()),
                effects=Effects(destroy_key=deleting),
            )
            self.versions[name] = version + 1

    async def verify(self, **given: Any) -> LogReport:
        """What `log verify` finds."""
        return await verify_store(self.url, self.store, await self.keys.verifier(), **given)

    def attack(self, *statements: str, rechain: bool = False) -> None:
        """Change what is stored, as a superuser who takes the triggers and constraints away."""
        with psycopg.connect(self.url) as connection:
            connection.execute("ALTER TABLE es.events DISABLE TRIGGER ALL")
            connection.execute("ALTER TABLE es.streams DISABLE TRIGGER ALL")
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]
            if rechain:
                connection.execute(RECHAIN)

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask as the superuser."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []


@asynccontextmanager
async def signed_log(url: str, folder: Path) -> AsyncIterator[SignedLog]:
    """Open it, empty."""
    async with opened(url) as log, Database(url, "bp_sweeper", max_size=4) as sweeper:
        yield SignedLog(url, log, sweeper, FolderTreeHeads(folder), folder)


async def told(kept: SignedLog) -> None:
    """Record the events of the picture above, with its two tree heads."""
    await kept.record(FIRST)
    await kept.seal()
    await kept.record(SECOND)
    await kept.seal()
    await kept.record(REST)
