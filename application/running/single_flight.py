"""The same question, asked while it is being answered, is answered together with it.

Invariant: at most one answer to a question is made at a time; nobody's giving up takes it from
those who still wait, and when nobody does, it is not made.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Questions under way."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Future[T]] = {}
        self._waiting: dict[Hashable, int] = {}

    async def do(self, question: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The answer, made by `work` unless somebody makes it already. Raises as `work` does."""
        task = self._tasks.get(question)
        if task is None:
            task = self._tasks[question] = asyncio.ensure_future(work())
            task.add_done_callback(lambda _: self._forget(question))
        self._waiting[question] = self._waiting.get(question, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            if question in self._waiting:
                self._waiting[question] -= 1
                if not self._waiting[question]:
                    task.cancel()

    def _forget(self, question: Hashable) -> None:
        self._tasks.pop(question, None)
        self._waiting.pop(question, None)
