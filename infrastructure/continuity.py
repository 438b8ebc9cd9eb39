"""What the database says of itself, and what is kept outside, for `application.continuity`.

Invariant: nothing here asks whether the database is trusted: it is how trust comes about.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final
from uuid import UUID

from application.continuity.deletions import Deletion, Undone, delete_again
from application.continuity.watch import Loss, Places, Stand
from application.ports import ArtifactMissing, EventLog
from application.transparency.ports import NoteRefused, TreeHeadStore
from infrastructure.artifacts import FolderStore, S3Store
from infrastructure.postgres.database import Database
from infrastructure.transparency import LogKeys

LOOK: Final = """
SELECT incarnation, vouched, system_id, timeline, position, lost, ahead, seen_positions,
  seen_hashes, lost_from, lost_upto, noted_size
FROM es.continuity(%s::bigint[], %s::bytea[])
"""
VOUCH: Final = "SELECT app.vouch(%s, %s, %s, %s, %s)"
NEWEST: Final = "SELECT app.newest_note()"
UNKNOWN: Final = "SELECT app.unknown_notes(%s::bigint[])"
DESTROY: Final = """
SELECT app.destroyed(%s::bigint[], %s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::bytea[],
  %s::timestamptz[])
"""
UNDONE: Final = """
SELECT tenant_id, feature_id, version, head_hash, deleted_position, deleted_hash
FROM es.undone_deletions()
"""


class PostgresContinuity:
    """The ports `continuity.Database` and `deletions.Known`. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database that works on whatever it is connected to."""
        self._database = database

    async def look(self, places: Places) -> Stand:
        """How things stand, and which of these events the log does not hold."""
        positions = [position for position, _ in places]
        hashes = [event_hash for _, event_hash in places]
        row = (await self._database.call(LOOK, (positions, hashes)))[0]
        incarnation, vouched, system, timeline, end, lost, ahead = row[:7]
        at, of, after, upto, noted_size = row[7:]
        return Stand(
            incarnation=incarnation,
            vouched=vouched,
            system=system,
            timeline=timeline,
            end=end,
            lost=lost or (),
            ahead=ahead,
            newest=list(zip(at or (), map(bytes, of or ()), strict=True)),
            gaps=list(zip(after or (), upto or (), strict=True)),
            noted_size=noted_size or 0,
        )

    async def vouch(self, incarnation: str, by: str, loss: Loss | None) -> bool:
        """Vouch for an incarnation; False if it is another one by now."""
        taken = (True, loss.after, loss.upto) if loss else (False, 0, None)
        return bool((await self._database.call(VOUCH, (incarnation, by, *taken)))[0][0])

    async def newest(self) -> int:
        """The highest number of a note that it knows; 0 if it knows none."""
        return int((await self._database.call(NEWEST))[0][0])

    async def unknown(self, numbers: Sequence[int]) -> Sequence[int]:
        """Those of these notes that it knows nothing of."""
        if not numbers:
            return ()
        return sorted(row[0] for row in await self._database.call(UNKNOWN, (list(numbers),)))

    async def destroy(self, deletions: Sequence[tuple[int, Deletion]]) -> int | None:
        """Take over what notes say."""
        once = {each.feature_id: (number, each) for number, each in deletions}.values()
        columns = (
            [number for number, _ in once],
            [each.tenant_id for _, each in once],
            [each.feature_id for _, each in once],
            [each.key_id for _, each in once],
            [each.position for _, each in once],
            [each.hash for _, each in once],
            [each.at for _, each in once],
        )
        missed = (await self._database.call(DESTROY, columns))[0][0]
        return None if missed is None else int(missed)

    async def undone(self) -> Sequence[Undone]:
        """Features that were deleted and that the log holds without their deletion."""
        return [
            Undone(tenant_id, feature_id, version, bytes(head), position or 0, bytes(of or b""))
            for tenant_id, feature_id, version, head, position, of in await self._database.call(
                UNDONE
            )
        ]


class KeptOutside:
    """The port `Outside`: signed tree heads and notes of deletions, in the object store."""

    def __init__(
        self,
        database: Database,
        store: FolderStore | S3Store,
        log_of: Callable[[], AbstractAsyncContextManager[EventLog]],
        new_id: Callable[[], UUID],
    ) -> None:
        """Take the database, the store, a log on that database, and how ids are made."""
        self._known = PostgresContinuity(database)
        self._keys = LogKeys(database)
        self._store = store
        self._log_of = log_of
        self._new_id = new_id

    async def restore_deletions(self, *, newest_only: bool) -> int | None:
        """Delete again what the database has lost the deletion of."""
        witness = await self._keys.verifier()
        return await delete_again(
            self._known,
            self._store.destroyed(),
            witness,
            self._log_of,
            self._new_id,
            newest_only=newest_only,
        )

    async def covered(self, beyond: int) -> int:
        """The last position that a signed tree head of more than `beyond` events covers, or 0."""
        tree_heads: TreeHeadStore = self._store.tree_heads()
        witness = await self._keys.verifier()
        sizes = await tree_heads.list(beyond)
        if not sizes or witness is None:
            return 0
        try:
            return witness.read(await tree_heads.get(sizes[-1])).position
        except (NoteRefused, ArtifactMissing):
            return 0  # `log verify` says what is wrong with it.
