"""Each kind of odd input at each place where that kind is taken, on real servers: never a 5xx.

What the document calls a number, an id, a time, a text gets the odd ones of its kind; bodies,
headers and paths get theirs. Invariant of an answer: its status is listed for the operation.
"""

import json
from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from infrastructure.embedded import Stack
from interface.http import openapi
from tests.fuzz.service import Answer, Service, opened
from tests.interface.test_incoming import ODD_NUMBERS

DOCUMENT = json.loads(openapi.FILE.read_text())
OPERATIONS = [
    (method.upper(), path, operation)
    for path, item in sorted(DOCUMENT["paths"].items())
    for method, operation in sorted(item.items())
]
JSON = {"Content-Type": "application/json"}

TEXTS = (
    *("\x00", "a\x00b", "\x07", "\x1b[31m", "\x7f", "\x85", "\u202e", "\u2066", "\ufffe", "\ufeff"),
    *("%", "_", "\\", "'", "';--", "\n", "\U0001f4a9", "x" * 5_000, "\u0130", "a\u0301"),
)
TIMES = (
    *("2026-11-28T09:00:00+00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    *("1e400", "9" * 400, "-5", "2026-11-28", "2026-02-30T00:00:00Z", "\x00", "now"),
)
ID = "01890000-0000-7000-8000-00000000000a"
IDS = (ID.upper(), f"{{{ID}}}", f"urn:uuid:{ID}", ID.replace("-", ""), f"{ID}\x00", "0x" + "f" * 30)
RAW = ("%ff", "%C0%80", "%ED%A0%80", "%u0041", "%", "%zz", "+", "%00", "%2e%2e%2f", "\xff")
"""As they stand in the request, for parameters of any kind."""

PLAIN = (b"", b" ", b"\xff\xfe", b"\x00", b'"', b"9" * 400)
HEADERS: dict[str, tuple[bytes, ...]] = {
    "Accept": (b"*/*;q=", b"a/b;q=x", b"/", b"application/x-ndjson;q=0"),
    "Accept-Encoding": (b"gzip;q=-1",),
    "Authorization": (b"Bearer", b"Bearer \xff.\xff.\xff", b"Basic YTpi"),
    "Content-Encoding": (b"gzip",),
    "Content-Length": (b"-1", b"1e3"),
    "Content-Type": (b"application/json; charset=utf-16", b"application/json;=;", b";"),
    "Cookie": (b"bp_refresh=\xff", b'bp_refresh="\\400"', b"=;=;"),
    "Host": (b"a b", b"[", b"x:99999999"),
    "Idempotency-Key": (b"a b", b"k" * 256),
    "If-Match": (b"*", b'W/"1"', b'"1", "2"', b'"2147483648"'),
    "If-None-Match": (b"*", b'W/"'),
    "If-Range": (b'W/"1"', b"Sat, 28 Nov 2026 09:00:00 GMT"),
    "Last-Event-ID": (b"-1", b"+5", b"0x10", b"2147483648", b"9007199254740992"),
    "Origin": (b"null", b"http://["),
    "Range": (b"bytes=0-", b"bytes=9-1", b"bytes=-", b"bytes=-0", b"items=1-2"),
    "Transfer-Encoding": (b"chunked, chunked",),
    "X-Forwarded-For": (b"::::", b"1.2.3.4, \xff"),
    "X-Request-Id": (b"urn:uuid:" + ID.encode(), b"0x" + b"f" * 30),
}
"""Each also with the plain ones."""
BODIES = (
    *(b"", b"null", b"[]", b"1", b'"a"', b"{", b"{}x", b"nan", b"\xff\xfe", b"\xef\xbb\xbf{}"),
    *(b"[" * 100_000, b'{"title":' * 50_000, b'{"a":' + b"[" * 100_000, b"\x00" * 64),
    *(
        b'{"title":"\xff"}',
        b'{"title":"\\ud800"}',
        b'{"title":"\\u0000"}',
        b'{"title":"a","title":7}',
    ),
    *(b'{"version":1e400}', b'{"version":2147483648}', b'{"version":9223372036854775808}'),
    b'{"version":' + b"9" * 5_000 + b"}",
    b'{"text":"\\u0000"}',
    b'{"brief":"\\ud800"}',
    b'{"gate":"spec","content_sha256":"' + b"0" * 64 + b'\\n"}',
    b'{"gate":"spec","content_sha256":"' + b"0" * 64 + b'","note":"\\u0000"}',
    b'{"email":"a\\u0000@b","password":"\\ud800aaaaaaaaaaaaa"}',
    b'{"token":"\\u0000","password":"aaaaaaaaaaaaaaaaaaaa"}',
    b'{"api_key":"sk-ant-\\u0000aaaaaaaaaaaaaaaaaa"}',
)


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
async def service(
    stack: Stack,
    database: str,
    tmp_path: Path,
    logged: list[MutableMapping[str, Any]],
) -> AsyncIterator[Service]:
    async with opened(database, stack.nats_url, tmp_path) as running:
        yield running
    assert [entry for entry in logged if entry["log_level"] == "error"] == []


def filled(service: Service, route: str, **odd: str) -> str:
    """A path with ids that lead somewhere."""
    ann = service.people[0]
    known = {"feature_id": ann.features[1], "event_id": ann.event, "path": "src/server.ts", **odd}
    for name, value in known.items():
        route = route.replace(f"{{{name}}}", value)
    return route


def needed(operation: Any) -> str:
    """The query that an operation must have, and a way to end where it would go on."""
    given = {"diff_features": "from=1", "estimate_cost": "action=replay"}
    return given.get(operation["operationId"], "")


def check(operation: Any, asked: object, answer: Answer) -> None:
    """No crash; and what is answered stands in the document."""
    told = (operation["operationId"], asked, answer.status, answer.body[:500])
    assert answer.status < 500, told
    assert str(answer.status) in operation["responses"], told
    if answer.status >= 400:
        assert answer.headers["content-type"] == ["application/problem+json"], told
        assert answer.json()["status"] == answer.status, told


def odd_values(parameter: Any) -> Iterator[str]:
    """What is odd for a parameter of its kind, as it stands in the request."""
    schema = parameter["schema"]
    kind, form = schema.get("type"), schema.get("format")
    yield from RAW
    values: tuple[str, ...] = TEXTS
    if kind == "integer":
        values = ODD_NUMBERS
    elif form == "date-time":
        values = TIMES
    elif form == "uuid":
        values = IDS
    elif kind == "boolean":
        values = ("", "yes", "2", "TRUE ", "\x00")
    for value in values:
        yield quote(value, safe="")
        if form == "date-time":
            yield value.replace("\x00", "")


@pytest.mark.timeout(600)
async def test_odd_values_of_every_parameter_are_refused_or_taken(service: Service) -> None:
    ann = service.people[0]
    asked = 0
    for method, path, operation in OPERATIONS:
        for parameter in operation.get("parameters", ()):
            if parameter["in"] != "query":
                continue
            for value in odd_values(parameter):
                query = "&".join(filter(None, (needed(operation), f"{parameter['name']}={value}")))
                target = f"{filled(service, path)}?{query}"
                answer = await service.ask(method, target, headers=ann.headers)
                check(operation, target[:300], answer)
                asked += 1
    assert asked > 1_000


@pytest.mark.timeout(600)
async def test_odd_paths_name_nothing(service: Service) -> None:
    ann = service.people[0]
    for method, path, _ in OPERATIONS:
        for name in ("feature_id", "event_id", "path"):
            if f"{{{name}}}" not in path:
                continue
            for odd in (*RAW, *map(quote, IDS), quote("../" * 9, safe=""), "x" * 4_000):
                target = filled(service, path, **{name: odd})
                answer = await service.ask(
                    method, target, headers={**ann.headers, **JSON}, body=b"{}"
                )
                assert answer.status < 500, (target, answer)
                assert answer.status in (200, 400, 404, 405), (target, answer)


@pytest.mark.timeout(600)
async def test_odd_headers_are_refused_or_of_no_account(service: Service) -> None:
    ann = service.people[0]
    chosen = ("rename_feature", "feature_live", "download", "list_events", "refresh", "log_in")
    for method, path, operation in OPERATIONS:
        if operation["operationId"] not in chosen:
            continue
        for name, own in HEADERS.items():
            for value in (*PLAIN, *own):
                headers = {**ann.headers, **JSON, name: value}
                answer = await service.ask(
                    method, filled(service, path), headers=headers, body=b'{"title": "B"}'
                )
                check(operation, (name, value), answer)


@pytest.mark.timeout(600)
async def test_odd_bodies_are_refused(service: Service) -> None:
    ann = service.people[0]
    for method, path, operation in OPERATIONS:
        if "requestBody" not in operation:
            continue
        for body in BODIES:
            headers = {**ann.headers, **JSON}
            answer = await service.ask(method, filled(service, path), headers=headers, body=body)
            check(operation, body[:200], answer)
        for kind in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""):
            headers = {**ann.headers, "Content-Type": kind}
            answer = await service.ask(method, filled(service, path), headers=headers, body=b"a=b")
            check(operation, kind, answer)
        answer = await service.ask(
            method,
            filled(service, path),
            headers={**ann.headers, **JSON},
            body=b"{}",
            leave_after=1,
        )
        assert answer.status == 408, operation["operationId"]
