"""Access tokens: what is issued is accepted, and every forgery on the abuse list is refused."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self
from uuid import UUID

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from infrastructure.identity.discovery import RemoteKeys
from infrastructure.identity.keys import KeysUnavailable, LocalKeys, accepted_keys
from infrastructure.identity.tokens import (
    ACCESS_SECONDS,
    SigningKey,
    SigningKeyUnusable,
    TokenIssuer,
)
from infrastructure.identity.verify import TokenRefused, TokenVerifier
from infrastructure.sealing import MasterKey, Unsealable

USER = UUID("019a0000-0000-7000-8000-000000000001")
TENANT = UUID("019a0000-0000-7000-8000-00000000000a")
SESSION = UUID("019a0000-0000-7000-8000-0000000000aa")
ISSUER = "http://127.0.0.1:8000"
AUDIENCE = "build-practical"
NOW = 1_800_000_000


class Time:
    """A wall clock and a monotonic one, moved by hand."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


KEY, NEXT_KEY, STRANGER = (SigningKey.generate() for _ in range(3))


def issuer_of(*keys: SigningKey, clock: Callable[[], float]) -> TokenIssuer:
    return TokenIssuer(ISSUER, AUDIENCE, keys, clock)


def verifier_of(issuer: TokenIssuer, clock: Callable[[], float]) -> TokenVerifier:
    return TokenVerifier(
        LocalKeys(issuer.jwks),
        issuer=ISSUER,
        audience=AUDIENCE,
        foreign=False,
        clock=clock,
        monotonic=clock,
    )


@pytest.fixture
def issuer(clock: Time) -> TokenIssuer:
    return issuer_of(KEY, clock=clock)


@pytest.fixture
def verifier(issuer: TokenIssuer, clock: Time) -> TokenVerifier:
    return verifier_of(issuer, clock)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def claims(**changed: Any) -> dict[str, Any]:
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(USER),
        "tenant": str(TENANT),
        "sid": str(SESSION),
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 900,
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def header(**changed: Any) -> dict[str, Any]:
    good = {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt"}
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(
    head: Mapping[str, Any],
    body: Mapping[str, Any],
    key: SigningKey = KEY,
) -> str:
    """A token with any header at all, signed with ES256 by hand."""
    first = b64(json.dumps(head).encode()) + "." + b64(json.dumps(body).encode())
    raw = JWSRegistry.algorithms["ES256"].sign(first.encode(), key._key)  # noqa: SLF001
    return f"{first}.{b64(raw)}"


async def test_our_token_says_who_asks(issuer: TokenIssuer, verifier: TokenVerifier) -> None:
    given = issuer.issue(USER, TENANT, SESSION)
    assert given.expires_in == ACCESS_SECONDS == 900
    principal = await verifier.verify(given.token)
    assert (principal.user_id, principal.tenant_id) == (USER, TENANT)
    assert principal.subject == str(USER)


async def test_the_forger_of_these_tests_can_make_a_good_token(verifier: TokenVerifier) -> None:
    assert (await verifier.verify(signed(header(), claims()))).user_id == USER


def test_two_tokens_never_have_the_same_id(issuer: TokenIssuer) -> None:
    def jti(token: str) -> str:
        middle = token.split(".")[1]
        found: str = json.loads(base64.urlsafe_b64decode(middle + "=="))["jti"]
        return found

    assert len({jti(issuer.issue(USER, TENANT, SESSION).token) for _ in range(50)}) == 50


def test_the_jwks_holds_public_halves_only(clock: Time) -> None:
    published = issuer_of(KEY, NEXT_KEY, clock=clock).jwks()["keys"]
    assert [key["kid"] for key in published] == [KEY.kid, NEXT_KEY.kid]
    for key in published:
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_the_kid_is_the_thumbprint_of_rfc_7638() -> None:
    public = KEY.public_jwk()
    required = {name: public[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(required, sort_keys=True, separators=(",", ":")).encode()
    assert KEY.kid == b64(hashlib.sha256(text).digest())


def test_a_signing_key_is_stored_sealed_and_opens_only_as_itself() -> None:
    master = MasterKey.from_text(MasterKey.generate_text())
    sealed = KEY.sealed(master)
    assert b"PRIVATE" not in sealed
    assert SigningKey.opened(master, sealed, KEY.kid).kid == KEY.kid
    with pytest.raises(Unsealable):
        SigningKey.opened(master, sealed, NEXT_KEY.kid)


def test_a_signing_key_can_be_given_in_pem() -> None:
    pem = ECKey.generate_key("P-256").as_pem(private=True).decode()
    assert SigningKey.from_pem(pem).kid == SigningKey.from_pem(pem).kid


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "hunter2",
        ECKey.generate_key("P-256").as_pem(private=False).decode(),
        ECKey.generate_key("P-384").as_pem(private=True).decode(),
        RSAKey.generate_key(2048).as_pem(private=True).decode(),
    ],
    ids=["empty", "text", "public", "P-384", "RSA"],
)
def test_anything_else_is_no_signing_key(pem: str) -> None:
    with pytest.raises(SigningKeyUnusable, match="P-256 private key in PEM") as refused:
        SigningKey.from_pem(pem)
    assert "hunter2" not in str(refused.value)


def hs256(head: dict[str, Any], secret: bytes) -> str:
    first = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims()).encode())
    return f"{first}.{b64(hmac.digest(secret, first.encode(), 'sha256'))}"


PUBLIC_PEM = KEY._key.as_pem(private=False)  # noqa: SLF001
FORGERIES: dict[str, str] = {
    "no algorithm": f"{b64(json.dumps(header(alg='none')).encode())}."
    f"{b64(json.dumps(claims()).encode())}.",
    "no algorithm, other case": signed(header(alg="nOnE"), claims()),
    "HS256 with the public key in PEM": hs256(header(alg="HS256"), PUBLIC_PEM),
    "HS256 with the public key as JWK": hs256(
        header(alg="HS256"), json.dumps(KEY.public_jwk()).encode()
    ),
    "an algorithm that is not ours": signed(header(alg="ES384"), claims()),
    "an algorithm of another kind of key": signed(header(alg="RS256"), claims()),
    "Ed25519 with an EC key": signed(header(alg="EdDSA"), claims()),
    "an algorithm that is no text": signed(header(alg=["ES256"]), claims()),
    "an unknown kid": signed(header(kid=STRANGER.kid), claims(), STRANGER),
    "a missing kid": signed(header(kid=None), claims()),
    "an empty kid": signed(header(kid=""), claims()),
    "a kid that is a path": signed(header(kid="../../dev/null"), claims()),
    "a kid that is a number": signed(header(kid=1), claims()),
    "another's signature under our kid": signed(header(), claims(), STRANGER),
    "an embedded jwk": signed(
        header(kid=STRANGER.kid, jwk=STRANGER.public_jwk()), claims(), STRANGER
    ),
    "an embedded jwk beside a good signature": signed(header(jwk=STRANGER.public_jwk()), claims()),
    "a jku": signed(header(jku="http://127.0.0.1/jwks.json"), claims()),
    "an x5u": signed(header(x5u="http://127.0.0.1/cert"), claims()),
    "a crit": signed(header(crit=["exp"]), claims()),
    "expired": signed(header(), claims(exp=NOW - 31)),
    "no exp": signed(header(), claims(exp=None)),
    "exp as text": signed(header(), claims(exp=str(NOW + 900))),
    "exp that is not a number": signed(header(), claims(exp=float("nan"))),
    "exp without end": signed(header(), claims(exp=float("inf"))),
    "exp that is true": signed(header(), claims(exp=True)),
    "exp of 400 digits": signed(header(), claims(exp=10**400)),
    "exp of 4,000 digits": signed(header(), claims(exp=10**4_000)),
    "exp far beyond all years": signed(header(), claims(exp=1e308)),
    "iat of 400 digits": signed(header(), claims(iat=10**400)),
    "iat far below zero": signed(header(), claims(iat=-(10**400))),
    "nbf of 400 digits": signed(header(), claims(nbf=-(10**400))),
    "a subject with half a character": signed(header(), claims(sub="a\ud800")),
    "an issuer with half a character": signed(header(), claims(iss="a\ud800")),
    "not valid yet": signed(header(), claims(nbf=NOW + 31)),
    "issued in the future": signed(header(), claims(iat=NOW + 31)),
    "iat that is true": signed(header(), claims(iat=True)),
    "no iat": signed(header(), claims(iat=None)),
    "another audience": signed(header(), claims(aud="another")),
    "several other audiences": signed(header(), claims(aud=["another", "third"])),
    "no audience": signed(header(), claims(aud=None)),
    "an audience that only begins like ours": signed(header(), claims(aud=AUDIENCE + "2")),
    "another issuer": signed(header(), claims(iss="https://issuer.example")),
    "our issuer with a slash": signed(header(), claims(iss=ISSUER + "/")),
    "no issuer": signed(header(), claims(iss=None)),
    "several issuers": signed(header(), claims(iss=[ISSUER])),
    "no subject": signed(header(), claims(sub=None)),
    "an empty subject": signed(header(), claims(sub="")),
    "a subject that is no id": signed(header(), claims(sub="admin")),
    "no tenant": signed(header(), claims(tenant=None)),
    "a tenant that is no id": signed(header(), claims(tenant="*")),
    "several tenants": signed(header(), claims(tenant=[str(TENANT)])),
    "an ID token": signed(header(typ="JWT"), claims(nonce="n")),
    "a JWT of no type": signed(header(typ=None), claims()),
    "a logout token": signed(header(typ="logout+jwt"), claims()),
    "a refresh token in the claims": signed(header(), claims(typ="Refresh")),
    "a type that is no text": signed(header(typ=["at+jwt"]), claims()),
    "an empty text": "",
    "two parts": "a.b",
    "four parts": signed(header(), claims()) + ".x",
    "no base64": "*.*.*",
    "not ASCII": "é.é.é",
    "half a character": "\ud800.a.b",
    "a header that is a list": f"{b64(b'[]')}.{b64(b'{}')}.",
    "a very deep header": f"{b64(b'[' * 5000)}.{b64(b'{}')}.",
    "a very long token": signed(header(), claims(padding="x" * 40_000)),
    "a session that is no id": signed(header(), claims(sid="all")),
    "claims that are a list": signed(header(), [claims()]),  # type: ignore[arg-type]
    "a signature in another form": signed(header(), claims()).rpartition(".")[0] + "." + b64(b"x"),
    "an empty signature": signed(header(), claims()).rpartition(".")[0] + ".",
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_token_is_refused(verifier: TokenVerifier, name: str) -> None:
    with pytest.raises(TokenRefused):
        await verifier.verify(FORGERIES[name])


@pytest.mark.parametrize("claim", ["sub", "tenant"])
async def test_a_name_that_no_id_can_be_made_of_is_refused(
    issuer: TokenIssuer, clock: Time, claim: str
) -> None:
    foreign = TokenVerifier(
        LocalKeys(issuer.jwks), issuer=ISSUER, audience=AUDIENCE, foreign=True, clock=clock
    )
    assert await foreign.verify(signed(header(), claims()))
    with pytest.raises(TokenRefused):
        await foreign.verify(signed(header(), claims(**{claim: "a\ud800"})))


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_refusal_never_repeats_the_token(verifier: TokenVerifier, name: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        await verifier.verify(FORGERIES[name])
    for part in FORGERIES[name].split("."):
        assert len(part) < 8 or part not in str(refused.value)


async def test_whoever_only_asks_whose_it_is_gets_nothing_for_a_bad_token(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    principal = await verifier.whose(issuer.issue(USER, TENANT, SESSION).token)
    assert principal is not None
    assert principal.user_id == USER
    assert await verifier.whose(FORGERIES["expired"]) is None


async def test_no_changed_character_is_accepted(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    token = issuer.issue(USER, TENANT, SESSION).token
    for at in range(len(token) - 1):  # The last one has two bits that stand for nothing.
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(TokenRefused):
            await verifier.verify(changed)


async def test_clocks_may_differ_by_half_a_minute(verifier: TokenVerifier) -> None:
    assert await verifier.verify(signed(header(), claims(exp=NOW - 29)))
    assert await verifier.verify(signed(header(), claims(nbf=NOW + 29, iat=NOW + 29)))


async def test_an_audience_may_be_one_of_several(verifier: TokenVerifier) -> None:
    assert await verifier.verify(signed(header(), claims(aud=["another", AUDIENCE])))


async def test_a_token_expires_after_a_quarter_of_an_hour(
    issuer: TokenIssuer, verifier: TokenVerifier, clock: Time
) -> None:
    token = issuer.issue(USER, TENANT, SESSION).token
    clock.now += 900 + 29
    assert await verifier.verify(token)
    clock.now += 1
    with pytest.raises(TokenRefused):
        await verifier.verify(token)


async def test_a_rotation_accepts_both_keys_until_the_old_one_is_dropped(clock: Time) -> None:
    issuer = issuer_of(KEY, clock=clock)
    current = issuer

    source = LocalKeys(lambda: current.jwks())  # noqa: PLW0108 - `current` changes.
    verifier = TokenVerifier(
        source, issuer=ISSUER, audience=AUDIENCE, foreign=False, clock=clock, monotonic=clock
    )
    old = current.issue(USER, TENANT, SESSION).token
    assert await verifier.verify(old)
    current = issuer_of(NEXT_KEY, KEY, clock=clock)
    clock.now += 31
    assert await verifier.verify(current.issue(USER, TENANT, SESSION).token)
    assert await verifier.verify(old)
    current = issuer_of(NEXT_KEY, clock=clock)
    clock.now += 601
    assert await verifier.verify(current.issue(USER, TENANT, SESSION).token)
    with pytest.raises(TokenRefused):
        await verifier.verify(signed(header(), claims(iat=clock.now, exp=clock.now + 900)))


EC, RSA, ED = (
    ECKey.generate_key("P-256", {"kid": "ec"}),
    RSAKey.generate_key(2048, {"kid": "rsa"}),
    OKPKey.generate_key("Ed25519", {"kid": "ed"}),
)
FOREIGN_KEYS: dict[str, Key] = {
    "ES256": EC,
    "ES384": ECKey.generate_key("P-384", {"kid": "ec384"}),
    "ES512": ECKey.generate_key("P-521", {"kid": "ec521"}),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA),
    "EdDSA": ED,
    "Ed25519": ED,
}


class Provider:
    """A real OpenID provider on a loopback port, as small as can be, that can be made to fail."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.fail: str = ""
        self.issuer = ""
        self.claimed_issuer: str | None = None
        self.extra: dict[str, Any] = {}
        """What else its metadata say."""
        self.jwks_uri: str | None = None
        self._gone = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.issuer = f"http://127.0.0.1:{port}/realm"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        self._server.close()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        with contextlib.suppress(ConnectionError):
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.requests.append(path)
            await self._be_slow(writer)
            writer.write(self._answer(path))
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _be_slow(self, writer: asyncio.StreamWriter) -> None:
        if self.fail == "stall":
            await self._gone.wait()
        if self.fail == "drip":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n")
            while not self._gone.is_set():
                writer.write(b" ")
                await asyncio.sleep(0.01)

    def _answer(self, path: str) -> bytes:
        document: Any = {"keys": self.keys}
        if path.endswith("/.well-known/openid-configuration"):
            document = {
                "issuer": self.claimed_issuer or self.issuer,
                "jwks_uri": self.jwks_uri or f"{self.issuer.rstrip('/')}/jwks",
                **self.extra,
            }
        body = json.dumps(document).encode()
        match self.fail:
            case "500":
                return b"HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            case "redirect":
                return (
                    b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n"
                    b"connection: close\r\n\r\n"
                )
            case "nonsense":
                body = b"<html>\xff"
            case "huge":
                body = b" " * 1_100_000 + body
            case "list":
                body = b"[]"
            case "no keys":
                body = b'{"keys": []}' if path.endswith("jwks") else body
            case "cut":
                return b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{"
            case "garbage":
                return b"\x00\x01\x02\r\n\r\n"
            case _:
                pass
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        return head.encode() + body

    def publish(self, *keys: Key, **beside: Any) -> None:
        self.keys = [key.as_dict(private=False) | beside for key in keys]

    def token(
        self, algorithm: str, clock: Time, head: Mapping[str, Any] | None = None, **changed: Any
    ) -> str:
        key = FOREIGN_KEYS[algorithm]
        body = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "auth0|1",
            "iat": int(clock.now),
            "exp": int(clock.now) + 300,
        } | changed
        head = {"alg": algorithm, "kid": key.kid} | dict(head or {})
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return jwt.encode(head, body, key, registry=registry)


@pytest.fixture
async def provider(servers: None) -> AsyncIterator[Provider]:
    async with Provider() as running:
        running.publish(*(FOREIGN_KEYS[name] for name in ("ES256", "RS256", "EdDSA")))
        yield running


@pytest.fixture
async def foreign(provider: Provider, clock: Time) -> AsyncIterator[TokenVerifier]:
    async with RemoteKeys(provider.issuer) as keys:
        yield TokenVerifier(
            keys,
            issuer=provider.issuer,
            audience=AUDIENCE,
            foreign=True,
            clock=clock,
            monotonic=clock,
        )


@pytest.mark.parametrize("algorithm", FOREIGN_KEYS)
async def test_a_foreign_token_is_accepted_by_discovery(
    provider: Provider, foreign: TokenVerifier, clock: Time, algorithm: str
) -> None:
    provider.publish(FOREIGN_KEYS[algorithm])
    principal = await foreign.verify(provider.token(algorithm, clock))
    assert principal.subject == "auth0|1"
    assert provider.requests == ["/realm/.well-known/openid-configuration", "/realm/jwks"]


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "PS256", "PS512"])
async def test_a_key_that_names_its_algorithm_checks_no_other(
    provider: Provider, foreign: TokenVerifier, clock: Time, algorithm: str
) -> None:
    provider.publish(RSA, alg="PS256")
    token = provider.token(algorithm, clock)
    if algorithm == "PS256":
        assert await foreign.verify(token)
        return
    with pytest.raises(TokenRefused) as refused:
        await foreign.verify(token)
    assert refused.value.reason == "other_key"


@pytest.mark.parametrize("named", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
async def test_edwards_signatures_are_accepted_under_both_of_their_names(
    provider: Provider, foreign: TokenVerifier, clock: Time, algorithm: str, named: str
) -> None:
    provider.publish(ED, alg=named)
    assert await foreign.verify(provider.token(algorithm, clock))


async def test_a_foreign_person_always_gets_the_same_ids_and_a_tenant_of_their_own(
    provider: Provider, foreign: TokenVerifier, clock: Time
) -> None:
    one = await foreign.verify(provider.token("ES256", clock))
    again = await foreign.verify(provider.token("RS256", clock))
    other = await foreign.verify(provider.token("ES256", clock, sub="auth0|2"))
    assert one == again
    ids = {one.user_id, one.tenant_id, other.user_id, other.tenant_id}
    assert len(ids) == 4


async def test_people_whom_the_issuer_puts_in_one_tenant_share_it(
    provider: Provider, foreign: TokenVerifier, clock: Time
) -> None:
    one = await foreign.verify(provider.token("ES256", clock, tenant="acme"))
    other = await foreign.verify(provider.token("ES256", clock, tenant="acme", sub="2"))
    third = await foreign.verify(provider.token("ES256", clock, tenant="umbrella"))
    assert one.tenant_id == other.tenant_id != third.tenant_id
    assert one.user_id != other.user_id


async def test_a_foreign_issuer_cannot_name_one_of_our_tenants(
    provider: Provider, foreign: TokenVerifier, clock: Time
) -> None:
    principal = await foreign.verify(
        provider.token("ES256", clock, tenant=str(TENANT), sub=str(USER))
    )
    assert principal.tenant_id != TENANT
    assert principal.user_id != USER


async def test_a_new_foreign_key_is_found_without_a_restart(
    provider: Provider, foreign: TokenVerifier, clock: Time
) -> None:
    provider.publish(FOREIGN_KEYS["ES256"])
    assert await foreign.verify(provider.token("ES256", clock))
    provider.publish(FOREIGN_KEYS["ES256"], FOREIGN_KEYS["RS256"])
    clock.now += 31
    assert await foreign.verify(provider.token("RS256", clock))
    assert provider.requests.count("/realm/jwks") == 2


async def test_a_withdrawn_foreign_key_goes_within_ten_minutes(
    provider: Provider, foreign: TokenVerifier, clock: Time
) -> None:
    assert await foreign.verify(provider.token("RS256", clock))
    provider.publish(FOREIGN_KEYS["ES256"])
    clock.now += 601
    with pytest.raises(TokenRefused):
        await foreign.verify(provider.token("RS256", clock))
    assert await foreign.verify(provider.token("ES256", clock))


async def test_unknown_kids_cause_one_fetch_in_thirty_seconds(
    provider: Provider, foreign: TokenVerifier, clock: Time
) -> None:
    assert await foreign.verify(provider.token("ES256", clock))
    for second in range(61):
        clock.now = NOW + second
        for name in range(3):
            unknown = signed(header(kid=f"{second}-{name}"), claims(iss=provider.issuer))
            with pytest.raises(TokenRefused):
                await foreign.verify(unknown)
    assert provider.requests.count("/realm/jwks") == 3


async def test_a_kid_that_was_just_missed_is_not_asked_for_again(
    provider: Provider, foreign: TokenVerifier, clock: Time
) -> None:
    assert await foreign.verify(provider.token("ES256", clock))
    stale = signed(header(kid="retired"), claims(iss=provider.issuer))
    fetches = []
    for second in range(0, 121, 10):
        clock.now = NOW + second
        with pytest.raises(TokenRefused):
            await foreign.verify(stale)
        fetches.append(provider.requests.count("/realm/jwks"))
    assert fetches == [1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3]


async def test_many_first_requests_at_once_make_one_fetch(
    provider: Provider, foreign: TokenVerifier, clock: Time
) -> None:
    token = provider.token("ES256", clock)
    await asyncio.gather(*(foreign.verify(token) for _ in range(50)))
    assert provider.requests.count("/realm/jwks") == 1


FAILURES = ["500", "redirect", "nonsense", "huge", "list", "no keys", "cut", "garbage"]


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failed_fetch_keeps_the_keys_that_were_good(
    provider: Provider, foreign: TokenVerifier, clock: Time, failure: str
) -> None:
    assert await foreign.verify(provider.token("ES256", clock))
    provider.fail = failure
    clock.now += 700
    assert await foreign.verify(provider.token("ES256", clock))
    unknown = signed(header(kid="new"), claims(iss=provider.issuer))
    with pytest.raises(KeysUnavailable):
        await foreign.verify(unknown)
    provider.fail = ""
    clock.now += 31
    with pytest.raises(TokenRefused):
        await foreign.verify(unknown)


@pytest.mark.parametrize("failure", FAILURES)
async def test_without_keys_the_provider_is_unavailable_and_soon_tried_again(
    provider: Provider, foreign: TokenVerifier, clock: Time, failure: str
) -> None:
    provider.fail = failure
    token = provider.token("ES256", clock)
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            await foreign.verify(token)
    asked = len(provider.requests)
    provider.fail = ""
    clock.now += 2
    assert await foreign.verify(token)
    assert asked <= 2


async def test_metadata_that_speaks_for_another_issuer_is_not_believed(
    provider: Provider, foreign: TokenVerifier, clock: Time
) -> None:
    provider.claimed_issuer = "https://issuer.example"
    with pytest.raises(KeysUnavailable):
        await foreign.verify(provider.token("ES256", clock))


@pytest.mark.parametrize(
    "address", ["http://example.com/jwks", "file:///etc/passwd", "ftp://127.0.0.1/", "//x", ""]
)
async def test_keys_are_fetched_by_https_or_on_the_loopback_address_only(
    provider: Provider, address: str
) -> None:
    provider.jwks_uri = address or "relative"
    async with RemoteKeys(provider.issuer) as keys:
        with pytest.raises(KeysUnavailable, match=r"is not https|no URL"):
            await keys.keys()


@pytest.mark.servers
async def test_a_provider_that_cannot_be_reached_is_unavailable(clock: Time) -> None:
    async with Provider() as gone:
        address = gone.issuer
    async with RemoteKeys(address) as keys:
        with pytest.raises(KeysUnavailable, match="gave no keys"):
            await keys.keys()


@pytest.mark.parametrize("failure", ["stall", "drip"])
async def test_a_provider_that_does_not_come_to_an_end_is_given_up_in_time(
    provider: Provider, failure: str
) -> None:
    provider.fail = failure
    async with RemoteKeys(provider.issuer, fetch_seconds=0.2) as keys, asyncio.timeout(5):
        with pytest.raises(KeysUnavailable):
            await keys.keys()


async def test_a_malformed_token_never_causes_a_fetch(
    provider: Provider, foreign: TokenVerifier
) -> None:
    for name in ("no algorithm", "a missing kid", "an embedded jwk", "two parts", "a jku"):
        with pytest.raises(TokenRefused):
            await foreign.verify(FORGERIES[name])
    assert provider.requests == []


def test_only_public_signing_keys_of_the_accepted_kinds_are_used() -> None:
    good = FOREIGN_KEYS["ES256"].as_dict(private=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = RSAKey.generate_key(1024, {"kid": "short"})
    refused: list[Any] = [
        {"kty": "oct", "k": b64(b"secret"), "kid": "oct"},
        FOREIGN_KEYS["ES256"].as_dict(private=True) | {"kid": "private"},
        OKPKey.generate_key("X25519", {"kid": "x"}).as_dict(private=False),
        short.as_dict(private=False),
        OKPKey.generate_key("Ed448", {"kid": "ed448"}).as_dict(private=False),
        ECKey.generate_key("secp256k1", {"kid": "k1"}).as_dict(private=False),
        good | {"kid": "signs", "key_ops": ["sign"]},
        good | {"kid": "list", "alg": ["ES256"]},
        good | {"kid": "384", "alg": "ES384"},
        good | {"kid": "curves", "crv": ["P-256"]},
        good | {"kid": "enc", "use": "enc"},
        good | {"kid": "hmac", "alg": "HS256"},
        good | {"kid": "other", "alg": "RS256"},
        good | {"kid": "broken", "x": "AA"},
        good | {"kid": ""},
        {name: value for name, value in good.items() if name != "kid"},
        good | {"kid": 7},
        "text",
        None,
        {"kty": "LMS", "kid": "post-quantum"},
    ]
    assert accepted_keys({"keys": [*refused, good]}).keys() == {"ec"}
    documents: list[dict[str, Any]] = [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}]
    for document in documents:
        assert accepted_keys(document) == {}
