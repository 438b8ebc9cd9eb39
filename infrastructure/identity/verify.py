"""The one check of an access token, for our own issuer and for a foreign one.

Invariant: a principal comes out only when a key of the configured issuer signed these claims with
an algorithm that this key is for, for this audience, at this time, and, with our own issuer, in a
session that has not ended. Nothing in the token chooses the key's source or the algorithm.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, Final, TypeGuard
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode
from msgspec import Struct

from application.identity.security_log import SecurityLog
from infrastructure.identity.access import ACCESS_TYPES, is_access_token
from infrastructure.identity.discovery import RemoteKeys
from infrastructure.identity.ended import EndedSessions
from infrastructure.identity.keys import ALGORITHMS, KeyCache, KeySource, KeysUnavailable

LEEWAY_SECONDS: Final = 30
LARGEST_TOKEN: Final = 48 * 1024
"""Characters. A token with 200 groups has 10,000 to 16,000; all headers of a request 64 KiB."""
LONGEST_SUBJECT: Final = 255
LONGEST_WAIT: Final = 24 * 60 * 60.0
"""Seconds. No stream is open for so long; an `exp` may be any number."""
LATEST_SECONDS: Final = 253_402_300_799
"""The end of the year 9999."""
_FORBIDDEN_HEADERS: Final = ("jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip")


class TokenRefused(Exception):
    """The token is not accepted; why, is for the log. The client learns only that."""

    def __init__(self, reason: str) -> None:
        """Take one of the reasons of `token_refused` (`application.identity.security_log`)."""
        super().__init__(reason)
        self.reason = reason


class Principal(Struct, frozen=True):
    """Whoever is asking: our ids of user and tenant, and the subject as the issuer names it."""

    user_id: UUID
    tenant_id: UUID
    subject: str
    expires_at: float = math.inf
    """When the token ends, in seconds since 1970."""
    session_id: UUID | None = None
    """The session that the token belongs to; None with a foreign issuer, whose sessions we do not
    know."""


class TokenVerifier:
    """Checks tokens of one issuer for one audience."""

    def __init__(
        self,
        source: KeySource,
        *,
        issuer: str,
        audience: str,
        foreign: bool,
        tenant_claim: str = "tenant",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sessions: EndedSessions | None = None,
        security: SecurityLog | None = None,
    ) -> None:
        """Take where keys come from, and what `iss` and `aud` must be.

        A foreign issuer's tokens may be of type JWT, and ids are derived from its names; ours must
        be of type at+jwt, carry our ids, and belong to one of our sessions.
        """
        self._source = source
        self._cache = KeyCache(source, monotonic)
        self._issuer = issuer
        self._audience = audience
        self._foreign = foreign
        self._tenant_claim = tenant_claim
        self._clock = clock
        self._sessions = sessions
        self._security = security or SecurityLog(monotonic)

    async def whose(self, token: str, address: str = "") -> Principal | None:
        """Say who a token stands for; None, and the reason in the log, when it is not good.

        Raises KeysUnavailable, Unavailable.
        """
        try:
            return await self.verify(token)
        except TokenRefused as refused:
            self._security.note("token_refused", refused.reason, address=address)
            return None
        except KeysUnavailable as unavailable:
            self._security.note("keys_unavailable", cause=unavailable.cause)
            raise

    async def verify(self, token: str) -> Principal:
        """Check a token and say who it stands for.

        Raises TokenRefused, or KeysUnavailable when the issuer's keys cannot be had, or Unavailable
        when it cannot be told whether its session has ended (a 503, not a 401).
        """
        algorithm, kid, kind = self._read_header(token)
        found = await self._cache.find(kid)
        if found is None:
            raise TokenRefused("unknown_key")
        if algorithm not in found.algorithms:
            raise TokenRefused("other_key")
        try:
            claims = jwt.decode(token, found.key, registry=_REGISTRIES[algorithm]).claims
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise TokenRefused("signature") from None
        self._check_claims(claims)
        if not is_access_token(kind, claims):
            raise TokenRefused("not_an_access_token")
        principal = self._principal(claims)
        if self._sessions is not None and (
            principal.session_id is None or await self._sessions.has(principal.session_id)
        ):
            raise TokenRefused("session_ended")
        return principal

    async def ended(self, caller: Principal) -> None:
        """Wait until the session of a caller has ended; a foreign issuer's never does here."""
        if self._sessions is None or caller.session_id is None:
            await asyncio.Event().wait()
            return
        async with self._sessions.over(caller.session_id) as event:
            await event.wait()

    async def expired(self, caller: Principal) -> None:
        """Wait until the token that a caller came with has ended."""
        await asyncio.sleep(min(max(caller.expires_at - self._clock(), 0.0), LONGEST_WAIT))

    def _read_header(self, token: str) -> tuple[str, str, str | None]:
        """Read algorithm, kid and type, before any key is looked for."""
        if len(token) > LARGEST_TOKEN:
            raise TokenRefused("too_long")
        if token.count(".") != 2:  # noqa: PLR2004 - three parts.
            raise TokenRefused("malformed")
        try:
            header = msgspec.json.decode(
                urlsafe_b64decode(token.partition(".")[0].encode("ascii")), type=dict[str, Any]
            )
        except (ValueError, RecursionError, msgspec.MsgspecError):
            raise TokenRefused("malformed") from None
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise TokenRefused("algorithm")
        if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_SUBJECT:
            raise TokenRefused("no_key_id")
        if any(name in header for name in _FORBIDDEN_HEADERS):
            raise TokenRefused("own_key")
        if not isinstance(kind, str | None):
            raise TokenRefused("malformed")
        kind = kind.lower() if kind else None
        if not self._foreign and kind not in ACCESS_TYPES:
            raise TokenRefused("not_an_access_token")
        return algorithm, kid, kind

    def _as_issued(self) -> str:
        """The issuer's name in its tokens: a foreign one says itself how it is written."""
        return self._source.issuer if isinstance(self._source, RemoteKeys) else self._issuer

    def _check_claims(self, claims: dict[str, Any]) -> None:
        now = self._clock()
        if claims.get("iss") != self._as_issued():
            raise TokenRefused("issuer")
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused("audience")
        if _seconds(claims, "exp") + LEEWAY_SECONDS <= now:
            raise TokenRefused("expired")
        if _seconds(claims, "iat") - LEEWAY_SECONDS > now:
            raise TokenRefused("not_valid_yet")
        if "nbf" in claims and _seconds(claims, "nbf") - LEEWAY_SECONDS > now:
            raise TokenRefused("not_valid_yet")

    def _principal(self, claims: dict[str, Any]) -> Principal:
        subject, tenant = claims.get("sub"), claims.get(self._tenant_claim)
        if not _is_name(subject) or not (tenant is None or _is_name(tenant)):
            raise TokenRefused("claims")
        expires_at = _seconds(claims, "exp")
        if not self._foreign:
            session = claims.get("sid")
            return Principal(
                _own_id(subject),
                _own_id(tenant),
                subject,
                expires_at,
                None if session is None else _own_id(session),
            )
        issuer = uuid5(NAMESPACE_URL, self._as_issued())
        whose = f"tenant of {subject}" if tenant is None else f"tenant named {tenant}"
        user_id, tenant_id = uuid5(issuer, f"user {subject}"), uuid5(issuer, whose)
        return Principal(user_id, tenant_id, subject, expires_at)


def _registry(algorithm: str) -> JWSRegistry:
    """Accept exactly this algorithm; RFC 9864's Ed25519 under its old name EdDSA, too."""
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = LARGEST_TOKEN
    registry.max_signature_length = LARGEST_TOKEN
    registry.algorithms = {
        **JWSRegistry.algorithms,
        "EdDSA": JWSRegistry.algorithms["Ed25519"],
    }
    return registry


_REGISTRIES: Final = {algorithm: _registry(algorithm) for algorithm in ALGORITHMS}


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused("claims")
    # Compared, never converted: a whole number may be too large for a float.
    if not -LATEST_SECONDS <= value <= LATEST_SECONDS:
        raise TokenRefused("claims")
    return value


def _is_name(value: object) -> TypeGuard[str]:
    """Whether ids can be made of it: a text, not too long, without halves of a pair."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_SUBJECT
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )


def _own_id(text: Any) -> UUID:  # noqa: ANN401 - any JSON.
    try:
        return UUID(text)
    except (ValueError, TypeError, AttributeError):
        raise TokenRefused("claims") from None
