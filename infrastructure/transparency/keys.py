"""The key that signs checkpoints: made once, stored sealed under the master key, never replaced.

Invariant: of any number of processes that start at once, all sign with the same key.
"""

from typing import Final

from uuid_utils.compat import uuid7

from infrastructure.postgres.database import Database
from infrastructure.sealing import MasterKey
from infrastructure.transparency.note import NoteSigner, NoteVerifier, origin_of

SEALED: Final = "SELECT log_id, sealed FROM app.log_keys"
PUBLIC: Final = "SELECT log_id, public_key FROM app.log_keys"
ADD: Final = """
INSERT INTO app.log_keys (log_id, public_key, sealed) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
RETURNING log_id
"""


class LogKeys:
    """The stored key of this log. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take a database as the sweeper; as the API, to publish only."""
        self._database = database

    async def signer(self, master: MasterKey) -> NoteSigner:
        """The key, made at the very first call. Raises WrongMasterKey, Unsealable."""
        rows = await self._database.call(SEALED)
        if not rows:
            new = NoteSigner.generate(uuid7())
            await self._database.call(ADD, (new.log_id, new.public, new.sealed(master)))
            rows = await self._database.call(SEALED)
        log_id, sealed = rows[0]
        return NoteSigner.opened(master, bytes(sealed), log_id)

    async def verifier(self) -> NoteVerifier | None:
        """The public half; None before the first tree head."""
        rows = await self._database.call(PUBLIC)
        return NoteVerifier(origin_of(rows[0][0]), bytes(rows[0][1])) if rows else None

    async def published(self) -> str | None:
        """The same as text, for the API."""
        verifier = await self.verifier()
        return verifier.text() if verifier else None
