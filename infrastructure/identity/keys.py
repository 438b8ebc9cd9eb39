"""Public keys that tokens are checked against: which are accepted, and when they are fetched.

Invariant: a failed fetch never takes away keys that were good, and no token, however many kids it
invents, makes more than one fetch in 30 seconds.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

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

KEYS_OF_ALGORITHM: Final = {
    "ES256": ("EC", "P-256"),
    "RS256": ("RSA", None),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""The algorithms accepted, each with the one kind of key it works with."""


class KeysUnavailable(Unavailable):
    """The keys of the identity provider cannot be had at this moment."""

    def __init__(self, detail: str = "") -> None:
        super().__init__("the identity provider", detail)


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
        self._keys: dict[str, Key] = {}
        self._misses: dict[str, float] = {}
        self._tried = float("-inf")
        self._fetched = float("-inf")
        self._one_fetch = asyncio.Lock()

    async def find(self, kid: str) -> Key | None:
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
            raise KeysUnavailable
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
        except KeysUnavailable:
            return
        except asyncio.CancelledError:
            self._tried = before
            raise
        accepted = accepted_keys(document)
        if accepted:
            self._keys = accepted
            self._fetched = self._tried

    def _remember_miss(self, kid: str) -> None:
        if kid in self._keys:
            return
        if len(self._misses) >= MISSES_KEPT:
            self._misses.clear()
        self._misses[kid] = self._tried


def accepted_keys(document: Mapping[str, Any]) -> dict[str, Key]:
    """Pick the keys of a JWKS that may check a signature here; the others are passed over."""
    entries = document.get("keys")
    found: dict[str, Key] = {}
    for entry in entries if isinstance(entries, list) else []:
        kid = entry.get("kid") if isinstance(entry, dict) else None
        if isinstance(kid, str) and kid and kid not in found:
            key = _accepted(entry)
            if key is not None:
                found[kid] = key
    return found


def _accepted(entry: dict[str, Any]) -> Key | None:
    """Import a public signing key of an accepted kind; None for any other."""
    kind, curve, algorithm = entry.get("kty"), entry.get("crv"), entry.get("alg")
    if entry.get("use", "sig") != "sig" or "d" in entry or "k" in entry:
        return None
    if algorithm is not None and KEYS_OF_ALGORITHM.get(algorithm, ("", ""))[0] != kind:
        return None
    try:
        match kind, curve:
            case "EC", "P-256":
                return ECKey.import_key(entry)
            case "OKP", "Ed25519":
                return OKPKey.import_key(entry)
            case "RSA", _:
                return RSAKey.import_key(entry) if _is_long_enough(entry["n"]) else None
            case _:
                return None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _is_long_enough(modulus: str) -> bool:
    bits = int.from_bytes(urlsafe_b64decode(modulus.encode("ascii")), "big").bit_length()
    return bits >= SMALLEST_RSA_BITS
