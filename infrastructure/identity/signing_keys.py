"""The keys that sign access tokens, on PostgreSQL, sealed under the master key.

Invariant: all processes read the same rows, so that each accepts what any of them signed; a retired
key stays published for longer than its last token lives.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self
from uuid import UUID

import msgspec
import structlog

from application.identity.account_ports import SignedToken
from application.ports import Unavailable
from application.running.waiting import is_set_within
from infrastructure.identity.tokens import SigningKey, SigningKeyUnusable, TokenIssuer
from infrastructure.postgres.database import Database
from infrastructure.sealing import MasterKey, MasterKeyUnusable, Unsealable

log = structlog.get_logger(__name__)

RETIRED_FOR: Final = "1 day"
"""As long after its retirement a key stays published: longer than a token lives, also when the
database's clock is set by hours meanwhile."""

FOLLOW_SECONDS: Final = 300
"""How soon every process signs with a new key; the old one stays published far longer."""

ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('bp signing key'))"
SIGNING: Final = """
SELECT kid, sealed FROM app.signing_keys
WHERE retired_at IS NULL OR retired_at > clock_timestamp() - %s::interval
ORDER BY retired_at IS NOT NULL, created_at DESC
"""
PUBLISHED: Final = """
SELECT public_jwk FROM app.signing_keys
WHERE retired_at IS NULL OR retired_at > clock_timestamp() - %s::interval
ORDER BY created_at DESC
"""
NEW_KEY: Final = "INSERT INTO app.signing_keys (kid, sealed, public_jwk) VALUES (%s, %s, %s)"
RETIRE: Final = """
UPDATE app.signing_keys SET retired_at = clock_timestamp() WHERE retired_at IS NULL
"""


class SigningKeys:
    """The built-in issuer's keys, sealed under the master key; also the source of its JWKS.

    All processes read the same rows, so that each accepts what any of them signed.
    """

    def __init__(self, database: Database, master: MasterKey) -> None:
        """Take a database as the API, and the master key."""
        self._database = database
        self._master = master

    async def load(self) -> Sequence[SigningKey]:
        """The signing key first, then those lately retired; makes the very first one.

        A damaged key is passed over, for what it signed expires within minutes; one that signs now
        is replaced.

        Raises Unavailable, WrongMasterKey.
        """
        async with self._database.system() as connection:
            await connection.execute(ONE_AT_A_TIME)
            rows = await (await connection.execute(SIGNING, (RETIRED_FOR,))).fetchall()
            opened = {}
            for kid, sealed in rows:
                try:
                    opened[kid] = SigningKey.opened(self._master, bytes(sealed), kid)
                except (Unsealable, SigningKeyUnusable) as damaged:
                    log.error("signing_key_damaged", kid=kid, cause=str(damaged))  # noqa: TRY400
            if rows and rows[0][0] in opened:
                return [*opened.values()]
            await connection.execute(RETIRE)
            return [await self._add(connection), *opened.values()]

    async def rotate(self) -> SigningKey:
        """Make a new signing key; the old one stays published for a day. Raises Unavailable."""
        async with self._database.system() as connection:
            await connection.execute(ONE_AT_A_TIME)
            await connection.execute(RETIRE)
            return await self._add(connection)

    async def keys(self) -> Mapping[str, Any]:
        """The JWKS, as `identity.keys.KeySource` has it. Raises Unavailable."""
        async with self._database.system() as connection:
            rows = await (await connection.execute(PUBLISHED, (RETIRED_FOR,))).fetchall()
        return {"keys": [row[0] for row in rows]}

    async def _add(self, connection: Any) -> SigningKey:  # noqa: ANN401 - an open transaction.
        key = SigningKey.generate()
        public = msgspec.json.encode(key.public_jwk()).decode()
        await connection.execute(NEW_KEY, (key.kid, key.sealed(self._master), public))
        return key


class OwnTokens:
    """The port `AccessTokens`: signs with the issuer's first key, publishes all stored ones.

    As an async context manager it follows a rotation made by another process.
    """

    def __init__(self, issuer: TokenIssuer, keys: SigningKeys) -> None:
        """Take the issuer, and where the published keys are."""
        self._issuer = issuer
        self._keys = keys
        self._following: asyncio.Task[None] | None = None
        self._doubt = asyncio.Event()

    def look_again(self) -> None:
        """The database was set back, and its keys perhaps with it: look at once."""
        self._doubt.set()

    async def __aenter__(self) -> Self:
        """Begin to look for newer keys."""
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop looking."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})

    async def renew(self) -> None:
        """Sign with the newest key from now on. Raises as `SigningKeys.load` does."""
        self._issuer.sign_with(await self._keys.load())

    async def _follow(self) -> None:
        while True:
            await is_set_within(self._doubt, FOLLOW_SECONDS)
            self._doubt.clear()
            try:
                await self.renew()
            except (Unavailable, MasterKeyUnusable, Unsealable) as error:
                log.warning(
                    "signing_keys_not_read", cause=str(error), consequence="the old one signs"
                )
            except Exception:  # A defect, too, leaves the old key: the next look may be better.
                log.exception("signing_keys_not_read", consequence="the old one signs")

    def issue(self, user_id: UUID, tenant_id: UUID, session_id: UUID) -> SignedToken:
        """Sign a token of a session."""
        return self._issuer.issue(user_id, tenant_id, session_id)

    async def jwks(self) -> Mapping[str, Any]:
        """The public keys. Raises Unavailable."""
        return await self._keys.keys()
