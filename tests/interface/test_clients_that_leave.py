"""Clients that leave in mid-body or mid-answer: no error of ours, and nothing is held for them."""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.interface.world import Person, World

Logged = list[MutableMapping[str, Any]]


async def until(true: Callable[[], Any]) -> None:
    while not true():
        await asyncio.sleep(0.01)


async def leave(person: Person, request: bytes, *, after: bytes = b"") -> None:
    """Send these bytes, read until some bytes came, and be gone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(person.url).port)
    writer.write(request)
    await writer.drain()
    if after:
        await reader.readuntil(after)
    writer.transport.abort()


def head(person: Person, method: str, path: str, *more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *more]
    lines += [f"Authorization: {person.headers['Authorization']}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def errors(logged: Logged) -> Logged:
    return [entry for entry in logged if entry["log_level"] in ("warning", "error", "critical")]


BODIES = (
    ("POST", "/api/features", b'{"title": "Half'),
    ("PATCH", "/api/features/{feature}", b'{"ti'),
    ("POST", "/api/features/{feature}/messages", b""),
    ("PUT", "/api/settings/api-key", b'{"api_key": "sk'),
)


@pytest.mark.parametrize(("method", "path", "half"), BODIES)
async def test_leaving_in_mid_body_is_no_crash_and_does_nothing(
    ann: Person, world: World, logged: Logged, method: str, path: str, half: bytes
) -> None:
    feature = await ann.new_feature()
    before = len(world.log.events)
    told = "Content-Type: application/json", "Content-Length: 4000"
    await leave(ann, head(ann, method, path.replace("{feature}", feature), *told) + half)
    await until(lambda: any(entry.get("status") == 408 for entry in logged))
    assert errors(logged) == []
    assert len(world.log.events) == before
    assert world.services.places.taken == 0


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("/api/live?after=0", b"event: hello"),
        ("/api/features/{feature}/live?after=0", b"event: feature_created"),
        ("/api/features/{feature}/download", b"PK"),
        ("/api/features/{feature}/download?format=git", b"# v2"),
    ],
)
async def test_leaving_in_mid_answer_frees_the_place_and_is_no_error(
    ann: Person, world: World, logged: Logged, path: str, after: bytes
) -> None:
    feature = await ann.finished()
    await leave(ann, head(ann, "GET", path.replace("{feature}", feature)), after=after)
    await until(lambda: world.services.places.taken == 0)
    assert errors(logged) == []


async def test_leaving_before_the_answer_of_an_agent_loses_nothing(
    ann: Person, world: World, logged: Logged
) -> None:
    feature = await ann.new_feature()
    body = b'{"text": "Hello"}'
    told = "Content-Type: application/json", f"Content-Length: {len(body)}"
    request = head(ann, "POST", f"/api/features/{feature}/messages", *told) + body
    await leave(ann, request, after=b"200 OK")
    await until(lambda: world.services.places.taken == 0)
    assert [event.type for event in world.log.events][-1] == "message_posted"
    assert errors(logged) == []
