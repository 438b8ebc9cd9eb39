"""Every error is a problem, whatever was sent, and tells nothing it should not."""

import asyncio
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as forall
from hypothesis import strategies as st

from interface.http.problems.table import BY_STATUS, PROBLEMS, HttpProblem
from interface.http.requests.body import decode
from interface.http.streaming.conversation import Said
from tests.interface.world import Person, World

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


def check(answer: Any, status: int, code: str) -> dict[str, Any]:
    """An answer is this problem, complete."""
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    ), answer.text
    body: dict[str, Any] = answer.json()
    assert (body["code"], body["status"], body["type"]) == (code, status, f"/problems/{code}")
    assert body["title"] == PROBLEMS[code].title
    assert body["detail"]
    assert body["instance"] == urlsplit(str(answer.url)).path
    assert body["request_id"] == answer.headers["x-request-id"]
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    return body


@pytest.mark.parametrize("path", ["/api/nothing", "/api/features/x", "/nothing", "/auth/x"])
async def test_an_unknown_path_is_a_problem(ann: Person, path: str) -> None:
    check(await ann.ask("GET", path), 404, "not_found")
    if path != "/api/features/x":  # Of the right shape for other methods: that is a 405.
        check(await ann.ask("POST", path, json={}), 404, "not_found")


@pytest.mark.parametrize("letter", ["x", "字", "\U0001f469"])
async def test_a_text_that_is_too_long_is_counted_and_nothing_of_it_is_taken(
    ann: Person, letter: str
) -> None:
    feature = await ann.new_feature()
    path = f"/api/features/{feature}"
    for route, field, most in (("brief", "brief", 40_000), ("messages", "text", 20_000)):
        text = letter * 60_000
        problem = check(
            await ann.ask("POST", f"{path}/{route}", json={field: text}), 400, "invalid_body"
        )
        assert f"at most {most:,} characters, and this has 60,000" in problem["detail"]
        [fault] = problem["errors"]
        assert fault["pointer"] == f"/{field}"
        assert "60,000" in fault["detail"]
    assert (await ann.ask("GET", path)).json()["status"] == "drafting"


def test_a_long_text_before_what_is_no_json_is_refused_like_any_other() -> None:
    for rest in (b"", b', "x": ' + b"[" * 100_000, b', "x": \xff'):
        raw = b'{"text": "' + b"x" * 20_001 + b'"' + rest
        with pytest.raises(HttpProblem) as refused:
            decode(raw, Said)
        assert refused.value.problem.code == "invalid_body"


async def test_a_wrong_method_says_which_are_right(ann: Person) -> None:
    answer = await ann.ask("PUT", "/api/features")
    check(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["allow"].replace(",", " ").split())


@pytest.mark.parametrize(
    ("authorization", "why"),
    [
        (None, "missing"),
        ("Bearer", "empty"),
        ("Basic YTpi", "another scheme"),
        ("Bearer x.y.z", "no token"),
        ("Bearer " + "x" * 9000, "giant"),
    ],
)
async def test_without_a_good_token_nothing_is_looked_at(
    ann: Person, authorization: str | None, why: str
) -> None:
    ann.headers = {} if authorization is None else {"Authorization": authorization}
    answer = await ann.ask("POST", "/api/features", content=b"[" * 1000)
    check(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer", why


async def test_an_expired_token_is_refused(ann: Person, world: World) -> None:
    world.clock.forward(3600)
    check(await ann.ask("GET", "/api/features"), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"[" * 100_000, ""),
        (b'{"title":' + b"[" * 100_000, "/title"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "/x"),
        (b'{"title": "a", "status": "done"}', "/status"),
        (b'{"title": "a", "tenant_id": "x"}', "/tenant_id"),
        (b'{"title": 7}', "/title"),
        (b'{"title": ""}', "/title"),
        (b'{"title": null}', "/title"),
        (b'{"title": "a\\u0000b"}', "/title"),
        (b'"title"', ""),
    ],
)
async def test_a_body_that_does_not_fit_says_where(ann: Person, body: bytes, pointer: str) -> None:
    answer = await ann.ask(
        "POST", "/api/features", content=body, headers={"Content-Type": "application/json"}
    )
    problem = check(answer, 400, "invalid_body")
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    "body", [b"{", b'{"title": "\xff"}', b"\xff\xfe", b"{}x", b'{"title": "\\ud800"}', b"nul"]
)
async def test_what_is_not_json_is_refused(ann: Person, body: bytes) -> None:
    answer = await ann.ask(
        "POST", "/api/features", content=body, headers={"Content-Type": "application/json"}
    )
    check(answer, 400, "invalid_body")


async def test_a_missing_body_is_refused(ann: Person) -> None:
    feature = await ann.new_feature()
    answer = await ann.ask("PATCH", f"/api/features/{feature}")
    assert answer.status_code in (400, 415)
    answer = await ann.ask(
        "PATCH", f"/api/features/{feature}", headers={"Content-Type": "application/json"}
    )
    check(answer, 400, "invalid_body")


@forall(raw=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_bytes_a_body_is_a_struct_or_a_problem(raw: bytes) -> None:
    try:
        said = decode(raw, Said)
    except HttpProblem as refused:
        said = refused.problem
    assert isinstance(said, Said) or said.status == 400


async def test_a_body_over_the_limit_is_refused(ann: Person) -> None:
    big = b'{"title": "' + b"x" * 300_000 + b'"}'
    json = {"Content-Type": "application/json"}
    check(await ann.ask("POST", "/api/features", content=big, headers=json), 413, "too_large")

    async def chunks() -> Any:
        for start in range(0, len(big), 65_536):
            yield big[start : start + 65_536]

    answer = await ann.ask("POST", "/api/features", content=chunks(), headers=json)
    check(answer, 413, "too_large")


async def test_another_media_type_is_refused(ann: Person) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await ann.ask(
            "POST", "/api/features", content=b"title=a", headers={"Content-Type": kind}
        )
        check(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("status=flying", "status"),
        ("cursor=%00", "cursor"),
        ("cursor=abc", "cursor"),
        ("q=%00", "q"),
        ("q=" + "x" * 201, "q"),
    ],
)
async def test_a_query_that_does_not_fit_says_which_part(
    ann: Person, query: str, parameter: str
) -> None:
    problem = check(await ann.ask("GET", f"/api/features?{query}"), 400, "invalid_request")
    assert [fault["pointer"] for fault in problem["errors"]] == [parameter]


async def test_a_crash_tells_nothing_but_the_request_id(
    ann: Person, world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    async def crash(*_: object, **__: object) -> None:
        raise RuntimeError("select password from accounts")

    world.reads.features = crash  # type: ignore[method-assign]
    answer = await ann.ask("GET", "/api/features")
    problem = check(answer, 500, "internal_error")
    assert "password" not in answer.text
    crashed = next(entry for entry in logged if entry["event"] == "request_crashed")
    assert crashed["request_id"] == problem["request_id"]


async def test_a_database_that_is_away_is_a_503(ann: Person, world: World) -> None:
    world.log.down = True
    answer = await ann.ask("GET", "/api/features")
    check(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    check(await ann.ask("POST", "/api/features", json={}), 503, "unavailable")


async def test_a_request_id_comes_back_and_names_what_follows(ann: Person, world: World) -> None:
    mine = "01890000-0000-7000-8000-000000000001"
    answer = await ann.ask("POST", "/api/features", json={}, headers={"X-Request-Id": mine})
    assert answer.headers["x-request-id"] == mine
    assert str(world.log.events[-1].correlation_id) == mine
    odd = await ann.ask("GET", "/health", headers={"X-Request-Id": "a b\tc"})
    assert odd.headers["x-request-id"] != "a b\tc"


async def test_the_access_log_has_the_route_and_nothing_of_the_request(
    ann: Person, logged: list[MutableMapping[str, Any]]
) -> None:
    await ann.new_feature("secret-title")
    await ann.ask("GET", "/api/features?q=secret-words")
    await ann.ask("GET", "/api/nothing/secret-path")
    entries = [entry for entry in logged if entry["event"] == "answered"]
    assert [entry["route"] for entry in entries][:2] == ["/api/features", "/api/features"]
    assert all({"method", "route", "status", "ms", "request_id"} <= set(entry) for entry in entries)
    assert "secret" not in str(logged)
    assert ann.headers["Authorization"] not in str(logged)


async def test_headers_are_on_every_answer_also_over_tls(ann: Person) -> None:
    for path in ("/health", "/", "/openapi.json", "/api/features", "/problems/not_now"):
        answer = await ann.ask("GET", path)
        assert answer.status_code == 200, path
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, path
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "strict-transport-security" not in answer.headers


async def test_each_problem_has_a_page_that_says_what_to_do(ann: Person) -> None:
    for code, kind in PROBLEMS.items():
        answer = await ann.ask("GET", f"/problems/{code}")
        assert kind.help in answer.text
    check_missing = await ann.ask("GET", "/problems/nothing")
    assert check_missing.status_code == 404


def test_framework_refusals_have_codes_of_their_status() -> None:
    for status, code in BY_STATUS.items():
        assert PROBLEMS[code].status == status


async def test_a_slow_request_does_not_hold_up_others(ann: Person) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(ann.url).port)
    writer.write(b"POST /api/features HTTP/1.1\r\nHost: x\r\n")
    await writer.drain()
    assert (await ann.ask("GET", "/health")).status_code == 200
    writer.close()
    await writer.wait_closed()
    assert reader is not None
