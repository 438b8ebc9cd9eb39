"""Serves the web application in our own event loop, so that one place decides when to stop.

uvicorn keeps its hands off the signals; a stop lets streams say goodbye first.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from interface.patient import PatientProtocol

DRAIN_SECONDS = 10


class PortTaken(Exception):
    """The port cannot be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        PortTaken: somebody else listens there, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((host, port))
        server.listen(2048)
    except (OSError, OverflowError) as error:
        server.close()
        raise PortTaken(
            f"Cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}). "
            "Stop what uses the port, or set BP_PORT to another one."
        ) from None
    server.setblocking(False)  # noqa: FBT003  # The standard library has no name for it.
    return server


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:  # noqa: ANN401  # As uvicorn declares it.
        yield


async def serve(
    app: Any,  # noqa: ANN401  # Any ASGI application.
    listener: socket.socket,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    *,
    trusted_proxies: str = "",
) -> None:
    """Serve until told to stop, then drain: streams end, requests under way finish.

    Args:
        app: What answers.
        listener: Where to listen.
        stop: Set when it is time to stop.
        on_ready: Called once connections are taken.
        trusted_proxies: Addresses whose `X-Forwarded-For` is believed; empty: nobody's.
    """
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            loop="none",
            server_header=False,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=trusted_proxies,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            http=PatientProtocol,
            ws="none",
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn has no event for it.
        await asyncio.sleep(0.005)
    if server.started:
        on_ready()
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving
