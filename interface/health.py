"""How a process and the servers it stands on are, asked anew each time.

Invariant: never raises, and never takes longer than `LOOK_SECONDS`.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, TypeVar

import structlog
from msgspec import Struct

from application.ports import Unavailable
from application.running.pulse import Pulse
from application.running.waiting import is_set_within
from infrastructure.artifacts import FolderStore, S3Store
from infrastructure.nats import NatsConnection
from infrastructure.nats.progress import announced_upto
from infrastructure.postgres.database import Database
from infrastructure.postgres.operating import PostgresOperating, Queue
from infrastructure.postgres.standing import DatabaseStanding, DatabaseWatch

T = TypeVar("T")

LOOK_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 10.0
"""How often an object store is asked that did not answer whether it does conditional writes."""

log = structlog.get_logger(__name__)


def service_version() -> str:
    """The installed version, or the project's own where it runs from its folder."""
    try:
        return version("build-practical")
    except PackageNotFoundError:
        return "0.1.0"


class Seen(Struct, frozen=True):
    """What one look found."""

    standing: DatabaseStanding
    nats: bool
    jetstream: bool
    """Whether JetStream answers for the stream of announcements."""
    artifacts: bool
    conditional_writes: bool | None
    """Whether the object store keeps what must not be overwritten; None as long as nobody knows."""
    announced: int | None
    """The position up to which events are announced."""
    queue: Queue | None
    """None when the database does not answer, or is slow to count."""

    @property
    def relay_lag_events(self) -> int | None:
        """Committed events that are not announced yet."""
        if self.queue is None or self.announced is None:
            return None
        return max(0, self.queue.head - self.announced)

    @property
    def projection_lag_events(self) -> int | None:
        """Committed events that are not in the read models yet."""
        return None if self.queue is None else self.queue.projection_lag

    @property
    def checkpoint_lag_seconds(self) -> float | None:
        """Since the oldest event without a signed tree head was recorded."""
        return None if self.queue is None else self.queue.checkpoint_lag

    def status(self) -> str:
        """`ready`, `degraded` or `unavailable`, as far as servers are concerned."""
        if self.standing is not DatabaseStanding.READY:
            return "unavailable"
        whole = self.nats and self.jetstream and self.artifacts
        return "ready" if whole and self.conditional_writes is not False else "degraded"


class Servers:
    """The database, NATS and the object store, as one process reaches them."""

    def __init__(
        self,
        watch: DatabaseWatch,
        database: Database,
        nats: NatsConnection,
        store: FolderStore | S3Store,
    ) -> None:
        """Take the way to each; any role may ask."""
        self._watch = watch
        self._database = database
        self._nats = nats
        self._store = store
        self._conditional: bool | None = None

    async def look(self) -> Seen:
        """Ask them all at once."""
        writes, queue, answers, announced = await asyncio.gather(
            self.answers(),
            _soon(self._queue()),
            _soon(self._store.ready()),
            _soon(announced_upto(self._nats)),
        )
        standing = DatabaseStanding.READY if writes else await self._stands()
        return Seen(
            standing=standing,
            nats=self._nats.up,
            jetstream=announced is not None,
            artifacts=bool(answers),
            conditional_writes=self._conditional,
            announced=announced,
            queue=queue,
        )

    async def answers(self) -> bool:
        """Whether the database takes writes, asked over a connection that is there."""
        return bool(await _soon(self._database.ready()))

    async def try_store(self, stop: asyncio.Event) -> None:
        """Find out, once, whether the object store does conditional writes, and say if not."""
        while self._conditional is None and not stop.is_set():
            self._conditional = await _soon(self._store.tree_heads().fit())
            if self._conditional is False:
                log.error(
                    "object_store_without_conditional_writes",
                    consequence="no tree head of the log is signed: docs/operations.md, S3",
                )
            if self._conditional is None:
                await is_set_within(stop, AGAIN_SECONDS)

    async def _queue(self) -> Queue:
        return await PostgresOperating(self._database).queue()

    async def _stands(self) -> DatabaseStanding:
        """What the watch saw, unless it has not noticed yet that anything is wrong."""
        if self._watch.standing is DatabaseStanding.READY:
            await _soon(self._watch.look())
        known = self._watch.standing
        return DatabaseStanding.UNREACHABLE if known is DatabaseStanding.READY else known


def report(
    seen: Seen | None, standing: DatabaseStanding, pulses: Sequence[Pulse]
) -> dict[str, Any]:
    """The body of a process's own `/health/ready`; without a look, it is still starting."""
    loops = {
        pulse.name: {"ok": not pulse.late, "seconds": round(pulse.age_seconds, 1)}
        for pulse in pulses
    }
    late = any(pulse.late for pulse in pulses)
    if seen is None:
        return {"status": "starting", "database": standing.value, "loops": loops}
    status = seen.status()
    return {
        "status": "degraded" if status == "ready" and late else status,
        "database": seen.standing.value,
        "nats": seen.nats,
        "jetstream": seen.jetstream,
        "artifacts": seen.artifacts,
        "conditional_writes": seen.conditional_writes,
        "loops": loops,
    }


async def _soon(question: Awaitable[T]) -> T | None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await question
    except (Unavailable, TimeoutError):
        return None
