"""An ear on what is said about features: words that are being written, and a bell for the log.

Invariant: whoever has entered hears all that is said from then on, or, when nothing can be heard,
is still woken by the clock; so nothing that the log holds ever depends on hearing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Self
from uuid import UUID

import structlog

from application.ports import Live, Unavailable

log = structlog.get_logger(__name__)

SUBSCRIBE_SECONDS: Final = 2.0

LiveMessage = Mapping[str, Any]


class FeatureSubscription:
    """Listens as long as it is entered."""

    def __init__(
        self,
        live: Live,
        tenant_id: UUID,
        feature_id: UUID | None,
        on_word: Callable[[LiveMessage], Awaitable[None]] | None = None,
    ) -> None:
        """Take what to listen to; None is all of the tenant's features.

        `on_word` gets what is being written or done right now. Read models that have moved on
        ring the bell.
        """
        self._live = live
        self._whose = (tenant_id, feature_id)
        self._on_word = on_word
        self._listening = asyncio.Event()
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Listen from now on."""
        self._task = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await self._listening.wait()
        except TimeoutError:
            log.warning("live_not_heard")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self, seconds: float) -> None:
        """Wait for the bell, or so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return
        self._bell.clear()

    async def _listen(self) -> None:
        try:
            async with self._live.watch(*self._whose) as said:
                self._listening.set()
                async for word in said:
                    if word.get("kind") == "view":
                        self._bell.set()
                    elif self._on_word is not None:
                        await self._on_word(word)
        except Unavailable:
            self._listening.set()
        except Exception:  # What cannot be heard is read from the log, a little later.
            self._listening.set()
            log.exception("listening_ended")
