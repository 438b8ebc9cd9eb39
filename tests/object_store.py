"""A real S3 protocol on the loopback address. Invariant: whoever starts it finds it empty."""

from collections.abc import Iterator
from contextlib import contextmanager

from moto.moto_api._internal import moto_api_backend
from moto.server import ThreadedMotoServer


def forget_all() -> None:
    """Empty every bucket of this process: what moto stores outlives its servers."""
    moto_api_backend.reset()  # type: ignore[no-untyped-call]


@contextmanager
def object_store() -> Iterator[tuple[str, int]]:
    """Serve until the end of the block; the host and the port."""
    forget_all()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()
    finally:
        server.stop()
