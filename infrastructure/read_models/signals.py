"""When it is worth looking at a row again.

Invariant: a signal that comes between two looks is not lost. Words that say nothing of the row,
such as those of an agent at work, cost no look.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from application.waiting import is_set_within


class Signals:
    """Says when it is worth looking again."""

    def __init__(self, version: int) -> None:
        """Wait for rows that show this version."""
        self._version = version
        self._heard = asyncio.Event()

    async def follow(
        self, watched: AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]]
    ) -> None:
        """Listen, until cancelled."""
        async with watched as heard:
            # What was said before we listened is not repeated: look once more.
            self._heard.set()
            async for word in heard:
                if word.get("kind") == "view" and word.get("version", 0) >= self._version:
                    self._heard.set()

    async def wait(self, seconds: float) -> None:
        """Until the next signal, but not longer."""
        await is_set_within(self._heard, seconds)
        self._heard.clear()
