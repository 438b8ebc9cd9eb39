"""What keeps the loops of a process running: a defect costs a pause, never the process.

Invariant: a loop isolates what it works on by itself; this is for what nobody thought of. It is
told with its trace, and the loop begins anew, ever more slowly as long as it ends at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

import structlog

from application.ports import Unavailable
from application.running.outage import Outage
from application.running.waiting import is_set_within

log = structlog.get_logger(__name__)

PAUSE_SECONDS: Final = (1.0, 60.0)
"""Before a loop that ended by a defect begins again, at first and at last."""
HEALTHY_SECONDS: Final = 60.0
"""A loop that ran for so long begins again after the first pause."""

T = TypeVar("T")

Run = Callable[[asyncio.Event], Awaitable[None]]


class Running(NamedTuple):
    """Something that works until it is told to stop."""

    name: str
    run: Run


async def once_there(
    work: Callable[[], Awaitable[T]], stop: asyncio.Event, *, event: str = "start_waits"
) -> T:
    """What a start needs of a server that may be away: asked again until it answers.

    Raises:
        Unavailable: told to stop meanwhile.
    """
    outage = Outage(log, event)
    while True:
        try:
            found = await work()
        except Unavailable as down:
            if stop.is_set():
                raise
            outage.on(down)
        else:
            outage.over()
            return found
        await is_set_within(stop, PAUSE_SECONDS[0])


async def keep_running(running: Running, stop: asyncio.Event) -> None:
    """Run a loop until it is told to stop; after a defect, say so and begin again."""
    outage = Outage(log, "loop_ended", loop=running.name)
    pause = PAUSE_SECONDS[0]
    while not stop.is_set():
        began = time.monotonic()
        try:
            await running.run(stop)
        except Exception as error:  # noqa: BLE001 - told with its trace; the others go on.
            outage.on(error)
        else:
            return
        if time.monotonic() - began > HEALTHY_SECONDS:
            pause = PAUSE_SECONDS[0]
        await is_set_within(stop, pause)
        pause = min(2 * pause, PAUSE_SECONDS[1])
