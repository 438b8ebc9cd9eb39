"""Our own issuer of access tokens: ES256 keys, short-lived JWTs (RFC 9068) and the JWKS.

Invariant: only the first key signs; every key given is published, so that a rotation never refuses
a token that is still valid. Rotate by putting a new key first, and drop the old one after the
lifetime of a token.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Self
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from msgspec import Struct
from uuid_utils.compat import uuid7

from infrastructure.sealing import MasterKey, bind

ACCESS_SECONDS: Final = 15 * 60
ALGORITHM: Final = "ES256"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the media type of RFC 9068, not a secret.
_SEALED_AS: Final = "signing key"


class SigningKeyUnusable(Exception):
    """The signing key is not a P-256 private key in PEM."""


class AccessToken(Struct, frozen=True):
    """A signed token and its lifetime in seconds."""

    token: str
    expires_in: int


class SigningKey:
    """A P-256 private key; its `kid` is its RFC 7638 thumbprint."""

    __slots__ = ("_key", "kid")

    def __init__(self, key: ECKey) -> None:
        """Take a private key on the curve P-256."""
        if key.curve_name != "P-256" or not key.is_private:
            raise SigningKeyUnusable("the signing key is not a P-256 private key in PEM")
        self._key = key
        self.kid: str = key.thumbprint()

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(ECKey.generate_key("P-256", private=True))

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        """Read a private key in PEM, as `openssl ecparam -name prime256v1 -genkey` writes one."""
        try:
            key = ECKey.import_key(pem)
        except (JoseError, ValueError, TypeError, KeyError):
            raise SigningKeyUnusable("the signing key is not a P-256 private key in PEM") from None
        return cls(key)

    @classmethod
    def opened(cls, master: MasterKey, sealed: bytes, kid: str) -> Self:
        """Open what `sealed` gave. Raises WrongMasterKey or Unsealable."""
        return cls.from_pem(master.unwrap(sealed, bind(_SEALED_AS, kid)).decode())

    def sealed(self, master: MasterKey) -> bytes:
        """Seal the private key under the master key, bound to its kid, for storing."""
        return master.wrap(self._key.as_pem(private=True), bind(_SEALED_AS, self.kid))

    def public_jwk(self) -> dict[str, Any]:
        """Give the public half as it stands in the JWKS."""
        public = self._key.as_dict(private=False)
        return {**public, "kid": self.kid, "use": "sig", "alg": ALGORITHM}

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign the claims as an access token."""
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": TOKEN_TYPE}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])


class TokenIssuer:
    """Issues access tokens for one issuer and audience."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: Sequence[SigningKey],
        clock: Callable[[], float],
    ) -> None:
        """Take the keys, the signing one first, and a clock of seconds since 1970."""
        self.issuer = issuer
        self.audience = audience
        self.sign_with(keys)
        self._clock = clock

    def sign_with(self, keys: Sequence[SigningKey]) -> None:
        """Go on with other keys, the signing one first."""
        if not keys:
            raise SigningKeyUnusable("the issuer needs a signing key")
        self._keys = tuple(keys)

    def issue(self, user_id: UUID, tenant_id: UUID, session_id: UUID) -> AccessToken:
        """Sign a token that is good for 15 minutes, or until its session ends."""
        now = int(self._clock())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(user_id),
            "tenant": str(tenant_id),
            "sid": str(session_id),
            "iat": now,
            "nbf": now,
            "exp": now + ACCESS_SECONDS,
            "jti": str(uuid7()),
        }
        return AccessToken(self._keys[0].sign(claims), ACCESS_SECONDS)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Give the body of `/.well-known/jwks.json`: public halves only."""
        return {"keys": [key.public_jwk() for key in self._keys]}
