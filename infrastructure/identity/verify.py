"""The one check of an access token, for our own issuer and for a foreign one.

Invariant: a principal comes out only when a key of the configured issuer signed these claims with
an algorithm of the fixed list, for this audience, at this time. Nothing in the token chooses the
key's source or the algorithm.
"""

import time
from collections.abc import Callable
from typing import Any, Final, TypeGuard
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode
from msgspec import Struct

from infrastructure.identity.keys import KEYS_OF_ALGORITHM, KeyCache, KeySource
from infrastructure.identity.tokens import TOKEN_TYPE

log = structlog.stdlib.get_logger(__name__)

LEEWAY_SECONDS: Final = 30
LARGEST_TOKEN: Final = 8192
LONGEST_SUBJECT: Final = 255
LATEST_SECONDS: Final = 253_402_300_799
"""The end of the year 9999."""
_FORBIDDEN_HEADERS: Final = ("jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip")
_OWN_TYPES: Final = (TOKEN_TYPE,)
_FOREIGN_TYPES: Final = (TOKEN_TYPE, "application/at+jwt", "jwt", None)


class TokenRefused(Exception):
    """The token is not accepted. The message is for the log; the client learns only that."""


class Principal(Struct, frozen=True):
    """Whoever is asking: our ids of user and tenant, and the subject as the issuer names it."""

    user_id: UUID
    tenant_id: UUID
    subject: str


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
    ) -> None:
        """Take where keys come from, and what `iss` and `aud` must be.

        A foreign issuer's tokens may be of type JWT, and ids are derived from its names; ours must
        be of type at+jwt and carry our ids.
        """
        self._cache = KeyCache(source, monotonic)
        self._issuer = issuer
        self._audience = audience
        self._foreign = foreign
        self._tenant_claim = tenant_claim
        self._clock = clock

    async def whose(self, token: str) -> Principal | None:
        """Say who a token stands for; None, and the reason in the log, when it is not good.

        Raises KeysUnavailable.
        """
        try:
            return await self.verify(token)
        except TokenRefused as refused:
            log.info("token refused", reason=str(refused))
            return None

    async def verify(self, token: str) -> Principal:
        """Check a token and say who it stands for.

        Raises TokenRefused, or KeysUnavailable when the issuer's keys cannot be had (a 503, not a
        401).
        """
        algorithm, kid = self._read_header(token)
        key = await self._cache.find(kid)
        if key is None:
            raise TokenRefused("no key of the issuer has this kid")
        kind, curve = KEYS_OF_ALGORITHM[algorithm]
        if key.key_type != kind or (curve and getattr(key, "curve_name", None) != curve):
            raise TokenRefused("the key of this kid is of another kind than the algorithm")
        try:
            claims = jwt.decode(token, key, registry=_REGISTRIES[algorithm]).claims
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise TokenRefused(f"the signature is not good: {type(error).__name__}") from None
        self._check_claims(claims)
        return self._principal(claims)

    def _read_header(self, token: str) -> tuple[str, str]:
        """Read algorithm and kid, before any key is looked for."""
        if len(token) > LARGEST_TOKEN or token.count(".") != 2:  # noqa: PLR2004 - three parts.
            raise TokenRefused("this is not a signed token")
        try:
            header = msgspec.json.decode(
                urlsafe_b64decode(token.partition(".")[0].encode("ascii")), type=dict[str, Any]
            )
        except (ValueError, RecursionError, msgspec.MsgspecError):
            raise TokenRefused("the header cannot be read") from None
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in KEYS_OF_ALGORITHM:
            raise TokenRefused("the algorithm is not accepted")
        if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_SUBJECT:
            raise TokenRefused("the token names no key")
        if any(name in header for name in _FORBIDDEN_HEADERS):
            raise TokenRefused("the token brings or points to its own key")
        kind = kind.lower() if isinstance(kind, str) else kind
        if kind not in (_FOREIGN_TYPES if self._foreign else _OWN_TYPES):
            raise TokenRefused("the token is of another type")
        return algorithm, kid

    def _check_claims(self, claims: dict[str, Any]) -> None:
        now = self._clock()
        if claims.get("iss") != self._issuer:
            raise TokenRefused("another issuer")
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused("for another audience")
        if _seconds(claims, "exp") + LEEWAY_SECONDS <= now:
            raise TokenRefused("expired")
        if _seconds(claims, "iat") - LEEWAY_SECONDS > now:
            raise TokenRefused("issued in the future")
        if "nbf" in claims and _seconds(claims, "nbf") - LEEWAY_SECONDS > now:
            raise TokenRefused("not valid yet")
        # Keycloak and others sign ID and refresh tokens with the same keys; only these claims
        # tell them from access tokens (OIDC Core 3.1.3.6, OIDC Back-Channel Logout 2.4).
        if claims.get("typ", "Bearer") != "Bearer" or any(
            name in claims for name in ("at_hash", "c_hash", "nonce", "events")
        ):
            raise TokenRefused("not an access token")

    def _principal(self, claims: dict[str, Any]) -> Principal:
        subject, tenant = claims.get("sub"), claims.get(self._tenant_claim)
        if not _is_name(subject):
            raise TokenRefused("no subject")
        if tenant is not None and not _is_name(tenant):
            raise TokenRefused("the tenant cannot be read")
        if not self._foreign:
            return Principal(_own_id(subject), _own_id(tenant), subject)
        issuer = uuid5(NAMESPACE_URL, self._issuer)
        whose = f"tenant of {subject}" if tenant is None else f"tenant named {tenant}"
        return Principal(uuid5(issuer, f"user {subject}"), uuid5(issuer, whose), subject)


def _registry(algorithm: str) -> JWSRegistry:
    """Accept exactly this algorithm; RFC 9864's Ed25519 under its old name EdDSA, too."""
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = LARGEST_TOKEN
    registry.algorithms = {
        **JWSRegistry.algorithms,
        "EdDSA": JWSRegistry.algorithms["Ed25519"],
    }
    return registry


_REGISTRIES: Final = {algorithm: _registry(algorithm) for algorithm in KEYS_OF_ALGORITHM}


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(f"no {name}")
    # Compared, never converted: a whole number may be too large for a float.
    if not -LATEST_SECONDS <= value <= LATEST_SECONDS:
        raise TokenRefused(f"{name} is no time")
    return value


def _is_name(value: object) -> TypeGuard[str]:
    """Whether ids can be made of it: a text, not too long, without halves of a pair."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_SUBJECT
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )


def _own_id(text: str | None) -> UUID:
    try:
        return UUID(text)
    except (ValueError, TypeError):
        raise TokenRefused("our own tokens carry our ids") from None
