"""Public keys that tokens are checked against: which are accepted, and when they are fetched.

Invariant: a failed fetch never takes away keys that were good, and no token, however many kids it
invents, makes more than one fetch in 30 seconds.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from application.ports import Unavailable

REFETCH_SECONDS: Final = 30.0
"""At most one fetch in this time because of kids that are not known."""

RETRY_SECONDS: Final = 2.0
"""As long as there are no keys at all, the time between two tries."""

STALE_SECONDS: Final = 600.0
"""Keys older than this are fetched again on use, so that a withdrawn key goes."""

MISS_SECONDS: Final = 60.0
MISSES_KEPT: Final = 1024
SMALLEST_RSA_BITS: Final = 2048

ALGORITHMS_OF_KEY: Final[Mapping[tuple[str, str | None], frozenset[str]]] = {
    ("RSA", None): frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
}
"""What a key of a kind and curve may check, unless its JWK names one algorithm (RFC 7518, 8037)."""

ALGORITHMS: Final = frozenset().union(*ALGORITHMS_OF_KEY.values())
"""All algorithms accepted: each with public keys only, so that no key of ours makes a signature."""

_PARTS: Final = frozenset({"kty", "crv", "x", "y", "n", "e", "kid"})
"""Of a JWK: what makes a public key."""

_ONE_ALGORITHM: Final = frozenset({"EdDSA", "Ed25519"})
"""Two names of one algorithm (RFC 9864)."""


class AcceptedKey(NamedTuple):
    """A public key, and what it may check: the key decides, not the token."""

    key: Key
    algorithms: frozenset[str]


class KeysUnavailable(Unavailable):
    """The keys of the identity provider cannot be had at this moment."""

    def __init__(self, cause: str = "") -> None:
        """Take why, for the operator."""
        super().__init__("the identity provider", cause)
        self.cause = cause


class KeySource(Protocol):
    """Where an issuer's public keys come from."""

    async def keys(self) -> Mapping[str, Any]:
        """Fetch the JWKS as it stands now. Raises KeysUnavailable."""


class LocalKeys:
    """The JWKS of our own issuer, in this process."""

    def __init__(self, jwks: Callable[[], Mapping[str, Any]]) -> None:
        """Take the function that gives the JWKS as it stands now."""
        self._jwks = jwks

    async def keys(self) -> Mapping[str, Any]:
        """Give the JWKS."""
        return self._jwks()


class KeyCache:
    """The accepted keys of one source, by kid."""

    def __init__(self, source: KeySource, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take a source, and a clock of seconds that never goes back."""
        self._source = source
        self._monotonic = monotonic
        self._keys: dict[str, AcceptedKey] = {}
        self._misses: dict[str, float] = {}
        self._tried = float("-inf")
        self._fetched = float("-inf")
        self._cause = ""
        self._one_fetch = asyncio.Lock()

    async def find(self, kid: str) -> AcceptedKey | None:
        """Find the key of this id, asking the source when it may know more than we do.

        None means that the source was asked and has no such key. Raises KeysUnavailable when the
        source could not be asked, so that nobody is signed out by somebody else's outage.
        """
        if self._is_due(kid) or (kid not in self._keys and self._one_fetch.locked()):
            async with self._one_fetch:
                if self._is_due(kid):
                    await self._fetch()
                    self._remember_miss(kid)
        if kid not in self._keys and self._tried > self._fetched:
            raise KeysUnavailable(self._cause)
        return self._keys.get(kid)

    def _is_due(self, kid: str) -> bool:
        now = self._monotonic()
        if not self._keys:
            return now - self._tried >= RETRY_SECONDS
        if now - self._tried < REFETCH_SECONDS:
            return False
        if kid in self._keys:
            return now - self._fetched >= STALE_SECONDS
        return now - self._misses.get(kid, float("-inf")) >= MISS_SECONDS

    async def _fetch(self) -> None:
        before, self._tried = self._tried, self._monotonic()
        try:
            document = await self._source.keys()
        except KeysUnavailable as error:
            self._cause = error.cause
            return
        except asyncio.CancelledError:
            self._tried = before
            raise
        accepted = accepted_keys(document)
        if not accepted:
            self._cause = "none of its keys is of a kind that is accepted"
            return
        self._keys = accepted
        self._fetched = self._tried

    def _remember_miss(self, kid: str) -> None:
        if kid in self._keys:
            return
        if len(self._misses) >= MISSES_KEPT:
            self._misses.clear()
        self._misses[kid] = self._tried


def accepted_keys(document: Mapping[str, Any]) -> dict[str, AcceptedKey]:
    """Pick the keys of a JWKS that may check a signature here; the others are passed over."""
    entries = document.get("keys")
    found: dict[str, AcceptedKey] = {}
    for entry in entries if isinstance(entries, list) else []:
        kid = entry.get("kid") if isinstance(entry, dict) else None
        if isinstance(kid, str) and kid and kid not in found:
            key = _accepted(entry)
            if key is not None:
                found[kid] = key
    return found


def _accepted(entry: dict[str, Any]) -> AcceptedKey | None:
    """Import a public signing key of an accepted kind; None for any other."""
    if entry.get("use", "sig") != "sig" or "d" in entry or "k" in entry:
        return None
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    algorithms = _algorithms(entry)
    if not algorithms:
        return None
    # What else a provider writes beside the key is its own, and of no use here.
    bare = {name: value for name, value in entry.items() if name in _PARTS}
    try:
        match entry["kty"]:
            case "EC":
                return AcceptedKey(ECKey.import_key(bare), algorithms)
            case "OKP":
                return AcceptedKey(OKPKey.import_key(bare), algorithms)
            case _:
                fits = _is_long_enough(entry["n"])
                return AcceptedKey(RSAKey.import_key(bare), algorithms) if fits else None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _algorithms(entry: dict[str, Any]) -> frozenset[str]:
    """What this key may check: what its kind can, or the one algorithm that it names."""
    kind, curve, named = entry.get("kty"), entry.get("crv"), entry.get("alg")
    if not isinstance(kind, str) or not isinstance(curve, str | None):
        return frozenset()
    possible = ALGORITHMS_OF_KEY.get((kind, None if kind == "RSA" else curve), frozenset())
    if named is None:
        return possible
    if not isinstance(named, str):
        return frozenset()
    return possible & (_ONE_ALGORITHM if named in _ONE_ALGORITHM else {named})


def _is_long_enough(modulus: str) -> bool:
    bits = int.from_bytes(urlsafe_b64decode(modulus.encode("ascii")), "big").bit_length()
    return bits >= SMALLEST_RSA_BITS
