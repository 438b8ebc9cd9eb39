"""The keys of a foreign issuer, found by OpenID Connect discovery (OIDC Discovery 1.0, section 4).

Invariant: what a provider answers is read within 5 seconds and 1 MB, from https (or the loopback
address), without following a redirect, and only when it names the issuer that was configured.
"""

import asyncio
import ipaddress
from collections.abc import Mapping
from typing import Any, Final, Self

import httpx2
import msgspec
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url

from infrastructure.identity.keys import KeysUnavailable

FETCH_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 2.0
LARGEST_DOCUMENT_BYTES: Final = 1_000_000


class IssuerMetadata(msgspec.Struct):
    """The two fields of a provider's metadata that a resource server needs."""

    issuer: str
    jwks_uri: str


class RemoteKeys:
    """The JWKS of one foreign issuer, over HTTP. Use it as an asynchronous context."""

    def __init__(self, issuer: str, *, fetch_seconds: float = FETCH_SECONDS) -> None:
        """Take the issuer's address, with or without a slash at its end."""
        self.issuer = issuer
        """As it stands in its tokens' `iss`: after the first fetch as the provider writes it."""
        self._fetch_seconds = fetch_seconds
        self._metadata: IssuerMetadata | None = None
        self._http = httpx2.AsyncClient(
            follow_redirects=False,
            timeout=httpx2.Timeout(fetch_seconds, connect=CONNECT_SECONDS),
            headers={"accept": "application/json"},
        )

    async def __aenter__(self) -> Self:
        """Open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def keys(self) -> Mapping[str, Any]:
        """Fetch the JWKS. Raises KeysUnavailable with the reason."""
        try:
            async with asyncio.timeout(self._fetch_seconds):
                if self._metadata is None:
                    self._metadata = await self._discover()
                raw = await self._read(self._metadata.jwks_uri)
            return msgspec.json.decode(raw, type=dict[str, Any])
        except KeysUnavailable:
            # The provider may have moved its keys: look again from the start the next time.
            self._metadata = None
            raise
        except (TimeoutError, httpx2.HTTPError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._metadata = None
            raise KeysUnavailable(f"{self.issuer} gave no keys: {type(error).__name__}") from error

    async def _discover(self) -> IssuerMetadata:
        url = get_well_known_url(self.issuer, external=True)
        raw = await self._read(url)
        metadata = msgspec.json.decode(raw, type=IssuerMetadata)
        # The address of this document is the same with and without a slash at the issuer's end
        # (OIDC Discovery 1.0, section 4.1), so both names are the provider's own; of the two it is
        # the one that it writes into its tokens that counts.
        if metadata.issuer.rstrip("/") != self.issuer.rstrip("/"):
            raise KeysUnavailable(
                f"{url} speaks for another issuer than the one configured, {self.issuer}"
            )
        if not _is_loopback(httpx2.URL(self.issuer).host):
            _conforms(OpenIDProviderMetadata(msgspec.json.decode(raw)))
        self.issuer = metadata.issuer
        return metadata

    async def _read(self, url: str) -> bytes:
        _check_address(url)
        body = bytearray()
        async with self._http.stream("GET", url) as response:
            if response.status_code != httpx2.codes.OK:
                raise KeysUnavailable(f"{url} answers {response.status_code}")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_DOCUMENT_BYTES:
                    raise KeysUnavailable(f"{url} answers more than 1 MB")
        return bytes(body)


def _conforms(metadata: OpenIDProviderMetadata) -> None:
    """Hold a provider's issuer and key address to the specification (which knows no loopback)."""
    try:
        metadata.validate_issuer()
        metadata.validate_jwks_uri()
    except ValueError as error:
        raise KeysUnavailable(f"the provider's metadata are not valid: {error}") from None


def _check_address(url: str) -> None:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise KeysUnavailable("its address is no URL") from None
    if parsed.scheme != "https" and not (parsed.scheme == "http" and _is_loopback(parsed.host)):
        raise KeysUnavailable(f"{url} is not https")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
