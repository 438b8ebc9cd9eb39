"""When it is worth looking at a row again.

Invariant: a signal that comes between two looks is not lost. Messages that say nothing of the
row, such as those of an agent at work, cost no look.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from application.running.waiting import is_set_within


class Signals:
    """Says when it is worth looking again."""

    def __init__(self, version: int) -> None:
        """Wait for rows that show this version."""
        self._version = version
        self._notified = asyncio.Event()

    async def follow(
        self, watched: AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]]
    ) -> None:
        """Listen, until cancelled."""
        async with watched as messages:
            # Messages from before we listened do not come again: look once more.
            self._notified.set()
            async for message in messages:
                if message.get("kind") == "view" and message.get("version", 0) >= self._version:
                    self._notified.set()

    async def wait(self, seconds: float) -> None:
        """Until the next signal, but not longer."""
        await is_set_within(self._notified, seconds)
        self._notified.clear()
