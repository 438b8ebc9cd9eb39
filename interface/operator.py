"""The operator's address of one process: `/health`, `/health/ready` and `/metrics`, nothing else.

Invariant: it answers from the moment the process starts, also while that waits for its database;
and on the loopback address only.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PORTS: Final = {"api": 0, "worker": 1, "relay": 2, "projector": 3, "sweeper": 4}
"""By how much a process's port lies above BP_OPERATOR_PORT; `up` is all in one, at the first."""

TEXT, JSON = b"text/plain; version=0.0.4; charset=utf-8", b"application/json"


class Answering:
    """An ASGI application of a few paths, each with a function that makes its answer."""

    def __init__(
        self, answers: dict[str, Callable[[], Awaitable[tuple[int, bytes, bytes]]]]
    ) -> None:
        """Take path to status, media type and body."""
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say that all is well with the start and the end."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        answer = self._answers.get(scope["path"], self._answers[""])
        status, kind, body = await answer()
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if status == UNAVAILABLE:
            headers.append((b"retry-after", b"2"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        whole = body if scope["method"] != "HEAD" else b""
        await send({"type": "http.response.body", "body": whole})


UNAVAILABLE: Final = 503


def operator_app(
    version: str,
    report: Callable[[], Awaitable[dict[str, Any]]],
    figures: Callable[[], Awaitable[bytes]],
) -> Answering:
    """All that an operator asks of a process."""

    async def ready() -> tuple[int, bytes, bytes]:
        found = await report()
        return _status(found), JSON, _encode(found)

    async def metrics() -> tuple[int, bytes, bytes]:
        return 200, TEXT, await figures()

    return Answering(
        {"/health": _alive(version), "/health/ready": ready, "/metrics": metrics, "": _missing}
    )


def waiting_app(version: str, report: Callable[[], dict[str, Any]]) -> Answering:
    """What the public address answers while the API waits for its database."""

    async def ready() -> tuple[int, bytes, bytes]:
        return UNAVAILABLE, JSON, _encode(report())

    async def later() -> tuple[int, bytes, bytes]:
        problem = {
            "type": "/problems/unavailable",
            "title": "Not available at the moment",
            "status": UNAVAILABLE,
            "code": "unavailable",
            "detail": "The service is starting, and waits for its database. Try again soon.",
        }
        return UNAVAILABLE, b"application/problem+json", _encode(problem)

    return Answering({"/health": _alive(version), "/health/ready": ready, "": later})


def _alive(version: str) -> Callable[[], Awaitable[tuple[int, bytes, bytes]]]:
    async def alive() -> tuple[int, bytes, bytes]:
        return 200, JSON, _encode({"status": "ok", "version": version})

    return alive


async def _missing() -> tuple[int, bytes, bytes]:
    return 404, JSON, _encode({"status": 404, "title": "Not found"})


def _status(found: dict[str, Any]) -> int:
    return 200 if found["status"] in ("ready", "degraded") else UNAVAILABLE


def _encode(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
