"""The port `EventLog` on PostgreSQL: asynchronous outside, group commits in a few threads inside.

Invariant: appends that arrive while others are under way share the next transaction; each caller
gets its own answer, and what one of them is refused for does not touch the others.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self
from uuid import UUID

from application.execution.hand_over import HandOver
from application.ports import (
    Conflict,
    DueStep,
    Effects,
    Groundless,
    LeaseLost,
    Metadata,
    ReceiptExists,
    Unread,
)
from domain.events import FeatureEvent, tag_of
from domain.recorded import Recorded
from infrastructure.batcher import Batcher
from infrastructure.event_log.application import FeatureStreams
from infrastructure.event_log.registry import REGISTRY, Registry
from infrastructure.event_log.stored import Append, AppendOutcome, Leases, StoredStamp
from infrastructure.postgres.database import Trust, sync_pool
from infrastructure.sealing.data_keys import KeyRing

BATCH_AT_MOST: Final = 64
"""Appends in one transaction: enough to share a commit, few enough to hold no lock for long."""

WRITERS: Final = 2
"""Batches under way at once: one is written down here while the other is in the database."""

READERS: Final = 4


class PostgresEventLog:
    """The truth. Open it in the event loop that uses it, close it there."""

    def __init__(
        self,
        url: str,
        role: str,
        ring: KeyRing,
        *,
        registry: Registry = REGISTRY,
        connections: int = WRITERS + READERS,
        grown: Callable[[], None] = lambda: None,
        trust: Trust | None = None,
        saw: Callable[[int, bytes], None] = lambda _position, _hash: None,
        hand_over: HandOver | None = None,
    ) -> None:
        """Describe the log.

        Args:
            url: Conninfo or URL of the database.
            role: `bp_api`, `bp_worker` or `bp_sweeper`.
            ring: The process's data keys.
            registry: The events that are known.
            connections: To the database at most, 2 or more; a third of them write.
            grown: Called in the event loop after a transaction appended something.
            trust: Whether to work on what a connection leads to; without it, on anything.
            saw: Told position and hash of the last event of every answer.
            hand_over: To a worker of this process; as `bp_worker` only.
        """
        self._pool = sync_pool(url, role, max_size=connections, trust=trust)
        writers = max(1, min(WRITERS, connections // 3))
        readers = connections - writers
        self._together = Batcher(self._write, together=BATCH_AT_MOST, under_way=writers)
        self._features = FeatureStreams(self._pool, ring, registry, trust)
        self._grown = grown
        self._saw = saw
        self._hand_over = hand_over
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="append")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="read")

    async def open(self) -> None:
        """Start connecting. A database that is not there yet shows at the first use."""
        self._pool.open()

    def figures(self) -> Mapping[str, int]:
        """The pool's figures, as psycopg_pool counts them."""
        return self._pool.get_stats()

    async def close(self) -> None:
        """Finish what was handed in, then close all connections."""
        await self._together.finish()
        self._writers.shutdown()
        self._readers.shutdown()
        self._features.close()
        await asyncio.to_thread(self._pool.close)

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def read(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        after: int = 0,
        upto: int | None = None,
        head: bytes | None = None,
    ) -> Sequence[Recorded]:
        """Events with versions in (after, upto], in order. Empty for an unknown stream.

        Raises:
            Unavailable: the database does not answer.
            Diverged: `head` is not the hash of the event at `after`.
            KeyDestroyed: the feature was deleted, and part of this was sealed; a `NotFound`.
            Unreadable: one of them is of a later version, or damaged.
        """
        if upto is not None and upto <= after:
            return ()
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._readers, self._features.read, tenant_id, feature_id, after, upto, head
        )
        return self._told(found)

    async def at(
        self, tenant_id: UUID, feature_id: UUID, versions: Collection[int]
    ) -> Mapping[int, Recorded]:
        """The events at exactly these versions; unknown versions are left out. Raises as `read`."""
        if not versions:
            return {}
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._readers, self._features.read_versions, tenant_id, feature_id, tuple(versions)
        )

    async def entries(
        self,
        tenant_id: UUID,
        feature_id: UUID,
        *,
        after: int = 0,
        upto: int | None = None,
        versions: Collection[int] | None = None,
    ) -> Sequence[Recorded | Unread]:
        """The same for who shows the log as it is: what cannot be read stands there as such."""
        chosen = None if versions is None else tuple(versions)
        if (upto is not None and upto <= after) or chosen == ():
            return ()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._readers, self._features.entries, tenant_id, feature_id, after, upto, chosen
        )

    async def append(
        self,
        feature_id: UUID,
        events: Sequence[tuple[UUID, FeatureEvent]],
        *,
        expected: int,
        origin: Metadata,
        effects: Effects = Effects(),
        head: bytes | None = None,
    ) -> Sequence[Recorded]:
        """Append events under ids the caller chose, if the stream is at version `expected`.

        Raises what `ports.EventLog.append` names. A caller that stops waiting does not undo it.
        """
        asked = Append(feature_id, events, expected, origin, effects, head)
        return self._told(self._recorded(asked, await self._together(asked)))

    def _told(self, recorded: Sequence[Recorded]) -> Sequence[Recorded]:
        if recorded:
            self._saw(recorded[-1].position, recorded[-1].hash)
        return recorded

    async def _write(self, appends: Sequence[Append]) -> Sequence[AppendOutcome]:
        loop = asyncio.get_running_loop()
        hand = self._hand_over
        offered: Sequence[DueStep] = ()
        leases = None
        if hand is not None:
            offered = hand.offer([due for append in appends for due in append.effects.due])
            wanted = tuple(due.task_id for due in offered)
            leases = Leases(hand.name, hand.lease_seconds, hand.per_tenant, wanted, {})
        try:
            outcomes = await loop.run_in_executor(
                self._writers, self._features.append, appends, leases
            )
        finally:
            if hand is not None and leases is not None:
                hand.take(offered, leases.given)
        if any(outcome.word == "appended" for outcome in outcomes):
            self._grown()
        return outcomes

    def _recorded(self, append: Append, outcome: AppendOutcome) -> Sequence[Recorded]:
        match outcome.word:
            case "appended" | "stored":
                pairs = zip(append.events, outcome.written, strict=True)
                return [_one(append, tag_of(e), e, written) for (_, e), written in pairs]
            case "lease":
                raise LeaseLost
            case "receipt":
                raise ReceiptExists
            case "conflict":
                raise Conflict from outcome.error
            case "groundless":
                raise Groundless
            case _:
                raise outcome.error or RuntimeError(f"the log answered {outcome.word!r}")


def _one(append: Append, tag: str, event: FeatureEvent, written: StoredStamp) -> Recorded:
    return Recorded(
        position=written.position,
        tenant_id=append.origin.tenant_id,
        feature_id=append.feature_id,
        version=written.version,
        event_id=written.event_id,
        type=tag,
        schema_version=event.schema_version,
        event=event,
        actor=append.origin.actor,
        correlation_id=append.origin.correlation_id,
        causation_id=append.origin.causation_id,
        recorded_at=written.recorded_at,
        hash=written.hash,
        previous_hash=written.previous_hash,
    )
