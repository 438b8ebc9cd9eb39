"""A subscription to what is said of features: text that is being written, and signs of a new view.

Invariant: whoever has entered receives every message from then on, or is still woken by the clock
when no message can arrive; so nothing that the log holds ever depends on a message.
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
        on_message: Callable[[LiveMessage], Awaitable[None]] | None = None,
    ) -> None:
        """Take what to listen to; None is all of the tenant's features.

        `on_message` gets what is being written or done right now. A read model that has moved on
        ends a `wait`.
        """
        self._live = live
        self._whose = (tenant_id, feature_id)
        self._on_message = on_message
        self._listening = asyncio.Event()
        self._notified = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Listen from now on."""
        self._task = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await self._listening.wait()
        except TimeoutError:
            log.warning("live_not_subscribed")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self, seconds: float) -> None:
        """Wait until a read model has moved on, or so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._notified.wait()
        except TimeoutError:
            return
        self._notified.clear()

    async def _listen(self) -> None:
        try:
            async with self._live.watch(*self._whose) as messages:
                self._listening.set()
                async for message in messages:
                    if message.get("kind") == "view":
                        self._notified.set()
                    elif self._on_message is not None:
                        await self._on_message(message)
        except Unavailable:
            self._listening.set()
        except Exception:  # What does not arrive is read from the log, a little later.
            self._listening.set()
            log.exception("listening_ended")
