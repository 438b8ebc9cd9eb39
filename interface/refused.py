"""What a connection says when it refuses before the application is asked: a problem, then the end.

Invariant: it is as complete as the application's own problems, and the connection ends after it.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec.structs import replace

from interface.http.problems.table import MEDIA_TYPE, Fault, Problem, problem
from interface.http.requests.headers import ALWAYS, API_POLICY

Header = tuple[bytes, bytes]


class WrittenRefusal:
    """One refusal, written down once."""

    def __init__(self, said: Problem) -> None:
        """Take what is said."""
        self.code = said.code
        status = HTTPStatus(said.status)
        body = msgspec.json.encode(said)
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}".encode(),
            b"content-type: " + MEDIA_TYPE.encode(),
            b"content-length: %d" % len(body),
            b"connection: close",
            b"cache-control: no-store",
            b"content-security-policy: " + API_POLICY.encode(),
            *(name + b": " + value for name, value in ALWAYS),
        ]
        if said.retry_after_seconds is not None:
            lines.append(b"retry-after: %d" % said.retry_after_seconds)
        self._head, self._body = b"\r\n".join(lines), body

    def answer(self, headers: Iterable[Header] = ()) -> bytes:
        """The whole answer, with further headers."""
        further = b"".join(b"\r\n" + name + b": " + value for name, value in headers)
        return self._head + further + b"\r\n\r\n" + self._body


def _later(code: str, seconds: int, detail: str) -> WrittenRefusal:
    return WrittenRefusal(replace(problem(code, detail), retry_after_seconds=seconds))


def _wrong(header: str, detail: str) -> WrittenRefusal:
    return WrittenRefusal(problem("invalid_request", errors=(Fault(header, detail),)))


FULL_SECONDS: Final = 5

MALFORMED: Final = WrittenRefusal(problem("invalid_request", "That is no HTTP/1.1 request."))
NO_HOST: Final = _wrong("Host", "A request has exactly one header Host, with one name in it")
HEAD_TOO_LARGE: Final = WrittenRefusal(problem("head_too_large"))
BODY_TOO_SLOW: Final = WrittenRefusal(problem("request_timeout", "The body did not come in time."))
TOO_MANY_PIPELINED: Final = _later(
    "too_many_requests", 1, "Too many requests wait on this connection for the answer to another."
)
TOO_MANY_FROM_THERE: Final = _later(
    "too_many_requests",
    FULL_SECONDS,
    "Too many connections are open from your address. Close some, or use one for all requests.",
)
TOO_MANY: Final = _later(
    "unavailable", FULL_SECONDS, "All connections of this process are taken. Try again."
)
