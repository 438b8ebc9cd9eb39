"""Signing up, in, out and again over HTTP."""

import re
from collections.abc import MutableMapping
from http.cookies import SimpleCookie
from typing import Any

import pytest

from tests.interface.world import HASHER, ISSUER, Person, World

EMAIL = "ann@example.org"
PASSWORD = "correct horse battery"  # noqa: S105 - of nobody.


def refresh_of(answer: Any) -> str:
    """The refresh token of an answer, with the flags that keep it where it belongs."""
    cookie = SimpleCookie(answer.headers["set-cookie"])["bp_refresh"]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"].lower() == "strict"
    assert cookie["path"] == "/auth"
    return cookie.value


def with_cookie(token: str, **headers: str) -> dict[str, Any]:
    """A request with this cookie; a client library would not send it without TLS."""
    return {"headers": {"Cookie": f"bp_refresh={token}", **headers}}


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
    assert 'bp_refresh=""' in out.headers["set-cookie"]
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
    for path in ("signup", "login", "refresh", "logout"):
        answer = await ann.ask("POST", f"/auth/{path}", json=body)
        assert answer.status_code == 404, path
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
    [entry] = [entry for entry in logged if entry["event"] == "a letter was not sent"]
    assert "no space left" in str(entry["exc_info"])
    assert EMAIL not in str(logged)
