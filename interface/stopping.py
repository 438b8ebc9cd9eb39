"""How a process ends: told once, it takes nothing new; told again, it waits for nothing.

Invariant: what others still need while they finish ends after them.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from interface.foundation import Foundation
from interface.listeners import Listener

Leave = Callable[[Listener], Awaitable[None]]
"""Waits for as long as an API that was told to stop still takes connections."""


def on_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    """Set `stop` at the first signal to end, `hurry` at the second."""

    def told() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told)


async def follow(
    stop: asyncio.Event, first: Sequence[asyncio.Task[None]], last: asyncio.Event
) -> None:
    """Set `last` once it was told to stop and the first to end have ended.

    Also when it is cancelled, because something failed: until Python 3.12 `asyncio.wait_for`, which
    the client of NATS uses, may lose a cancellation, and what lost its own ends by this event.
    """
    try:
        await stop.wait()
        if first:
            await asyncio.wait(first)
    finally:
        last.set()


def leaving(base: Foundation, working: Sequence[asyncio.Task[None]]) -> Leave:
    """How long the API still takes connections, beside what works in the same process.

    With others, until they have ended: it is of use for as long. By itself, so long that a load
    balancer, which is told that it is not ready, sends nobody any more; and not at all once
    somebody else has its listener.
    """

    async def leave(listener: Listener) -> None:
        if working:
            await _first_of(asyncio.wait(working), base.hurry.wait())
        elif not listener.kept:
            await _first_of(asyncio.sleep(base.settings.leave_seconds), base.hurry.wait())

    return leave


async def _first_of(*waiting: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.ensure_future(each) for each in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
