"""Finds files that no event names, and paid requests that no event records.

A set-back leaves such things: the log lost the events, the object store and the provider did not.
This module deletes nothing: it names them, and somebody decides. Files of an attempt that
is still under way are named too: their feature and time tell them apart.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol
from uuid import UUID

import structlog
from msgspec import Struct

from application.ports import Unavailable
from application.running.waiting import is_set_within

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 30.0
"""When the store or the database could not be read."""
SETTLE_SECONDS: Final = 5.0
"""After a set-back, what is being recorded gets this long to be recorded."""
NAMED: Final = 20
"""So many are named in the process's log; `log orphans` names all."""


class OrphanFile(Struct, frozen=True):
    """A stored file that no event names."""

    key: str
    """`tenant/feature/sha256`."""
    reason: str
    """`no such feature`, or `no event names it`."""


class OrphanCall(Struct, frozen=True):
    """A request to a model whose attempt is in no log."""

    tenant_id: UUID
    feature_id: UUID
    task_id: UUID
    attempt: int
    turn: int
    outcome: str | None
    """None: it is not known what came of it."""


class Named(Struct, frozen=True):
    """What the log names of one feature's files."""

    exists: bool = True
    """Whether the log has such a feature."""
    files: frozenset[str] = frozenset()
    """SHA-256 of each."""
    unsure: bool = False
    """Its files are being removed, or what names them cannot be read: none counts as an orphan."""


class Stored(Protocol):
    """The object store. Raises Unavailable."""

    def names(self) -> AsyncIterator[str]:
        """The keys of all stored files, feature by feature."""


class RecordedNames(Protocol):
    """The log and the ledger. Every method raises Unavailable."""

    async def named(self, tenant_id: UUID, feature_id: UUID) -> Named:
        """The files that a feature's events name."""

    async def calls(self) -> Sequence[OrphanCall]:
        """Requests whose attempts no event announces, task by task."""


async def orphan_files(stored: Stored, recorded: RecordedNames) -> AsyncIterator[OrphanFile]:
    """Every stored file that no event names. Raises Unavailable."""
    whose: tuple[str, str] | None = None
    named = Named()
    async for key in stored.names():
        tenant, feature, sha256 = key.split("/")
        if (tenant, feature) != whose:
            whose = (tenant, feature)
            named = await recorded.named(UUID(tenant), UUID(feature))
        if not named.exists:
            yield OrphanFile(key, "no such feature")
        elif not named.unsure and sha256 not in named.files:
            yield OrphanFile(key, "no event names it")


class OrphanWatch:
    """Names orphans in the process's log after every set-back."""

    def __init__(self, recorded: RecordedNames, stored: Stored) -> None:
        """Take the log with the ledger, and the store."""
        self._recorded = recorded
        self._stored = stored
        self._wanted = asyncio.Event()

    def look_soon(self) -> None:
        """The log was set back."""
        self._wanted.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look whenever it was asked for, until told to stop."""
        while not await is_set_within(stop, LOOK_SECONDS):
            if not self._wanted.is_set() or await is_set_within(stop, SETTLE_SECONDS):
                continue
            self._wanted.clear()
            try:
                await self.look()
            except Unavailable as down:
                log.warning("orphans_unknown", reason=str(down))
                self._wanted.set()
                await is_set_within(stop, AGAIN_SECONDS)
            except Exception:
                self._wanted.set()  # What was not looked at is looked at when the loop begins anew.
                raise

    async def look(self) -> None:
        """Name what there is. Raises Unavailable."""
        files = [each async for each in orphan_files(self._stored, self._recorded)]
        calls = await self._recorded.calls()
        say = log.warning if files or calls else log.info
        say(
            "orphans",
            files=len(files),
            calls=len(calls),
            first_files=[each.key for each in files[:NAMED]],
            first_calls=[f"{each.task_id}-{each.attempt}-{each.turn}" for each in calls[:NAMED]],
            all="log orphans",
        )
