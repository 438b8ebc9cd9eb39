"""What was destroyed stays destroyed: a signed note of each deletion, kept outside the database.

A database that is restored to before a deletion has the feature again, and its data key. The note
outlives that, beside the signed checkpoints: whoever vouches for a database that came back makes
every noted deletion again first (`application.continuity.watch`).

Invariants: a note is never overwritten; the files of a deleted feature are removed only once its
note is stored; a note that this log's key did not sign destroys nothing. In a store that would let
notes be overwritten none is written, files are removed without, and that is said.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol, Self
from uuid import UUID, uuid5

import structlog
from msgspec import Struct

from application.ports import (
    ArtifactMissing,
    Conflict,
    Effects,
    EventLog,
    Metadata,
    Unavailable,
)
from application.running.pulse import Pulse
from application.running.waiting import any_set_within
from application.transparency.ports import NoteRefused, StoreUnfit, TreeHeadStore
from domain.events import FeatureDeleted

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""How long a deletion waits for its note when nothing wakes the process that writes it."""
LATE_SECONDS: Final = 30.0
"""The store may be away for some seconds."""
AT_ONCE: Final = 100
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

_ID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FORM: Final = re.compile(
    r"(?P<origin>[^\s+]+)/destroyed\n"
    rf"tenant (?P<tenant>{_ID})\nfeature (?P<feature>{_ID})\nkey (?P<key>{_ID}|-)\n"
    r"position (?P<position>0|[1-9]\d{0,18})\nhash (?P<hash>[0-9a-f]{64}|-)\n"
    r"time (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n",
    re.ASCII,
)


class NotADeletion(Exception):
    """It is no note of a deletion."""


class Deletion(Struct, frozen=True):
    """A feature whose content was made unreadable."""

    tenant_id: UUID
    feature_id: UUID
    key_id: UUID | None
    """The data key that was destroyed; None if an earlier version of this program did it."""
    position: int
    """Of the event that records it; 0 if it is not known."""
    hash: bytes
    """Of that event; empty if it is not known."""
    at: datetime
    """UTC, by the database's clock."""

    @property
    def number(self) -> int:
        """The note's number, if it is free: microseconds since 1970, so that names sort by time."""
        return (self.at - EPOCH) // MICROSECOND

    def text(self, origin: str) -> str:
        """What is signed, with the name of the log first."""
        at = self.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        return (
            f"{origin}/destroyed\ntenant {self.tenant_id}\nfeature {self.feature_id}\n"
            f"key {self.key_id or '-'}\nposition {self.position}\nhash {self.hash.hex() or '-'}\n"
            f"time {at}Z\n"
        )

    @classmethod
    def parse(cls, text: str, origin: str) -> Self:
        """Read what `text` gave for this log. Raises NotADeletion."""
        found = _FORM.fullmatch(text)
        if found is None or found["origin"] != origin:
            raise NotADeletion(NotADeletion.__doc__)
        try:
            at = datetime.fromisoformat(found["at"])
        except ValueError:
            raise NotADeletion(NotADeletion.__doc__) from None
        return cls(
            UUID(found["tenant"]),
            UUID(found["feature"]),
            None if found["key"] == "-" else UUID(found["key"]),
            int(found["position"]),
            b"" if found["hash"] == "-" else bytes.fromhex(found["hash"]),
            at,
        )


class Witness(Protocol):
    """The public half of the log's key."""

    @property
    def origin(self) -> str:
        """The name of the log."""

    def body(self, note: bytes) -> str:
        """The text that a note signs. Raises NoteRefused."""


class Scribe(Witness, Protocol):
    """The private half."""

    def note(self, body: str) -> bytes:
        """The note of a text."""


class Unnoted(Protocol):
    """Deletions that the database knows and the store does not. Every method raises Unavailable."""

    async def unnoted(self, limit: int) -> Sequence[Deletion]:
        """Some of them, oldest first."""

    async def noted(self, feature_id: UUID, number: int) -> None:
        """The note of this number is stored."""

    def expect_no_notes(self) -> None:
        """There will be none: files are removed without."""


class DeletionNotes:
    """Writes a note of each deletion, soon after it; any number of processes may."""

    def __init__(
        self,
        unnoted: Unnoted,
        store: TreeHeadStore,
        scribe: Callable[[], Awaitable[Scribe]],
    ) -> None:
        """Take the deletions, the store, and where the key comes from."""
        self._unnoted = unnoted
        self._store = store
        self._load = scribe
        self._scribe: Scribe | None = None
        self._woken = asyncio.Event()
        self._away = False
        self._aside: set[UUID] = set()
        """Features whose note could not be written, each told once."""
        self.pulse = Pulse("deletion-notes", within_seconds=LATE_SECONDS)

    def wake(self) -> None:
        """The log has grown: there may be a deletion."""
        self._woken.set()

    def forget(self) -> None:
        """The log was set back, and its key perhaps with it."""
        self._scribe = None

    async def run(self, stop: asyncio.Event) -> None:
        """Write notes until told to stop."""
        while not stop.is_set():
            self._woken.clear()
            try:
                await self.write_all()
                self._away = False
                self.pulse.beat()
            except StoreUnfit as unfit:
                if not self._away:
                    consequence = "what is deleted comes back with an older copy of the database"
                    log.error("deletions_unnoted", reason=str(unfit), consequence=consequence)  # noqa: TRY400 - no defect.
                self._away = True
                self._unnoted.expect_no_notes()
                self.pulse.beat()
            except Unavailable as down:
                if not self._away:
                    log.warning("deletions_unnoted", reason=str(down))
                self._away = True
            await any_set_within((stop, self._woken), LOOK_SECONDS)

    async def write_all(self) -> int:
        """Write what is missing; how many notes. Raises Unavailable, StoreUnfit."""
        written = 0
        if not await self._store.fit():
            raise StoreUnfit
        if self._scribe is None:
            # Made with the first look, so that every backup of what may be deleted later holds it.
            self._scribe = await self._load()
        while deletions := await self._unnoted.unnoted(AT_ONCE):
            noted = [await self._noted(self._scribe, deletion) for deletion in deletions]
            written += sum(noted)
            if not any(noted):
                break
        return written

    async def _noted(self, scribe: Scribe, deletion: Deletion) -> bool:
        """Write one note; False, and the others go on, if it cannot be written."""
        try:
            number = await self._write(scribe, deletion)
            await self._unnoted.noted(deletion.feature_id, number)
        except (Unavailable, StoreUnfit):
            raise
        except Exception:
            if deletion.feature_id not in self._aside:
                log.exception("deletion_put_aside", feature=str(deletion.feature_id))
            self._aside.add(deletion.feature_id)
            return False
        self._aside.discard(deletion.feature_id)
        return True

    async def _write(self, scribe: Scribe, deletion: Deletion) -> int:
        note, number = scribe.note(deletion.text(scribe.origin)), deletion.number
        while not await self._store.put_new(number, note):
            if await self._store.get(number) == note:
                break  # Written before, by somebody who did not come to say so.
            number += 1
        return number


class Undone(NamedTuple):
    """A feature that was deleted, and that the log holds without its deletion."""

    tenant_id: UUID
    feature_id: UUID
    version: int
    head: bytes
    position: int
    """Where the deletion had stood."""
    hash: bytes


class KnownDeletions(Protocol):
    """What the database knows of deletions. Every method raises Unavailable."""

    async def newest(self) -> int:
        """The highest number of a note that it knows; 0 if it knows none."""

    async def unknown(self, numbers: Sequence[int]) -> Sequence[int]:
        """Those of these notes that it knows nothing of."""

    async def destroy(self, deletions: Sequence[tuple[int, Deletion]]) -> int | None:
        """Take over what notes say: their keys go, and all that views show of these features.

        The highest position of a deletion that it had not known at all.
        """

    async def undone(self) -> Sequence[Undone]:
        """Features that were deleted and that the log holds without their deletion."""


async def delete_again(
    known: KnownDeletions,
    store: TreeHeadStore,
    witness: Witness | None,
    log_of: Callable[[], AbstractAsyncContextManager[EventLog]],
    new_id: Callable[[], UUID],
    *,
    newest_only: bool = False,
) -> int | None:
    """Make every deletion again that the database has lost; the highest position that one had.

    Args:
        known: The database, whether it is vouched for or not.
        store: The notes.
        witness: The key of this log; without one, no note was ever signed.
        log_of: Opens the log to record the deletions.
        new_id: uuid7.
        newest_only: Look only at notes that are newer than any the database knows.

    Raises:
        Unavailable: the database or the store does not answer.
    """
    after = await known.newest() if newest_only else 0
    numbers = await known.unknown(await store.list(after))
    missed = None
    if numbers and witness is None:
        log.error("destroyed_notes_unreadable", notes=len(numbers), reason="the log has no key")
    elif numbers and witness is not None:
        found = [each async for each in _read(store, witness, numbers)]
        missed = await known.destroy(found)
    undone = await known.undone()
    if undone:
        async with log_of() as events:
            for each in undone:
                await _record(events, each, new_id())
    lost = [each.position for each in undone] + ([] if missed is None else [missed])
    return max(lost, default=None)


async def _read(
    store: TreeHeadStore, witness: Witness, numbers: Sequence[int]
) -> AsyncIterator[tuple[int, Deletion]]:
    for number in numbers:
        try:
            yield number, Deletion.parse(witness.body(await store.get(number)), witness.origin)
        except (ArtifactMissing, NoteRefused, NotADeletion) as refused:
            log.error("destroyed_note_refused", note=number, reason=str(refused))  # noqa: TRY400 - no defect.


async def _record(events: EventLog, undone: Undone, correlation_id: UUID) -> None:
    """Append the deletion to the feature's stream, without opening anything of it."""
    # Under an id that follows from what was lost: of many processes, one does it.
    event_id = uuid5(undone.feature_id, f"deleted again {undone.hash.hex()} {undone.version}")
    try:
        recorded = await events.append(
            undone.feature_id,
            [(event_id, FeatureDeleted())],
            expected=undone.version,
            head=undone.head,
            origin=Metadata(undone.tenant_id, "system:continuity", correlation_id),
            effects=Effects(cancel_tasks=True, destroy_key=True),
        )
    except Conflict:
        raise Unavailable("database", "Somebody was faster: the next look goes on.") from None
    log.warning(
        "feature_deleted_again",
        feature=str(undone.feature_id),
        lost_position=undone.position,
        position=recorded[-1].position,
    )
