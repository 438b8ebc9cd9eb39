"""Delivers an answer piece by piece, and breaks the delivery where a fault says so.

Invariant: nobody is waited for once the caller has gone.
"""

import asyncio
from contextlib import suppress

from infrastructure.demo_model import wire
from infrastructure.demo_model.answering import Answered
from infrastructure.demo_model.faults import BROKEN, REFUSED, InjectedFault
from infrastructure.demo_model.http import Outgoing

SLOW_SECONDS = 0.2
BEFORE_BREAK = 5
"""Events that still arrive before a stream is broken: the start, a ping, a little of a block."""


class AnswerDelivery:
    """Streams answers at a pace; holds those that are told to wait."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._gate = asyncio.Event()
        self._changed = asyncio.Condition()
        self.held = 0

    def release(self) -> None:
        """Let all that is held go on; what comes later is held anew."""
        self._gate.set()
        self._gate = asyncio.Event()

    async def until_held(self, count: int) -> None:
        """Wait until `count` requests are held at once."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.held >= count)

    async def deliver(
        self,
        answer: Answered,
        fault: InjectedFault,
        *,
        digest: str,
        key: str,
        reader: asyncio.StreamReader,
        out: Outgoing,
    ) -> str:
        """Send the answer, or what the fault makes of it; how it ended, as `Entry.outcome`.

        Raises:
            ConnectionError: the caller went away.
        """
        if fault.name in REFUSED:
            return await self._refuse(fault, key, out)
        if fault.name == "timeout":
            await reader.read(1)
            raise ConnectionResetError
        if fault.name == "hold":
            await self._hold(reader)
        if not answer.stream and fault.name not in BROKEN:
            await out.answer(200, wire.message(answer, digest))
            return "answered"
        pace = fault.number or SLOW_SECONDS if fault.name == "slow" else self._pace
        await out.begin()
        for number, event in enumerate(wire.events(answer, digest)):
            if fault.name in BROKEN and number == BEFORE_BREAK:
                return await self._break(fault, reader, out)
            if pace and number:
                await asyncio.sleep(pace)
            if fault.name == "slow":
                await out.piece(wire.sse("ping"))
            await out.piece(event)
        await out.end()
        return "answered"

    async def _refuse(self, fault: InjectedFault, key: str, out: Outgoing) -> str:
        status, kind, message = REFUSED[fault.name]
        details = {"error_code": "enforced_spend_limit_reached"}
        spent = details if fault.name == "spend_limit" else None
        body = wire.error(kind, message.format(key=key), spent)
        if fault.name == "429":
            await out.answer(status, body, retry_after=f"{fault.number or 0:g}")
        else:
            await out.answer(status, body)
        return str(status)

    async def _break(
        self, fault: InjectedFault, reader: asyncio.StreamReader, out: Outgoing
    ) -> str:
        if fault.name == "stall":
            await reader.read(1)
            raise ConnectionResetError
        if fault.name == "cut_hard":
            out.reset()
            raise ConnectionResetError
        if fault.name == "overloaded_mid_stream":
            overloaded = wire.error("overloaded_error", "Overloaded")["error"]
            await out.piece(wire.sse("error", error=overloaded))
        await out.end()
        return "529" if fault.name == "overloaded_mid_stream" else "cut"

    async def _hold(self, reader: asyncio.StreamReader) -> None:
        gate = asyncio.ensure_future(self._gate.wait())
        gone = asyncio.ensure_future(reader.read(1))
        await self._count(1)
        try:
            await asyncio.wait({gate, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = not gate.done()
            for task in (gate, gone):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await self._count(-1)
        if left:
            raise ConnectionResetError

    async def _count(self, change: int) -> None:
        async with self._changed:
            self.held += change
            self._changed.notify_all()
