"""Signing up, in, out and again over HTTP."""

import re
import unicodedata
from collections.abc import MutableMapping
from http.cookies import SimpleCookie
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from application.identity.account_ports import Account, AddressUnsafe
from application.identity.security_log import EVENTS, LINES
from interface.api import is_plain
from tests.interface.world import HASHER, ISSUER, Person, World

EMAIL = "ann@example.org"
PASSWORD = "correct horse battery"  # noqa: S105 - of nobody.


ODD_ADDRESSES = (
    "=?utf-8?q?eve=40evil.org?=@example.org",
    "=?utf-8?b?ZXZlQGV2aWwub3JnLA==?=@example.org",
    "ann=?x?=@example.org",
    "Ann <eve@evil.org>",
    '"eve@evil.org"@example.org',
    "eve@evil.org,ann@example.org",
    "ann(eve@evil.org)@example.org",
    "eve%evil.org@example.org",
    "evil.org!eve@example.org",
    "@evil.org:ann@example.org",
    "ann@example.org@evil.org",
    "ann@[192.0.2.1]",
    "ann\u202e@example.org",
    "ann@ex\u00e4mple.org",
    "\u212aate@example.org",
    "\uff41nn@example.org",
    "ann@example.org\u3002evil.org",
    ".ann@example.org",
    "a..nn@example.org",
    "ann@-example.org",
    "ann@example..org",
    "ann@example.org.",
    "a" * 65 + "@example.org",
    "ann@" + "a" * 64 + ".org",
)


def cookies_of(answer: Any) -> dict[str, str]:
    """The cookies of an answer, each with the flags that keep it where it belongs."""
    found = {}
    for header in answer.headers.get_list("set-cookie"):
        [(name, cookie)] = SimpleCookie(header).items()
        assert name.startswith("__Host-") or not cookie.value
        assert cookie["httponly"]
        assert cookie["secure"]
        assert cookie["samesite"].lower() == "strict"
        assert not cookie["domain"]
        assert cookie["path"] == ("/" if name.startswith("__Host-") else "/auth")
        found[name] = cookie.value
    return found


def refresh_of(answer: Any) -> str:
    """The refresh token of an answer."""
    return cookies_of(answer)["__Host-bp_refresh"]


def with_cookie(token: str, **headers: str) -> dict[str, Any]:
    """A request with this cookie; a client library would not send it without TLS."""
    return {"headers": {"Cookie": f"__Host-bp_refresh={token}", **headers}}


async def signed_up(ann: Person) -> Any:
    ann.headers = {}
    body = {"email": EMAIL, "password": PASSWORD}
    answer = await ann.ask("POST", "/auth/signup", json=body)
    assert answer.status_code == 201, answer.text
    return answer


async def test_whoever_signs_up_is_in_and_can_begin(ann: Person) -> None:
    answer = await signed_up(ann)
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert body["token_type"] == "Bearer"  # noqa: S105 - the type.
    assert refresh_of(answer) not in answer.text
    ann.headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert (await ann.ask("POST", "/api/features", json={})).status_code == 201


async def test_an_address_signs_up_once(ann: Person) -> None:
    await signed_up(ann)
    again = await ann.ask(
        "POST", "/auth/signup", json={"email": " ANN@example.org", "password": "x" * 12}
    )
    assert (again.status_code, again.json()["code"]) == (409, "email_taken")


@pytest.mark.parametrize(
    ("email", "password", "code"),
    [
        ("ann", PASSWORD, "email_invalid"),
        ("a b@example.org", PASSWORD, "email_invalid"),
        ("ann@x\r\nBcc: all@example.org", PASSWORD, "email_invalid"),
        (EMAIL, "short", "invalid_body"),
        (EMAIL, "x" * 1025, "invalid_body"),
        (EMAIL, "é" * 1000, "password_refused"),
    ],
)
async def test_odd_accounts_are_refused(ann: Person, email: str, password: str, code: str) -> None:
    answer = await ann.ask("POST", "/auth/signup", json={"email": email, "password": password})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert password not in answer.text


async def test_an_address_that_a_mail_program_may_read_in_two_ways_is_refused(
    ann: Person, world: World
) -> None:
    for email in ODD_ADDRESSES:
        answer = await ann.ask("POST", "/auth/signup", json={"email": email, "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (400, "email_invalid"), email
    assert world.store.accounts == {}


async def test_unknown_accounts_and_wrong_passwords_get_the_same_answer(ann: Person) -> None:
    await signed_up(ann)
    answers = []
    for email in (EMAIL, "bob@example.org"):
        answer = await ann.ask(
            "POST", "/auth/login", json={"email": email, "password": "wrong password"}
        )
        body = answer.json()
        body.pop("request_id")
        answers.append((answer.status_code, body, "set-cookie" in answer.headers))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    assert answers[0][1]["code"] == "wrong_credentials"


async def test_refresh_tokens_rotate_and_an_old_one_ends_the_family(ann: Person) -> None:
    first = refresh_of(await signed_up(ann))
    renewed = await ann.ask("POST", "/auth/refresh", **with_cookie(first))
    assert renewed.status_code == 200
    second = refresh_of(renewed)
    assert second != first
    third = refresh_of(await ann.ask("POST", "/auth/refresh", **with_cookie(second)))
    stolen = await ann.ask("POST", "/auth/refresh", **with_cookie(first))
    assert (stolen.status_code, stolen.json()["code"]) == (401, "session_ended")
    ended = await ann.ask("POST", "/auth/refresh", **with_cookie(third))
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")


async def test_after_signing_out_the_cookie_is_worth_nothing(ann: Person) -> None:
    token = refresh_of(await signed_up(ann))
    out = await ann.ask("POST", "/auth/logout", **with_cookie(token))
    assert out.status_code == 204
    assert cookies_of(out) == {"__Host-bp_refresh": ""}
    assert (await ann.ask("POST", "/auth/refresh", **with_cookie(token))).status_code == 401
    assert (await ann.ask("POST", "/auth/logout")).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": ISSUER + ".evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_pages_of_other_origins_cannot_use_the_cookie(
    ann: Person, headers: dict[str, str]
) -> None:
    token = refresh_of(await signed_up(ann))
    for path in ("refresh", "logout"):
        answer = await ann.ask("POST", f"/auth/{path}", **with_cookie(token, **headers))
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
        assert "access-control-allow-origin" not in answer.headers
    own = {"Origin": ISSUER, "Sec-Fetch-Site": "same-origin"}
    assert (await ann.ask("POST", "/auth/refresh", **with_cookie(token, **own))).status_code == 200


async def test_guessing_is_slowed_down_and_others_are_not(ann: Person, world: World) -> None:
    await signed_up(ann)
    wrong = {"email": EMAIL, "password": "wrong password"}
    for _ in range(10):
        assert (await ann.ask("POST", "/auth/login", json=wrong)).status_code == 401
    slowed = await ann.ask("POST", "/auth/login", json=wrong)
    assert (slowed.status_code, slowed.json()["code"]) == (429, "too_many_requests")
    assert int(slowed.headers["retry-after"]) == slowed.json()["retry_after_seconds"] > 1
    right = {"email": EMAIL, "password": PASSWORD}
    assert (await ann.ask("POST", "/auth/login", json=right)).status_code == 429
    other = {"email": "bob@example.org", "password": "wrong password"}
    assert (await ann.ask("POST", "/auth/login", json=other)).status_code == 401
    world.clock.forward(slowed.json()["retry_after_seconds"])
    assert (await ann.ask("POST", "/auth/login", json=right)).status_code == 200


async def test_a_forgotten_password_is_set_anew_once_and_ends_all_sessions(
    ann: Person, world: World
) -> None:
    token = refresh_of(await signed_up(ann))
    for email in (EMAIL, "nobody@example.org"):
        asked = await ann.ask("POST", "/auth/password/forgot", json={"email": email})
        assert (asked.status_code, asked.text) == (202, "")
    await world.accounts.drain()
    [(to, _, letter)] = world.letters.sent
    assert to == EMAIL
    found = re.search(r"#token=(\S+)", letter)
    assert found
    assert f"\n{found[1]}\n" in letter
    body = {"token": found[1], "password": "another long password"}
    assert (await ann.ask("POST", "/auth/password/reset", json=body)).status_code == 202
    again = await ann.ask("POST", "/auth/password/reset", json=body)
    assert (again.status_code, again.json()["code"]) == (400, "reset_refused")
    assert (await ann.ask("POST", "/auth/refresh", **with_cookie(token))).status_code == 401
    old = {"email": EMAIL, "password": PASSWORD}
    assert (await ann.ask("POST", "/auth/login", json=old)).status_code == 401
    new = {"email": EMAIL, "password": "another long password"}
    assert (await ann.ask("POST", "/auth/login", json=new)).status_code == 200


async def test_a_link_is_good_for_an_hour(ann: Person, world: World) -> None:
    await signed_up(ann)
    await ann.ask("POST", "/auth/password/forgot", json={"email": EMAIL})
    await world.accounts.drain()
    token = re.findall(r"#token=(\S+)", world.letters.sent[0][2])[0]
    world.clock.forward(3601)
    body = {"token": token, "password": "another long password"}
    late = await ann.ask("POST", "/auth/password/reset", json=body)
    assert late.json()["code"] == "reset_refused"


async def test_letters_do_not_flood_a_person(ann: Person, world: World) -> None:
    await signed_up(ann)
    for _ in range(10):
        asked = await ann.ask("POST", "/auth/password/forgot", json={"email": EMAIL})
        assert asked.status_code == 202
    await world.accounts.drain()
    assert len(world.letters.sent) == 3


async def test_the_public_keys_are_public_and_nothing_else(ann: Person) -> None:
    answer = await ann.ask("GET", "/.well-known/jwks.json")
    [key] = answer.json()["keys"]
    assert key["alg"] == "ES256"
    assert "d" not in key


async def test_with_a_foreign_issuer_the_built_in_provider_is_off(ann: Person) -> None:
    object.__setattr__(ann.world.services, "accounts", None)
    body = {"email": EMAIL, "password": PASSWORD}
    paths = ("signup", "login", "refresh", "logout", "password/forgot", "password/reset", "x", "")
    for path in paths:
        for sent in ({"json": body}, {"json": {}}, {"content": b"{"}, {"json": [1]}, {}):
            answer = await ann.ask("POST", f"/auth/{path}", **sent)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        foreign = {"Origin": "https://evil.example"}
        assert (await ann.ask("POST", f"/auth/{path}", headers=foreign)).status_code == 404
    assert (await ann.ask("GET", "/.well-known/jwks.json")).json() == {"keys": []}


async def test_signing_in_costs_one_verification_also_for_unknown_accounts(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_up(ann)
    verified: list[bool] = []
    matches = HASHER._matches  # noqa: SLF001 - the one function that takes time.

    def counted(stored: str, raw: bytes) -> bool:
        verified.append(matches(stored, raw))
        return verified[-1]

    monkeypatch.setattr(HASHER, "_matches", counted)
    for email in (EMAIL, "bob@example.org", "no address at all"):
        body = {"email": email, "password": "wrong password"}
        assert (await ann.ask("POST", "/auth/login", json=body)).status_code == 401
    assert verified == [False] * 3


async def test_a_letter_that_cannot_be_sent_is_logged_without_its_token(
    ann: Person, world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    async def full(*_: str) -> None:
        raise OSError("no space left")

    await signed_up(ann)
    world.letters.send = full  # type: ignore[method-assign]
    asked = await ann.ask("POST", "/auth/password/forgot", json={"email": EMAIL})
    assert asked.status_code == 202
    await world.accounts.drain()
    [entry] = [entry for entry in logged if entry["event"] == "letter_not_sent"]
    assert "no space left" in str(entry["exc_info"])
    assert EMAIL not in str(logged)


PLAIN_ADDRESSES = (
    "ann.smith+tools@mail.example.org",
    "o'hara@example.org",
    "a@b",
    "ann=x@example.org",
    "Ann@EXAMPLE.org",
    "_@1.2.example",
)


async def test_plain_addresses_are_taken_and_written_to_as_they_are(
    ann: Person, world: World
) -> None:
    for email in PLAIN_ADDRESSES:
        body = {"email": email, "password": PASSWORD}
        assert (await ann.ask("POST", "/auth/signup", json=body)).status_code == 201
        await ann.ask("POST", "/auth/password/forgot", json={"email": email.upper()})
        await world.accounts.drain()
    assert [to for to, *_ in world.letters.sent] == [email.lower() for email in PLAIN_ADDRESSES]


EASY = (
    "password1234",
    "Passw0rd2026!",
    " " * 12,
    "\u3000" * 12,
    "aaaaaaaaaaaa",
    "abcabcabcabc",
    "abcdefghijkl",
    "123456789012",
    "qwertyuiop12",
    "1q2w3e4r5t6y",
    "p a s s w o r d 1 2 3 4",
    "p-a-s-s-w-o-r-d-1-2",
    "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff11\uff12\uff13\uff14",
    "pass\u200bword12345",
    "iloveyou2024!",
    "letmeinletmein",
    "Build Practical",
    "build-practical-2026",
    "ann.smith@example.org",
    "AnnSmith2026!",
    "annsmith-example",
    "\u3042" * 12,
    "\u0430\u0431\u0432\u0433\u0434\u0435\u0436\u0437\u0438\u0439\u043a\u043b",
)


async def test_a_password_that_is_guessed_early_is_refused_with_what_to_do(
    ann: Person, world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    for password in EASY:
        body = {"email": "ann.smith@example.org", "password": password}
        answer = await ann.ask("POST", "/auth/signup", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "password_refused"), password
        assert "three or more words" in answer.json()["detail"]
        assert password not in answer.text
    refused = [entry["reason"] for entry in logged if entry["event"] == "sign_up_refused"]
    assert refused == ["password_refused"] * len(EASY)
    assert world.store.accounts == {}


GOOD = (
    "correct horse battery",
    "tr0ub4dor&3xx",
    "$%^&*(){}[]!@",
    "9f8a7s6d5f4g",
    "\u05de\u05e0\u05d4\u05dc \u05de\u05e2\u05e8\u05db\u05ea \u05e8\u05d0\u05e9\u05d9",
    "".join(chr(0x1F420 + 7 * n) for n in range(12)),
    "correct horse battery " * 40,
)


async def test_a_password_that_nobody_guesses_is_taken(ann: Person) -> None:
    for n, password in enumerate(GOOD):
        body = {"email": f"ann.smith{n}@example.org", "password": password}
        assert (await ann.ask("POST", "/auth/signup", json=body)).status_code == 201, password
        assert (await ann.ask("POST", "/auth/login", json=body)).status_code == 200


async def test_a_link_sets_no_password_that_is_guessed_early_and_stays_good(
    ann: Person, world: World
) -> None:
    await signed_up(ann)
    await ann.ask("POST", "/auth/password/forgot", json={"email": EMAIL})
    await world.accounts.drain()
    token = re.findall(r"#token=(\S+)", world.letters.sent[0][2])[0]
    for password in ("password1234", EMAIL + "!"):
        body = {"token": token, "password": password}
        refused = await ann.ask("POST", "/auth/password/reset", json=body)
        assert (refused.status_code, refused.json()["code"]) == (400, "password_refused")
    body = {"token": token, "password": "another long password"}
    assert (await ann.ask("POST", "/auth/password/reset", json=body)).status_code == 202


async def test_an_account_of_before_signs_in_whatever_its_password_and_address_are(
    ann: Person, world: World
) -> None:
    """Rules are for what is chosen from now on."""
    for email, password in (
        ("=?utf-8?q?x?=@example.org", "password1234"),
        ("k\u00fcche@x", " " * 12),
    ):
        stored = await HASHER.hash(unicodedata.normalize("NFKC", password))
        await world.store.add(Account(uuid7(), uuid7(), email, stored))
        body = {"email": email, "password": password}
        assert (await ann.ask("POST", "/auth/login", json=body)).status_code == 200


async def test_a_letter_whose_address_is_not_safe_is_told_with_its_account(
    ann: Person, world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    async def unsafe(*_: str) -> None:
        raise AddressUnsafe

    await signed_up(ann)
    world.letters.send = unsafe  # type: ignore[method-assign]
    await ann.ask("POST", "/auth/password/forgot", json={"email": EMAIL})
    await world.accounts.drain()
    [entry] = [entry for entry in logged if entry["event"] == "letter_not_sent"]
    assert entry["account"] == str(world.store.accounts[EMAIL].user_id)
    assert EMAIL not in str(logged)


async def test_letters_link_to_the_address_that_people_use(ann: Person, world: World) -> None:
    world.accounts._public_url = "https://build.example.org"  # noqa: SLF001 - as BP_PUBLIC_URL is.
    await signed_up(ann)
    await ann.ask("POST", "/auth/password/forgot", json={"email": EMAIL})
    await world.accounts.drain()
    [(_, _, letter)] = world.letters.sent
    assert set(re.findall(r"\w+://[^/#\s]+", letter)) == {"https://build.example.org"}


def test_an_address_without_tls_is_told_at_the_start() -> None:
    safe = (
        "https://build.example.org",
        "http://127.0.0.1:8000",
        "http://[::1]",
        "http://localhost",
    )
    assert not any(is_plain(url) for url in safe)
    assert is_plain("http://build.example.org")
    assert is_plain("http://192.0.2.1:8000")


async def test_each_refusal_is_one_line_with_its_reason_and_no_secret(
    ann: Person, world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    first = refresh_of(await signed_up(ann))
    odd = {"email": "Ann <ann@example.org>", "password": PASSWORD}
    taken = {"email": EMAIL, "password": PASSWORD}
    link = {"token": "guessed", "password": "another long password"}
    asked: list[tuple[str, dict[str, Any], str, str]] = [
        ("/auth/signup", {"json": odd}, "sign_up_refused", "email_invalid"),
        ("/auth/signup", {"json": taken}, "sign_up_refused", "email_taken"),
        ("/auth/login", {"json": odd}, "sign_in_refused", "unknown_account"),
        ("/auth/login", {"json": taken | {"password": "x"}}, "sign_in_refused", "wrong_password"),
        ("/auth/refresh", {}, "refresh_refused", "no_cookie"),
        ("/auth/refresh", with_cookie("guessed"), "refresh_refused", "unknown"),
        ("/auth/password/reset", {"json": link}, "reset_refused", "unknown_or_used"),
        ("/auth/refresh", with_cookie(first, Origin="null"), "cross_site_refused", ""),
        ("/api/features", {}, "token_refused", "no_token"),
        ("/api/features", {"headers": {"Authorization": "Basic x"}}, "token_refused", "no_token"),
        ("/api/features", {"headers": bearer("x")}, "token_refused", "malformed"),
        ("/api/features", {"headers": bearer("y" * 50_000)}, "token_refused", "too_long"),
    ]
    for path, sent, event, reason in asked:
        logged.clear()
        assert (await ann.ask("POST", path, **sent)).status_code >= 400
        told = [entry for entry in logged if entry["event"] in EVENTS]
        assert [(entry["event"], entry.get("reason", "")) for entry in told] == [(event, reason)]
        assert told[0]["address"] == "127.0.0.1"
        for secret in (EMAIL, PASSWORD, "guessed", first, "another long password"):
            assert secret not in str(told)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_good_things_are_told_too(
    ann: Person, world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    token = refresh_of(await signed_up(ann))
    await ann.ask("POST", "/auth/login", json={"email": EMAIL, "password": PASSWORD})
    await ann.ask("POST", "/auth/logout", **with_cookie(token))
    for email in (EMAIL, "nobody@example.org"):
        await ann.ask("POST", "/auth/password/forgot", json={"email": email})
    await world.accounts.drain()
    told = [entry for entry in logged if entry["event"] in EVENTS]
    assert [entry["event"] for entry in told] == [
        "signed_up",
        "signed_in",
        "session_ended",
        "reset_asked",
        "reset_asked",
    ]
    assert [entry.get("sent") for entry in told[-2:]] == [True, False]
    assert told[1]["known"] == "network"


async def test_a_flood_writes_a_bounded_number_of_lines_and_says_how_many_it_left_out(
    ann: Person, world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    for _ in range(LINES.tries + 40):
        await ann.ask("GET", "/api/features", headers=bearer("x"))
    lines = [entry for entry in logged if entry["event"] == "token_refused"]
    assert len(lines) == LINES.tries
    await ann.ask("GET", "/api/features", headers=bearer("y" * 50_000))
    assert logged[-2]["reason"] == "too_long", "another reason has room of its own"
    world.clock.forward(LINES.seconds / LINES.tries)
    await ann.ask("GET", "/api/features", headers=bearer("x"))
    assert [entry for entry in logged if "not_logged" in entry][-1]["not_logged"] == 40
