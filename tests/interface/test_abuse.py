"""Nonsense on every route: an answer below 500, a problem, and nothing changed."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from application.identity.rate_limit import Allowance, RateLimiter
from interface.http import openapi
from tests.interface.world import Person, World

DOCUMENT = json.loads(openapi.FILE.read_text())
OPERATIONS = sorted(
    (operation["operationId"], method.upper(), path)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
)
STREAMS = {"tenant_live", "feature_live", "post_message"}
QUERIES = (
    "limit=-1&cursor=%00&min_version=0&after=-1",
    "limit=1e9&min_version=99999999999999999999&after=99999999999999999999",
    "limit=%F0%9F%92%A9&cursor=%ff%fe&status=%27%3B--&q=%25%5F%27",
    "limit=1&limit=2&cursor[]=x&min_version=NaN&after=NaN",
)
BODIES = (b"", b"null", b"[]", b"{}", b'{"version": -1}', b'{"version": 1e400}', b"\x00" * 64)
HEADERS: tuple[dict[str, Any], ...] = (
    {"If-Match": '"99999999999"'},
    {"If-Match": '"1", "2"'},
    {"Idempotency-Key": "x" * 256},
    {"Idempotency-Key": ""},
    {"Accept": "\xff\xfe".encode("latin-1")},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Last-Event-ID": "0x10"},
)


@pytest.mark.parametrize(("name", "method", "path"), OPERATIONS)
async def test_nonsense_is_refused_and_changes_nothing(
    ann: Person, world: World, name: str, method: str, path: str
) -> None:
    feature = await ann.new_feature()
    before = [event.type for event in world.log.events]
    json_type = {"Content-Type": "application/json"}
    for odd in (
        "%00",
        "%ff",
        "..%2f..",
        quote(feature[:-1] + "\uff5a"),
        feature + feature,
        "-" * 2000,
    ):
        if "{feature_id}" in path:
            filled = path.replace("{feature_id}", odd).replace("{path}", odd)
            answer = await ann.ask(method, filled, content=b"{}", headers=json_type)
            assert answer.status_code in (404, 405), (name, odd)
    known = path.replace("{feature_id}", feature).replace("{path}", "%00/..%2f%ff")
    if name not in STREAMS:
        for query in QUERIES:
            if method == "GET":
                answer = await ann.ask("GET", f"{known}?{query}")
                assert answer.status_code < 500, (name, query, answer.text)
    if method in ("POST", "PUT", "PATCH") and name not in ("create_feature", "log_out"):
        for body in BODIES:
            answer = await ann.ask(method, known, content=body, headers=json_type)
            assert 400 <= answer.status_code < 500, (name, body, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
    for headers in HEADERS:
        if method == "GET" and name not in STREAMS:
            answer = await ann.ask("GET", known, headers=headers)
            assert answer.status_code < 500, (name, headers, answer.text)
    assert [event.type for event in world.log.events] == before


@pytest.mark.parametrize("header", HEADERS[:4])
async def test_odd_terms_are_refused(ann: Person, header: dict[str, Any]) -> None:
    feature = await ann.new_feature()
    path = f"/api/features/{feature}"
    answer = await ann.ask("PATCH", path, json={"title": "B"}, headers=header)
    assert answer.status_code in (400, 412)
    assert (await ann.ask("GET", path)).json()["title"] == "Tools"


async def test_two_authorizations_are_none(ann: Person) -> None:
    token = ann.headers["Authorization"]
    answer = await ann.http.get(
        ann.url + "/api/features", headers=[("Authorization", token), ("Authorization", token)]
    )
    assert answer.status_code == 401


async def test_look_alike_origins_get_no_permission(ann: Person) -> None:
    for origin in ("https://127.0.0.1:8000", "http://127.0.0.1:80000", "http://127.0.0.1:8000/"):
        answer = await ann.ask("GET", "/api/features", headers={"Origin": origin})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        preflight = await ann.ask(
            "OPTIONS",
            "/api/features",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        )
        assert not [name for name in preflight.headers if name.startswith("access-control")]


def test_a_throttle_lets_its_tries_through_and_then_one_at_a_time() -> None:
    now = [0.0]
    throttle, three = RateLimiter(lambda: now[0]), Allowance(3, 30.0)
    for _ in range(3):
        assert throttle.wait(("a",), three) == 0
        throttle.count(("a",), three)
    assert throttle.wait(("a",), three) == 10
    assert throttle.wait(("b",), three) == 0
    now[0] = 10
    assert throttle.wait(("a",), three) == 0
    throttle.count(("a",), three)
    assert throttle.wait(("a",), three) == 10
    throttle.forget(("a",))
    assert throttle.wait(("a",), three) == 0


def test_a_throttle_remembers_only_so_many_names() -> None:
    throttle, one = RateLimiter(lambda: 0.0, largest=10), Allowance(1, 60.0)
    for n in range(1_000):
        throttle.count((str(n),), one)
    assert len(throttle._empty_at) == 10  # noqa: SLF001 - its bound is the point.
    assert throttle.wait(("999",), one) > 0
    assert throttle.wait(("0",), one) == 0
