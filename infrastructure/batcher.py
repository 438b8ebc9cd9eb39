"""Calls that arrive while others are under way go to the database together, in one transaction.

Invariant: every caller gets its own answer, and what one of them is refused for does not touch the
others; a caller that stops waiting does not undo its call.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from application.ports import Unavailable

T = TypeVar("T")
R = TypeVar("R")

TOGETHER_AT_MOST: Final = 128
"""Calls in one transaction: enough to share a commit, few enough to hold no lock for long."""

UNDER_WAY_AT_MOST: Final = 2
"""Transactions at once: one is sent while the other is waited for."""

WAITING_AT_MOST: Final = 4096
"""Calls that wait for a transaction; more are refused as Unavailable."""


class Batcher(Generic[T, R]):
    """One kind of call. Alone it goes at once; under load many share a transaction."""

    def __init__(
        self,
        carry_out: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        together: int = TOGETHER_AT_MOST,
        under_way: int = UNDER_WAY_AT_MOST,
        waiting: int = WAITING_AT_MOST,
        linger_seconds: float = 0.0,
        hurry: Callable[[T], bool] = lambda _: False,
    ) -> None:
        """Describe the call.

        Args:
            carry_out: Does all of some calls in one transaction; one answer for each, in order.
            together: Calls in one transaction, at most.
            under_way: Transactions at once, at most.
            waiting: Calls that wait for a transaction, at most.
            linger_seconds: How long the first call waits for others, where nobody waits for it.
            hurry: Whether a call, and all that wait with it, go at once all the same.
        """
        self._carry_out = carry_out
        self._together = together
        self._at_most = under_way
        self._waiting_at_most = waiting
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._linger_seconds = linger_seconds
        self._hurry = hurry
        self._woken: asyncio.Handle | None = None

    async def __call__(self, asked: T) -> R:
        """Carry out one call.

        Raises:
            Unavailable: too many calls wait already.
            Exception: what `carry_out` raises for it.
        """
        if len(self._waiting) >= self._waiting_at_most:
            raise Unavailable("database", "Too many calls are waiting.")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append((asked, answer))
        if self._woken is not None and self._linger_seconds and self._hurry(asked):
            self._woken.cancel()
            self._woken = None
        if self._woken is None:
            # Everything that is asked during this turn of the loop goes together.
            lingers = self._linger_seconds and not self._hurry(asked)
            self._woken = (
                loop.call_later(self._linger_seconds, self._start)
                if lingers
                else loop.call_soon(self._start)
            )
        return await answer

    async def finish(self) -> None:
        """Wait until everything that was asked is carried out."""
        while self._under_way or self._waiting:
            if self._woken is not None:
                self._woken.cancel()
                self._start()
            await asyncio.wait(self._under_way) if self._under_way else await asyncio.sleep(0)

    def _start(self) -> None:
        self._woken = None
        while self._waiting and len(self._under_way) < self._at_most:
            count = min(self._together, len(self._waiting))
            calls = [self._waiting.popleft() for _ in range(count)]
            task = asyncio.get_running_loop().create_task(self._together_or_alone(calls))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._start()

    async def _together_or_alone(self, calls: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._carry_out([asked for asked, _ in calls])
            for (_, waiting), answer in zip(calls, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)
        except Unavailable as down:
            _refuse(calls, down)
        except Exception as error:  # noqa: BLE001 - handed to the caller whose call it is.
            if len(calls) == 1:
                _refuse(calls, error)
                return
            for call in calls:
                await self._together_or_alone([call])


def _refuse(calls: Sequence[tuple[T, asyncio.Future[R]]], error: Exception) -> None:
    for _, waiting in calls:
        if not waiting.done():
            waiting.set_exception(error)
