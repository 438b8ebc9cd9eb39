"""What a process does before and beside its work: it waits for the database, and tells how it is.

Invariant: from its first moment on, whoever asks learns what a process waits for.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog

from application.running.waiting import is_set_within
from infrastructure.postgres.migrations import migrate, pending
from infrastructure.postgres.standing import DatabaseStanding, DatabaseWatch
from interface.crowd import Crowd
from interface.figures import Figures
from interface.foundation import CannotStart
from interface.health import report, service_version
from interface.limits import OPERATOR_CONNECTIONS
from interface.operator import PORTS, operator_app, waiting_app
from interface.server import PortTaken, listen, serve
from interface.settings import Settings

AGAIN_SECONDS: Final = 5.0
"""How soon a port that was taken is tried again."""

log = structlog.get_logger(__name__)


async def database_is_there(
    url: str,
    watch: DatabaseWatch,
    listener: socket.socket | None,
    stop: asyncio.Event,
    *,
    migrates: bool,
) -> bool:
    """Wait for a database that takes writes; False when told to stop meanwhile.

    Args:
        url: Where it is.
        watch: Says in the log what is waited for.
        listener: The public address, if there is one: it says so, too.
        stop: Set when it is time to stop.
        migrates: Whether to bring the schema up to date, or only to see that it is.

    Raises:
        CannotStart: waiting would not help, or the schema is behind.
        MigrationFailed: the schema is a later version's, or cannot be read.
    """
    seen = await watch.look()
    if seen.standing.mends_itself:
        there = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            if listener is not None:
                group.create_task(_say_waiting(listener.dup(), watch, there))
            try:
                seen = await watch.wait(stop)
            finally:
                there.set()
    if stop.is_set():
        return False
    if seen.standing is not DatabaseStanding.READY:
        raise CannotStart(seen.sentence())
    if migrates:
        if applied := await asyncio.to_thread(migrate, url):
            log.info("migrated", migrations=len(applied))
        return True
    if behind := await asyncio.to_thread(pending, url):
        raise CannotStart(
            f"The database's schema is behind ({len(behind)} migrations). Run `migrate` first."
        )
    return True


async def _say_waiting(listener: socket.socket, watch: DatabaseWatch, there: asyncio.Event) -> None:
    def report_now() -> dict[str, Any]:
        return report(None, watch.standing, ())

    await serve(waiting_app(service_version(), report_now), listener, there, lambda: None)


async def answer_operator(
    scope: AsyncExitStack,
    settings: Settings,
    names: Sequence[str],
    watch: DatabaseWatch,
    figures: Figures,
    stop: asyncio.Event,
    last: asyncio.Event,
) -> None:
    """Answer on the operator's port of this process, from its start until `last` is set.

    Another of its kind on the same machine may have the port: then as soon as that has ended. No
    process is kept from its work for that.
    """
    port = settings.operator_port + (PORTS[names[0]] if len(names) == 1 else 0)
    operators = await _when_free(port, stop)
    if operators is None:
        return
    scope.enter_context(operators)

    async def report_now() -> dict[str, Any]:
        seen = None if figures.servers is None else await figures.servers.look()
        found = report(seen, watch.standing, figures.pulses)
        return found | {"status": "stopping"} if stop.is_set() else found

    app = operator_app(service_version(), report_now, figures.text)
    await serve(app, operators, last, lambda: None, crowd=Crowd(OPERATOR_CONNECTIONS))


async def _when_free(port: int, stop: asyncio.Event) -> socket.socket | None:
    said = False
    while not stop.is_set():
        try:
            return listen("127.0.0.1", port)
        except PortTaken:
            if not said:
                log.warning("operator_port_taken", port=port, consequence="no figures meanwhile")
            said = True
        await is_set_within(stop, AGAIN_SECONDS)
    return None


async def follow_servers(watch: DatabaseWatch, figures: Figures, stop: asyncio.Event) -> None:
    """Say what goes and comes back, and what the object store cannot do."""
    if figures.servers is not None:
        await asyncio.gather(
            watch.follow(figures.servers.answers, stop), figures.servers.try_store(stop)
        )
