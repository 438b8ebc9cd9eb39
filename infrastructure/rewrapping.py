"""Rotation of the master key: everything it wraps is wrapped anew under the current one.

Invariant: what is wrapped stays the same key, so no sealed record is touched; a row is replaced
only if it still is what was read, so that a deletion in between stays one. It may be cut short, and
repeated.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Final, LiteralString, NamedTuple
from uuid import UUID

from infrastructure.identity.tokens import SigningKey
from infrastructure.postgres.database import AsyncBoundedConnection, Database
from infrastructure.sealing import DataKey, MasterKey
from infrastructure.transparency.note import NoteSigner

PAGE: Final = 500
"""Rows read, and rewrapped in one transaction, at a time."""

FIRST_KEY: Final = UUID(int=0)
DATA_KEYS: Final = """
SELECT key_id, tenant_id, scope, wrapped FROM app.data_keys
WHERE key_id > %s ORDER BY key_id LIMIT %s
"""
SIGNING_KEYS: Final = "SELECT kid, sealed FROM app.signing_keys ORDER BY kid"
LOG_KEYS: Final = "SELECT log_id, sealed FROM app.log_keys"

DATA_KEY: Final = "UPDATE app.data_keys SET wrapped = %s WHERE key_id = %s AND wrapped = %s"
SIGNING_KEY: Final = "UPDATE app.signing_keys SET sealed = %s WHERE kid = %s AND sealed = %s"
LOG_KEY: Final = "UPDATE app.log_keys SET sealed = %s WHERE log_id = %s AND sealed = %s"


class Wrapped(NamedTuple):
    """A stored key as it is wrapped now, and how the same key is wrapped anew."""

    name: UUID | str
    wrapped: bytes
    rewrap: Callable[[MasterKey], bytes]
    replace: LiteralString


class Rewrapper:
    """Counts and rewraps what the master key wraps."""

    def __init__(self, database: Database, master: MasterKey) -> None:
        """Take a database as `bp_keeper`, and the master keys, the current one first."""
        self._database = database
        self._master = master

    async def count(self) -> dict[str, int]:
        """How many keys are wrapped under which master key, by its id. Raises Unavailable."""
        found: Counter[str] = Counter(dict.fromkeys(self._master.ids, 0))
        async for page in self._pages():
            found.update(self._master.wrapped_under(one.wrapped) for one in page)
        return dict(found)

    async def rewrap(self, told: Callable[[int], None] = lambda _: None) -> int:
        """Wrap under the current master key whatever is not; how many keys were rewrapped.

        Args:
            told: Called after each page with the number of keys looked at so far.

        Raises:
            Unavailable: the database is not there; what was rewrapped stays.
            WrongMasterKey: something is wrapped under a key that was not given.
            Unsealable: something is damaged.
        """
        looked_at = rewrapped = 0
        async for page in self._pages():
            current, under = self._master.id, self._master.wrapped_under
            if old := [one for one in page if under(one.wrapped) != current]:
                async with self._database.system() as connection:
                    for one in old:
                        rewrapped += await self._replace(connection, one)
            looked_at += len(page)
            told(looked_at)
        return rewrapped

    async def _replace(self, connection: AsyncBoundedConnection, one: Wrapped) -> int:
        given = (one.rewrap(self._master), one.name, one.wrapped)
        return (await connection.execute(one.replace, given)).rowcount

    async def _pages(self) -> AsyncIterator[Sequence[Wrapped]]:
        yield [
            Wrapped(kid, bytes(sealed), partial(_signing_key, kid, bytes(sealed)), SIGNING_KEY)
            for kid, sealed in await self._database.call(SIGNING_KEYS)
        ]
        yield [
            Wrapped(log_id, bytes(sealed), partial(_log_key, log_id, bytes(sealed)), LOG_KEY)
            for log_id, sealed in await self._database.call(LOG_KEYS)
        ]
        last = FIRST_KEY
        while rows := await self._database.call(DATA_KEYS, (last, PAGE)):
            last = rows[-1][0]
            yield [
                Wrapped(row[0], bytes(row[3]), partial(_data_key, *row), DATA_KEY) for row in rows
            ]


def _signing_key(kid: str, sealed: bytes, master: MasterKey) -> bytes:
    return SigningKey.opened(master, sealed, kid).sealed(master)


def _log_key(log_id: UUID, sealed: bytes, master: MasterKey) -> bytes:
    return NoteSigner.opened(master, sealed, log_id).sealed(master)


def _data_key(
    key_id: UUID, tenant_id: UUID, scope: str, wrapped: bytes, master: MasterKey
) -> bytes:
    return DataKey.unwrap(master, bytes(wrapped), key_id, tenant_id, scope).wrap(master)
