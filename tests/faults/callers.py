"""People who never stop asking: what they were refused, and what was cut off, while it is deployed.

Invariant: each question is asked once; whatever comes of it is counted.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx2

PAUSE_SECONDS: Final = 0.01
SECONDS: Final = 60.0
"""For an answer, on a machine that has much else to do."""


class Callers:
    """Some with a connection for each question, some that keep theirs, and one at a stream."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url
        self._headers = headers
        self.came_to: Counter[str] = Counter()
        """By status or the name of the error."""
        self.goodbyes = 0
        self.told: list[int] = []
        """The positions of the changes that the stream told of, in the order in which it did."""
        self._last: int | None = None

    @asynccontextmanager
    async def asking(self) -> AsyncIterator["Callers"]:
        tasks = [asyncio.create_task(self._ask(keep=keep)) for keep in (True, False) * 2]
        tasks.append(asyncio.create_task(self._follow()))
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended

    async def answered(self, times: int) -> None:
        """Wait until so many more questions were answered."""
        wanted = self.came_to.total() + times
        while self.came_to.total() < wanted:
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(self, *, keep: bool) -> None:
        limits = httpx2.Limits(max_keepalive_connections=1 if keep else 0)
        async with self._client(limits) as http:
            while True:
                try:
                    answer = await http.get("/api/features")
                except httpx2.HTTPError as error:
                    self.came_to[type(error).__name__] += 1
                else:
                    self.came_to[str(answer.status_code)] += 1
                await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self) -> None:
        """The stream of everything, as a browser follows it: again from where it ended."""
        async with self._client(httpx2.Limits()) as http:
            while True:
                last = {"Last-Event-ID": str(self._last)} if self._last is not None else {}
                with suppress(httpx2.HTTPError):
                    async with http.stream("GET", "/api/live", headers=last) as answer:
                        async for name, number, _ in events_of(answer):
                            self.goodbyes += name == "bye"
                            if name == "change":
                                self.told.append(number)
                            self._last = self._last if number is None else number
                await asyncio.sleep(PAUSE_SECONDS)

    def _client(self, limits: httpx2.Limits) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self._url,
            headers=self._headers,
            timeout=SECONDS,
            limits=limits,
            trust_env=False,
        )


async def events_of(answer: httpx2.Response) -> AsyncIterator[tuple[str, int | None, Any]]:
    """The events of a stream: name, id, data."""
    name, number, data = "", None, ""
    async for line in answer.aiter_lines():
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("id:"):
            number = int(line[3:])
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and name:
            yield name, number, json.loads(data or "null")
            name, number, data = "", None, ""
