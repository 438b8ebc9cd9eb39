"""Issuers as they are: what each kind of provider publishes and signs, served on the loopback.

The shapes are those of Keycloak, authentik, Auth0, Entra ID, Supabase, Okta and of RFC 9068, with
the claims that each of them writes into access tokens and ID tokens.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple
from uuid import UUID

import pytest

from infrastructure.identity.discovery import RemoteKeys
from infrastructure.identity.keys import KeysUnavailable
from infrastructure.identity.verify import LARGEST_TOKEN, TokenRefused, TokenVerifier
from tests.infrastructure.identity.test_tokens import (
    AUDIENCE,
    EC,
    FOREIGN_KEYS,
    NOW,
    RSA,
    Provider,
    Time,
)

GROUPS: Final = [str(UUID(int=n)) for n in range(200)]
PERSON: Final = {
    "name": "Ann Example",
    "given_name": "Ann",
    "preferred_username": "ann",
    "email": "ann@example.org",
    "email_verified": True,
}


class Shape(NamedTuple):
    """How a provider names itself and signs."""

    path: str
    """Of its issuer."""
    algorithm: str
    beside_keys: dict[str, Any]
    """What stands in its JWKS beside a key."""
    head: dict[str, Any]
    access: dict[str, Any]
    """Claims of its access tokens beside iss, sub, aud, iat and exp."""
    identity: dict[str, Any]
    """Claims of its ID tokens; without `nonce` and hashes, as when nobody asked for them."""


KEYCLOAK: Final = {
    "azp": "web",
    "acr": "1",
    "auth_time": NOW,
    "session_state": "b7c0",
    "sid": "b7c0",
    "jti": "onrtac:1",
    **PERSON,
}
AUTHENTIK: Final = {
    "auth_time": NOW,
    "acr": "goauthentik.io/providers/oauth2/default",
    "amr": ["pwd"],
    "sid": "5d1e",
    **PERSON,
    "groups": ["staff"],
}
ENTRA: Final = {
    "nbf": NOW,
    "aio": "AWQAm/8",
    "name": "Ann Example",
    "oid": str(UUID(int=1)),
    "preferred_username": "ann@example.org",
    "rh": "1.AX0A",
    "sid": "0012",
    "tid": str(UUID(int=2)),
    "uti": "qK",
    "ver": "2.0",
}

SHAPES: Final = {
    "keycloak": Shape(
        "/realms/main",
        "RS256",
        {"alg": "RS256", "use": "sig", "x5c": ["MIIC"], "x5t": "t"},
        {"typ": "JWT"},
        {
            **KEYCLOAK,
            "typ": "Bearer",
            "realm_access": {"roles": ["offline_access"]},
            "resource_access": {"account": {"roles": ["manage-account"]}},
            "scope": "openid profile email",
            "allowed-origins": ["https://web.example"],
        },
        {**KEYCLOAK, "typ": "ID"},
    ),
    "keycloak up to 24": Shape(
        "/realms/main",
        "PS256",
        {"alg": "PS256", "use": "sig"},
        {"typ": "JWT"},
        {**KEYCLOAK, "typ": "Bearer", "nonce": "n-0S6", "scope": "openid"},
        {**KEYCLOAK, "typ": "ID", "nonce": "n-0S6"},
    ),
    "authentik": Shape(
        "/application/o/build/",
        "RS256",
        {"alg": "RS256", "use": "sig", "x5t#S256": "t"},
        {"typ": "JWT"},
        {**AUTHENTIK, "nonce": "n-0S6", "azp": "web", "uid": "9f2c", "scope": "openid email"},
        AUTHENTIK,
    ),
    "auth0": Shape(
        "/",
        "RS256",
        {"alg": "RS256", "use": "sig", "x5t": "t"},
        {"typ": "JWT"},
        {"azp": "Z1", "scope": "openid profile", "permissions": ["read:features"]},
        {**PERSON, "nickname": "ann", "picture": "https://a.example/p", "sid": "5"},
    ),
    "auth0, for a machine": Shape(
        "/",
        "RS256",
        {"alg": "RS256", "use": "sig"},
        {"typ": "at+jwt"},
        {"azp": "Z1", "gty": "client-credentials"},
        {"sid": "5"},
    ),
    "entra with 200 groups": Shape(
        "/72f988bf/v2.0",
        "RS256",
        {"use": "sig", "x5t": "t", "issuer": "https://login.example/72f988bf/v2.0"},
        {"typ": "JWT", "x5t": "t"},
        {**ENTRA, "azp": "6731", "azpacr": "0", "scp": "access_as_user", "groups": GROUPS},
        {**ENTRA, "groups": GROUPS},
    ),
    "entra 1.0": Shape(
        "/72f988bf/",
        "RS256",
        {"use": "sig", "x5t": "t"},
        {"typ": "JWT", "x5t": "rsa"},
        {
            "nbf": NOW,
            "acr": "1",
            "amr": ["pwd", "mfa"],
            "appid": "6731",
            "appidacr": "0",
            "name": "Ann Example",
            "unique_name": "ann@example.org",
            "ver": "1.0",
        },
        {"nbf": NOW, "amr": ["pwd"], "name": "Ann Example", "ver": "1.0"},
    ),
    "supabase": Shape(
        "/auth/v1",
        "ES256",
        {"alg": "ES256", "key_ops": ["verify"], "ext": True},
        {"typ": "JWT"},
        {
            "email": "ann@example.org",
            "phone": "",
            "app_metadata": {"provider": "email"},
            "user_metadata": {},
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": NOW}],
            "session_id": str(UUID(int=3)),
            "is_anonymous": False,
        },
        {"email": "ann@example.org", "auth_time": NOW},
    ),
    "okta": Shape(
        "/oauth2/default",
        "RS256",
        {"alg": "RS256", "use": "sig"},
        {},
        {
            "ver": 1,
            "jti": "AT.1",
            "cid": "0oa1",
            "uid": "00u1",
            "scp": ["openid"],
            "auth_time": NOW,
        },
        {"ver": 1, "jti": "ID.1", "amr": ["pwd"], "idp": "00o1", "auth_time": NOW},
    ),
    "rfc 9068, ES384": Shape(
        "/as",
        "ES384",
        {},
        {"typ": "application/at+jwt"},
        {
            "client_id": "s6BhdRkqt3",
            "jti": "dbe39bf3",
            "scope": "read",
            "auth_time": NOW,
            "acr": "1",
        },
        {"auth_time": NOW, "acr": "1", "sid": "1"},
    ),
}


class Running(NamedTuple):
    """A provider of a shape, and what checks its tokens."""

    shape: Shape
    provider: Provider
    verifier: TokenVerifier
    clock: Time

    def token(self, claims: dict[str, Any], **head: Any) -> str:
        return self.provider.token(
            self.shape.algorithm, self.clock, self.shape.head | head, **claims
        )


def verifier_of(keys: RemoteKeys, configured: str, clock: Time) -> TokenVerifier:
    return TokenVerifier(
        keys, issuer=configured, audience=AUDIENCE, foreign=True, clock=clock, monotonic=clock
    )


@pytest.fixture(params=SHAPES)
async def running(servers: None, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    shape, clock = SHAPES[request.param], Time()
    async with Provider() as provider:
        provider.issuer = provider.issuer.removesuffix("/realm") + shape.path
        provider.publish(FOREIGN_KEYS[shape.algorithm], **shape.beside_keys)
        async with RemoteKeys(provider.issuer) as keys:
            yield Running(shape, provider, verifier_of(keys, provider.issuer, clock), clock)


async def test_access_tokens_are_accepted(running: Running) -> None:
    principal = await running.verifier.verify(running.token(running.shape.access))
    assert principal.subject == "auth0|1"
    assert principal.expires_at == NOW + 300
    assert principal.session_id is None
    path = running.shape.path.rstrip("/")
    assert running.provider.requests == [
        f"{path}/.well-known/openid-configuration",
        f"{path}/jwks",
    ]


async def test_an_access_token_may_name_several_audiences(running: Running) -> None:
    audiences = {"aud": ["https://other.example", AUDIENCE]}
    assert await running.verifier.verify(running.token(running.shape.access | audiences))
    others = {"aud": ["https://other.example", AUDIENCE + "/"]}
    with pytest.raises(TokenRefused, match="audience"):
        await running.verifier.verify(running.token(running.shape.access | others))


async def test_id_tokens_are_refused_with_and_without_nonce_and_hashes(running: Running) -> None:
    for beside in ({}, {"nonce": "n-0S6"}, {"at_hash": "9RtQ"}, {"c_hash": "LDkt", "nonce": "n"}):
        token = running.token(running.shape.identity | beside, typ="JWT")
        with pytest.raises(TokenRefused, match="not_an_access_token"):
            await running.verifier.verify(token)


async def test_an_issuer_is_compared_as_it_is_written(running: Running) -> None:
    issuer = running.provider.issuer
    for other in (issuer.removesuffix("/") if issuer.endswith("/") else issuer + "/", issuer + "x"):
        with pytest.raises(TokenRefused, match="issuer"):
            await running.verifier.verify(running.token(running.shape.access | {"iss": other}))


async def test_a_setting_without_the_slash_or_with_one_too_many_finds_the_issuer(
    running: Running,
) -> None:
    """As before the setting kept its slash; the provider's own spelling counts."""
    issuer = running.provider.issuer
    configured = issuer.removesuffix("/") if issuer.endswith("/") else issuer + "/"
    token = running.token(running.shape.access)
    async with RemoteKeys(configured) as keys:
        spelled = await verifier_of(keys, configured, running.clock).verify(token)
    assert spelled == await running.verifier.verify(token)


OTHERS: Final[tuple[dict[str, Any], ...]] = (
    {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}, "sid": "1"},
    {"typ": "Refresh", "scope": "openid"},
    {"typ": "Offline", "scope": "openid"},
    {"typ": "Logout", "sid": "1"},
    {"typ": "DPoP", "scope": "openid"},
    {"typ": ["Bearer"], "scope": "openid"},
    {"token_use": "id", "scope": "openid"},
    {"at_hash": "9RtQ", "scope": "openid", "azp": "web"},
)


@pytest.mark.servers
async def test_nothing_else_that_an_issuer_signs_is_an_access_token() -> None:
    clock = Time()
    async with Provider() as provider:
        provider.publish(RSA)
        async with RemoteKeys(provider.issuer) as keys:
            verifier = verifier_of(keys, provider.issuer, clock)
            for claims in OTHERS:
                for head in ({"typ": "JWT"}, {}):
                    with pytest.raises(TokenRefused, match="not_an_access_token"):
                        await verifier.verify(provider.token("RS256", clock, head, **claims))
            for typ in ("logout+jwt", "secevent+jwt", "dpop+jwt", "id_token"):
                with pytest.raises(TokenRefused, match="not_an_access_token"):
                    await verifier.verify(provider.token("RS256", clock, {"typ": typ}, scope="x"))


@pytest.mark.servers
async def test_a_token_with_many_groups_is_accepted() -> None:
    clock = Time()
    async with Provider() as provider:
        provider.publish(RSA)
        async with RemoteKeys(provider.issuer) as keys:
            verifier = verifier_of(keys, provider.issuer, clock)
            for groups in (157, 200, 400):
                named = [str(UUID(int=n)) for n in range(groups)]
                token = provider.token("RS256", clock, scp="x", groups=named, wids=named[:60])
                assert 9_000 < len(token) < LARGEST_TOKEN
                assert await verifier.verify(token)


@pytest.mark.servers
async def test_a_new_key_is_taken_without_a_restart_and_inventing_kids_is_bounded() -> None:
    clock = Time()
    async with Provider() as provider:
        provider.publish(EC)
        async with RemoteKeys(provider.issuer) as keys:
            verifier = verifier_of(keys, provider.issuer, clock)
            assert await verifier.verify(provider.token("ES256", clock, scope="x"))
            provider.publish(EC, RSA)
            clock.now += 31
            invented = [provider.token("ES256", clock, {"kid": f"k{n}"}) for n in range(50)]
            for token in invented:
                with pytest.raises(TokenRefused, match="unknown_key"):
                    await verifier.verify(token)
            assert await verifier.verify(provider.token("PS512", clock, scope="x"))
            assert provider.requests.count("/realm/jwks") == 2


@pytest.mark.servers
async def test_what_is_wrong_with_a_provider_is_said_to_the_operator() -> None:
    clock = Time()
    async with Provider() as provider:
        provider.publish(FOREIGN_KEYS["ES256"], alg="RS256")
        async with RemoteKeys(provider.issuer) as keys:
            with pytest.raises(KeysUnavailable) as unavailable:
                await verifier_of(keys, provider.issuer, clock).verify(
                    provider.token("ES256", clock)
                )
        assert "none of its keys" in unavailable.value.cause
        provider.claimed_issuer = "https://issuer.example"
        async with RemoteKeys(provider.issuer) as keys:
            with pytest.raises(KeysUnavailable) as unavailable:
                await verifier_of(keys, provider.issuer, clock).verify(
                    provider.token("ES256", clock)
                )
        assert "speaks for another issuer" in unavailable.value.cause


@pytest.mark.servers
async def test_a_stream_knows_when_its_foreign_token_ends() -> None:
    clock = Time()
    async with Provider() as provider:
        provider.publish(EC)
        async with RemoteKeys(provider.issuer) as keys:
            verifier = verifier_of(keys, provider.issuer, clock)
            token = provider.token("ES256", clock, scope="x", exp=NOW + 5)
            principal = await verifier.verify(token)
            lasting = [asyncio.ensure_future(verifier.ended(principal))]
            clock.now += 4.99
            await verifier.expired(principal)
            assert not lasting[0].done()
            lasting[0].cancel()
