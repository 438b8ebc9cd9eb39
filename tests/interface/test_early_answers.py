"""The application's own early answers: whatever is still sent after them keeps nothing open."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from tests.interface.raw import Server, answer_of, serving_raw, trickle
from tests.interface.world import World, public

JSON = "Content-Type: application/json"
SIZED = "Content-Length: 200000"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def server(servers: None, world: World) -> Iterator[Server]:
    with serving_raw(public(world)) as running:
        yield running


@pytest.fixture(scope="module")
def token(world: World) -> str:
    return f"Authorization: {world.token(uuid7(), uuid7())['Authorization']}"


@pytest.mark.parametrize(
    ("line", "headers", "status", "code"),
    [
        ("POST /api/features", (JSON, SIZED), 401, "unauthenticated"),
        ("POST /api/features", (JSON, CHUNKED), 401, "unauthenticated"),
        ("GET /api/features", (SIZED,), 401, "unauthenticated"),
        ("POST /nowhere", (JSON, SIZED), 404, "not_found"),
        ("PUT /api/features", (JSON, SIZED), 405, "method_not_allowed"),
        ("POST /api/features", (JSON, "Content-Length: 900000", "token"), 413, "too_large"),
        ("PATCH /api/features/x", (JSON, SIZED, "token"), 404, "not_found"),
        ("POST /auth/login", (JSON, SIZED, "Origin: http://evil.example"), 403, "cross_site"),
        ("GET /health", (SIZED,), 200, ""),
        ("GET /", (CHUNKED,), 200, ""),
    ],
    ids=[*(f"{n}" for n in range(10))],
)
@pytest.mark.parametrize("drop", [b"x", b"1\r\nx\r\n", b"\r\n"], ids=["bytes", "chunks", "ends"])
def test_an_unread_body_ends_with_the_answer(
    server: Server,
    token: str,
    line: str,
    headers: tuple[str, ...],
    status: int,
    code: str,
    drop: bytes,
) -> None:
    head = "\r\n".join([f"{line} HTTP/1.1", "Host: x", *headers, "", ""]).replace("token", token)
    with server.connect() as client:
        client.sendall(head.encode())
        said = answer_of(client, b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 %d " % status)
        assert b"\r\nconnection: close\r\n" in said
        if code:
            assert _problem(client)["code"] == code
        trickle(client, drop)
        server.wait_until_left()


def test_a_small_body_that_came_along_keeps_the_connection(server: Server, token: str) -> None:
    body = b'{"title": "Tools"}'
    head = f"POST /api/features HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: {len(body)}\r\n"
    with server.connect() as client:
        client.sendall(head.encode() + b"\r\n" + body)
        assert answer_of(client, b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")
        assert _problem(client)["code"] == "unauthenticated"
        client.sendall(f"{head}{token}\r\n\r\n".encode() + body)
        assert answer_of(client, b"\r\n\r\n").startswith(b"HTTP/1.1 201 ")


def _problem(client: Any) -> Any:
    return json.loads(answer_of(client, b"}"))
