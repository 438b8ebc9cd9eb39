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


async def patiently(work: Callable[[], Awaitable[T]], *, patience: float = PATIENCE_SECONDS) -> T:
    """Do the work, again while a dependency is down.

    Raises:
        Unavailable: it is down for longer than `patience` seconds.
    """
    began = monotonic()
    while True:
        try:
            return await work()
        except Unavailable:
            if monotonic() - began > patience:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
