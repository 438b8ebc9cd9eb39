"""Which sessions have ended while their access tokens still look good.

Access tokens live for 15 minutes, so only what ended lately matters: a short list that each process
keeps in memory and asks for again every second. A request looks into the list; an open stream waits
for its session to stand in it.

Invariant: no token is accepted on a list that is older than `STALE_SECONDS`: then the database is
asked first, and when it does not answer, the answer is 503.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

import structlog

from application.ports import Unavailable

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""How soon a sign-out that another process answered counts here."""

STALE_SECONDS: Final = 3.0

KEPT: Final = timedelta(minutes=30)
"""Longer than a token lives, with the leeway that clocks get, and a request that takes long."""

OVERLAP: Final = timedelta(minutes=1)
"""So far back each look begins: clocks of machines differ, and a commit takes its time."""

Ended = Callable[[datetime], Awaitable[Sequence[tuple[UUID, datetime]]]]
"""Sessions that ended at or after a time, and when."""


class EndedSessions:
    """The list. As an asynchronous context it keeps itself up to date."""

    def __init__(
        self,
        ended_since: Ended,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the question to ask, a clock of aware times, and one that never goes back."""
        self._ended_since = ended_since
        self._clock = clock
        self._monotonic = monotonic
        self._ended: dict[UUID, datetime] = {}
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._looked = float("-inf")
        self._since: datetime | None = None
        self._one_look = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to look every second."""
        self._looking = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def has(self, session_id: UUID) -> bool:
        """Whether a session has ended. Raises Unavailable when that cannot be told."""
        if self._monotonic() - self._looked > STALE_SECONDS:
            await self.look(asked_at=self._monotonic())
        return session_id in self._ended

    @asynccontextmanager
    async def over(self, session_id: UUID) -> AsyncIterator[asyncio.Event]:
        """An event that is set when the session has ended; at once, if it has."""
        event = asyncio.Event()
        self._waiting[session_id].add(event)
        if session_id in self._ended:
            event.set()
        try:
            yield event
        finally:
            self._waiting[session_id].discard(event)
            if not self._waiting[session_id]:
                del self._waiting[session_id]

    async def look(self, asked_at: float | None = None) -> None:
        """Ask which sessions ended since the last look.

        A look that began after `asked_at`, when that is given, will do. Raises Unavailable.
        """
        async with self._one_look:
            if asked_at is not None and self._looked >= asked_at:
                return
            began, now = self._monotonic(), self._clock()
            since = now - KEPT if self._since is None else self._since - OVERLAP
            for session_id, at in await self._ended_since(since):
                self._ended.setdefault(session_id, at)
                for event in self._waiting.get(session_id, ()):
                    event.set()
            self._since, self._looked = now, began
            self._forget(now - KEPT)

    def _forget(self, before: datetime) -> None:
        for session_id in [one for one, at in self._ended.items() if at < before]:
            del self._ended[session_id]

    async def _keep_looking(self) -> None:
        is_known = True
        while True:
            try:
                await self.look()
                is_known = True
            except Unavailable as error:
                if is_known:
                    log.warning("ended_sessions_not_read", cause=str(error))
                is_known = False
            await asyncio.sleep(LOOK_SECONDS)
