"""Waiting out a dependency that is down, where what is in hand must not be lost."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from application.ports import Unavailable

T = TypeVar("T")

PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 300.0
"""Longer than any restart, shorter than a stuck feature's deadline."""


async def retry_while_unavailable(
    work: Callable[[], Awaitable[T]],
    *,
    patience: float = PATIENCE_SECONDS,
    before_again: Callable[[], Awaitable[object]] | None = None,
) -> T:
    """Do the work, again while a dependency is down.

    Args:
        work: What is done.
        patience: For how many seconds it is done again.
        before_again: What must be done first when time has passed over the outage.

    Raises:
        Unavailable: it is down for longer than `patience` seconds.
    """
    began = monotonic()
    again = False
    while True:
        try:
            if again and before_again is not None:
                await before_again()
            return await work()
        except Unavailable:
            if monotonic() - began > patience:
                raise
            again = True
            await asyncio.sleep(PAUSE_SECONDS)
