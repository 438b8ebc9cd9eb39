"""A real S3 emulation before which somebody stands who treats conditional writes as he likes.

Invariant: everything but the condition is moto's own answer.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.object_store import forget_all

NOT_IMPLEMENTED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not
implemented</Message></Error>"""

Answer = Callable[[Any], Iterable[bytes]]


def answers_501(begin: Any) -> Iterable[bytes]:
    begin("501 Not Implemented", [("Content-Type", "application/xml")])
    return [NOT_IMPLEMENTED]


def answers_501_without_a_body(begin: Any) -> Iterable[bytes]:
    begin("501 Not Implemented", [("Content-Length", "0")])
    return []


def answers_400(begin: Any) -> Iterable[bytes]:
    begin("400 Bad Request", [("Content-Type", "application/xml")])
    return [NOT_IMPLEMENTED.replace(b"NotImplemented", b"InvalidArgument")]


@cache
def _moto() -> DomainDispatcherApplication:
    return DomainDispatcherApplication(create_backend_app)


@contextmanager
def s3(refuse: Answer | None) -> Iterator[str]:
    """The endpoint of a store that answers conditional writes so; None ignores the condition."""
    moto = _moto()
    forget_all()

    def application(environ: Any, begin: Any) -> Iterable[bytes]:
        if environ.pop("HTTP_IF_NONE_MATCH", None) is not None and refuse is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return refuse(begin)
        return moto(environ, begin)  # type: ignore[no-any-return]

    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
