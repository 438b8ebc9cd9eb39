"""A download that was cut off goes on where it was, and HEAD says what GET would send."""

import asyncio
import hashlib
from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from interface.http import openapi
from interface.http.requests.ranges import ByteSpan, names, span_of
from tests.interface.http.problems.test_problems import check
from tests.interface.world import Person, World


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ("bytes=0-", ByteSpan(0, 99)),
        ("bytes=0-0", ByteSpan(0, 0)),
        ("bytes=10-19", ByteSpan(10, 19)),
        ("bytes=10-1000", ByteSpan(10, 99)),
        ("bytes=-10", ByteSpan(90, 99)),
        ("bytes=-1000", ByteSpan(0, 99)),
        ("BYTES=5-", ByteSpan(5, 99)),
        (" bytes= 5- ", ByteSpan(5, 99)),
        ("bytes=100-", ByteSpan(100, 99)),
        ("bytes=-0", ByteSpan(100, 99)),
        ("bytes=19-10", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=0-1,5-6", None),
        ("bytes=+1-2", None),
        ("bytes=\u0665-", None),
        ("bytes=0x1-", None),
        ("bytes=" + "9" * 400 + "-", None),
        ("items=0-5", None),
        ("", None),
    ],
)
def test_a_range_is_one_of_bytes_or_none(given: str, span: ByteSpan | None) -> None:
    found = span_of(given, 100)
    if span is not None and span.first > span.last:
        assert found is not None
        assert found.first > found.last
    else:
        assert found == span


@forall(st.text(max_size=40) | st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}"), st.integers(1, 10))
def test_whatever_the_range_it_lies_inside(given: str, length: int) -> None:
    span = span_of(given, length)
    assert span is None or span.first > span.last or 0 <= span.first <= span.last < length


def test_entity_tags_are_compared_weakly_where_nothing_is_put_together() -> None:
    assert names('"a"', '"a"')
    assert names('W/"a", "b"', '"a"')
    assert names("*", '"a"')
    assert not names('"ab"', '"a"')
    assert not names("a", '"a"')


async def free(world: World) -> None:
    """The client has its bytes a moment before the place is free again."""
    while world.services.places.taken:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("form", ["zip", "git"])
async def test_the_parts_of_a_download_are_the_whole(ann: Person, world: World, form: str) -> None:
    path = f"/api/features/{await ann.finished()}/download?format={form}"
    whole = await ann.ask("GET", path)
    etag, length = whole.headers["etag"], len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    head = await ann.ask("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert (head.headers["etag"], head.headers["content-length"]) == (etag, str(length))
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert head.headers["content-disposition"] == whole.headers["content-disposition"]
    middle = length // 3
    for asked, first, last in (
        (f"bytes={middle}-", middle, length - 1),
        (f"bytes=0-{middle - 1}", 0, middle - 1),
        ("bytes=-7", length - 7, length - 1),
        (f"bytes={length - 1}-{length + 5}", length - 1, length - 1),
    ):
        part = await ann.ask("GET", path, headers={"Range": asked, "If-Range": etag})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {first}-{last}/{length}"
        assert part.headers["content-length"] == str(last - first + 1)
        assert part.content == whole.content[first : last + 1]
        assert part.headers["etag"] == etag
    again = await ann.ask("GET", path)
    assert (again.content, again.headers["content-length"]) == (whole.content, str(length))
    await free(world)


async def test_bytes_of_another_file_are_never_put_to_the_ones_that_are_there(ann: Person) -> None:
    path = f"/api/features/{await ann.finished()}/download"
    whole = await ann.ask("GET", path)
    for still in ('"other"', f"W/{whole.headers['etag']}", "Sat, 28 Nov 2026 09:00:00 GMT"):
        answer = await ann.ask("GET", path, headers={"Range": "bytes=5-", "If-Range": still})
        assert (answer.status_code, answer.content) == (200, whole.content)
    several = await ann.ask("GET", path, headers={"Range": "bytes=0-1,5-6"})
    assert (several.status_code, several.content) == (200, whole.content)
    behind = await ann.ask("GET", path, headers={"Range": f"bytes={len(whole.content)}-"})
    check(behind, 416, "range_not_satisfiable")
    assert behind.headers["content-range"] == f"bytes */{len(whole.content)}"
    known = await ann.ask("GET", path, headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == whole.headers["etag"]


async def test_a_range_is_answered_also_by_a_process_that_never_made_the_file(
    ann: Person, world: World
) -> None:
    path = f"/api/features/{await ann.finished()}/download"
    first = await ann.ask("GET", path, headers={"Range": "bytes=0-9"})
    assert (first.status_code, len(first.content)) == (206, 10)
    whole = await ann.ask("GET", path)
    assert whole.content.startswith(first.content)
    assert first.headers["content-range"].endswith(f"/{len(whole.content)}")
    await free(world)


async def test_another_version_has_another_tag_and_the_same_one_the_same(ann: Person) -> None:
    one, two = await ann.finished(), await ann.finished()
    tags = [
        (await ann.ask("HEAD", f"/api/features/{feature}/download?format={form}")).headers["etag"]
        for feature in (one, two, one)
        for form in ("zip", "git")
    ]
    assert tags[:2] == tags[4:]
    assert len(set(tags)) == 4
    assert all(len(tag) == hashlib.sha256().digest_size * 2 + 2 for tag in tags)


GETS = sorted(
    (operation["operationId"], path)
    for path, item in openapi.json.loads(openapi.FILE.read_text())["paths"].items()
    for method, operation in item.items()
    if method == "get"
)


async def test_head_answers_wherever_get_does(ann: Person, world: World) -> None:
    feature = await ann.finished()
    event = str(world.log.events[0].event_id)
    needed: dict[str, Any] = {"diff_features": {"from": 1}, "estimate_cost": {"action": "retry"}}
    for name, path in GETS:
        filled = path.replace("{feature_id}", feature).replace("{event_id}", event)
        filled = filled.replace("{path}", "src/server.ts")
        head = await ann.ask("HEAD", filled, params=needed.get(name))
        assert head.content == b"", name
        if name in ("feature_live", "tenant_live"):
            assert (head.status_code, head.headers["content-type"][:17]) == (
                200,
                "text/event-stream",
            )
            continue
        got = await ann.ask("GET", filled, params=needed.get(name))
        assert head.status_code == got.status_code, name
        for header in ("content-type", "etag", "content-disposition", "x-present"):
            assert head.headers.get(header) == got.headers.get(header), (name, header)
        if "content-length" in head.headers and got.status_code == 200:
            assert head.headers["content-length"] == str(len(got.content)), name
    await free(world)


async def test_head_is_among_the_methods_that_a_route_says_it_takes(ann: Person) -> None:
    for method in ("OPTIONS", "PUT"):
        answer = await ann.ask(method, "/api/features")
        allowed = answer.headers["allow"].split(", ")
        assert {"GET", "HEAD", "POST"} <= set(allowed), method
    refused = await ann.ask("HEAD", "/auth/login")
    assert (refused.status_code, refused.headers["allow"]) == (405, "OPTIONS, POST")
