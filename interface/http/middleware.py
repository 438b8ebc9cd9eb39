"""The outermost layer: request id, security headers, the access log and the figures.

Invariant: every answer, also an error's, a stream's or a crash's, goes out with the security
headers and a request id; and nothing of a body, a query or a header is ever logged.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from interface.http.metrics import Metrics
from interface.http.requests.headers import ALWAYS, API_POLICY
from interface.incoming import Malformed, id_of

log = structlog.get_logger(__name__)

PRIVATE: Final = ("/api", "/auth", "/health", "/.well-known")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
HEAD: Final = "head"
"""In the state of a request: only the head of its answer is wanted."""
_NO_ASCII: Final = re.compile(rb"[\x80-\xff]")
_YEAR: Final = 365 * 24 * 60 * 60


class OutermostMiddleware:
    """Wraps the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        new_id: Callable[[], UUID],
        public_url: str,
        methods: Mapping[str, Iterable[str]],
    ) -> None:
        """Take the application with the methods of its routes, and what each answer carries."""
        self._app = app
        self._methods = methods
        self._metrics = metrics
        self._new_id = new_id
        self._always = [*ALWAYS]
        if urlsplit(public_url).scheme == "https":
            hsts = f"max-age={_YEAR}; includeSubDomains".encode()
            self._always.append((b"strict-transport-security", hsts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == ScopeType.WEBSOCKET:
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        head_only = scope["method"] == "HEAD"  # As GET, all through, but for the bytes.
        scope["state"][HEAD] = head_only
        asked: Scope = {
            **scope,
            "method": HttpMethod.GET if head_only else scope["method"],
            "query_string": _NO_ASCII.sub(_escaped, scope["query_string"]),
        }
        began = time.perf_counter()
        status = 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._headers(asked, request_id, message["headers"])
            elif message["type"] == "http.response.body" and head_only:
                message["body"] = b""
            await send(message)

        try:
            await self._app(asked, receive, guarded)
        finally:
            route = str(asked.get("path_template") or "unknown")
            self._note(scope["method"], route, request_id, status, time.perf_counter() - began)

    def _request_id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                return value.decode()
        return str(self._new_id())

    def _headers(
        self, scope: Scope, request_id: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        given = [(name.lower(), value) for name, value in headers]
        given = [(n, self._allow(scope, value) if n == b"allow" else value) for n, value in given]
        there = {name for name, _ in given}
        ours = [*self._always, (b"x-request-id", request_id.encode())]
        if b"content-security-policy" not in there:
            ours.append((b"content-security-policy", API_POLICY.encode()))
        if b"cache-control" not in there and scope["path"].startswith(PRIVATE):
            ours.append((b"cache-control", b"no-store"))
        return [*given, *((name, value) for name, value in ours if name not in there)]

    def _allow(self, scope: Scope, given: bytes) -> bytes:
        """The methods that a route takes: all of its handlers', and with GET also HEAD."""
        methods = {method.strip() for method in given.decode().split(",")}
        methods |= set(self._methods.get(str(scope.get("path_template")), ()))
        return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set()))).encode()

    def _note(self, method: str, route: str, request_id: str, status: int, seconds: float) -> None:
        method = method if method in _METHODS else "OTHER"
        self._metrics.answered(method, route, status, seconds)
        log.info(
            "answered",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            request_id=request_id,
        )


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _escaped(found: re.Match[bytes]) -> bytes:
    """A byte that no address may hold, as it should have been written."""
    return b"%%%02X" % found[0][0]


def asks_for_head(scope: Scope) -> bool:
    """Whether only the head of the answer is wanted."""
    return bool(scope.get("state", {}).get(HEAD))


def correlation_id(state: object, new_id: Callable[[], UUID]) -> UUID:
    """The request id if it is a UUID, else a new one: names all that follows from a request."""
    try:
        return id_of(getattr(state, "request_id", ""))
    except Malformed:
        return new_id()
