"""When it is worth looking at a row again.

Invariant: a signal that comes between two looks is not lost.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager


class Signals:
    """Says when it is worth looking again."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()

    async def follow(self, watched: AbstractAsyncContextManager[AsyncIterator[object]]) -> None:
        """Listen, until cancelled."""
        async with watched as heard:
            # What was said before we listened is not repeated: look once more.
            self._heard.set()
            async for _ in heard:
                self._heard.set()

    async def wait(self, seconds: float) -> None:
        """Until the next signal, but not longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        self._heard.clear()
