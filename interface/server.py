"""Serves the web application in our own event loop, so that one place decides when to stop.

uvicorn keeps its hands off the signals; a stop lets streams say goodbye first.
"""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from interface.crowd import Crowd
from interface.limits import SEND_SECONDS, connections_for
from interface.patient import PatientProtocol

MOST_OPEN_FILES = 65_536
"""More than any limit here needs."""
DRAIN_SECONDS = 10
"""How long requests under way may take in a server that stops."""
LINGER_SECONDS = 2.0
"""How long open connections may bring another request, the last one, to a server that stops."""
CLOSE = (b"connection", b"close")


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
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Its connections have it from here: one whose other side is gone is noticed while it waits.
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SEND_SECONDS * 1000))
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


def raise_open_files() -> int:
    """Let this process have as many files and connections open as it may; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # Some systems have a lower limit of theirs.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return MOST_OPEN_FILES if soft == resource.RLIM_INFINITY else soft


def crowd_of(open_files: int, *, at_most: int = 0, trusted_proxies: str = "") -> Crowd:
    """The connections that a listener takes, by how many files the process may have open.

    Args:
        open_files: As `raise_open_files` says.
        at_most: What the operator set; 0 for nothing.
        trusted_proxies: Addresses that stand for many people.
    """
    derived = connections_for(open_files)
    return Crowd(min(at_most, derived) if at_most else derived, is_proxy=_trusted(trusted_proxies))


def _trusted(proxies: str) -> Callable[[str | None], bool]:
    """Told apart as uvicorn does, which believes them."""
    if not proxies:
        return lambda _: False
    nobody: Any = None
    return ProxyHeadersMiddleware(nobody, proxies).trusted_hosts.__contains__


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
    crowd: Crowd | None = None,
    protocol: type[PatientProtocol] = PatientProtocol,
    leave: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until told to stop, then drain: streams end, requests under way finish.

    Args:
        app: What answers.
        listener: Where to listen.
        stop: Set when it is time to stop: every answer from then on closes its connection.
        on_ready: Called once connections are taken.
        trusted_proxies: Addresses whose `X-Forwarded-For` is believed; empty: nobody's.
        crowd: Who may be connected; without, as many as there may be at most.
        protocol: How long a connection waits for what.
        leave: Waits, after that, for as long as new connections are still taken.
    """
    connection: Any = partial(protocol, crowd=crowd or Crowd(is_proxy=_trusted(trusted_proxies)))
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
            http=connection,
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
    stopping.cancel()
    if server.started and not serving.done():
        await _leave(server, leave)
    server.should_exit = True
    await serving


async def _leave(server: _Server, leave: Callable[[], Awaitable[None]] | None) -> None:
    """Let go of clients: no answer leaves a connection open, and then nobody new is let in."""
    state = server.server_state
    server.config.encoded_headers.append(CLOSE)
    state.default_headers = [*state.default_headers, CLOSE]
    if leave is not None:
        await leave()
    for listening in server.servers:
        listening.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while state.connections:  # noqa: ASYNC110  # uvicorn has no event for it.
                await asyncio.sleep(0.02)
