"""The port `Computing`: a few processes that wait for work, and are replaced when they end.

Invariant: a process does one order at a time, and is never used again after one that it did not
answer; so what one text does to it is nobody else's trouble.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, ParamSpec, Self, TypeVar

import msgspec
import structlog

from application.running.computing import CouldNotCompute
from application.running.places import Places
from infrastructure.computing.frames import (
    LENGTH_BYTES,
    ComputedAnswer,
    ComputeOrder,
    framed,
    signature_of,
)

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger(__name__)

PROCESSES: Final = 2
SECONDS: Final = 10.0
"""Of the processor, for one order."""
MEMORY_BYTES: Final = 1 << 30
WAITING_EACH: Final = 64
"""Orders of one tenant that wait; more are refused."""
PROJECT: Final = Path(__file__).resolve().parents[2]
LARGEST_ANSWER_BYTES: Final = 1 << 28


class Pool:
    """Processes that compute. They start when they are first needed."""

    def __init__(
        self,
        processes: int = PROCESSES,
        *,
        seconds: float = SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Describe it.

        Args:
            processes: How many at most; one tenant uses half of them at most, at least one.
            seconds: Of the processor, for one order; then its process is ended.
            memory_bytes: Of address space, for one process.
        """
        self._places = Places(processes, max(1, processes // 2), WAITING_EACH)
        self._limits = (str(seconds), str(memory_bytes))
        self._idle: list[Process] = []
        self._all: set[Process] = set()

    async def __aenter__(self) -> Self:
        """Nothing is started yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """End every process, whatever it does."""
        for process in list(self._all):
            await self._end(process)

    async def run(self, whose: object, work: Callable[P, R], *args: P.args, **_: P.kwargs) -> R:
        """What a function gives for these arguments. Raises CouldNotCompute, Crowded."""
        order = ComputeOrder(
            work.__module__, work.__name__, msgspec.Raw(msgspec.msgpack.encode(list(args)))
        )
        async with self._places.one(whose):
            answer = await self._asked(framed(order), order.name)
        if answer.failed:
            log.error("computing_failed", work=order.name, error=answer.failed, at=answer.place)
            raise CouldNotCompute(order.name)
        gives: Any = signature_of(work).gives
        value: R = msgspec.msgpack.decode(answer.value, type=gives)
        return value

    async def _asked(self, message: bytes, name: str) -> ComputedAnswer:
        process = self._waiting_one() or await self._started()
        whole = False
        try:
            body = await _exchanged(process, message)
            whole = body is not None
        finally:
            # Also when whoever asked has given up: it would answer a question nobody has any more.
            if whole:
                self._idle.append(process)
            else:
                await asyncio.shield(self._end(process))
        if body is None:
            log.warning("computing_ended", work=name, status=process.returncode)
            raise CouldNotCompute(name)
        return msgspec.msgpack.decode(body, type=ComputedAnswer)

    def _waiting_one(self) -> Process | None:
        """A process that waits, if there is one that did not end meanwhile."""
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._all.discard(process)
        return None

    async def _started(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "infrastructure.computing.child", *self._limits,
            cwd=PROJECT, env={"PYTHONPATH": str(PROJECT)},
            stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._all.add(process)
        return process

    async def _end(self, process: Process) -> None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        self._all.discard(process)
        if process in self._idle:
            self._idle.remove(process)


async def _exchanged(process: Process, message: bytes) -> bytes | None:
    """The answer to a message; None if the process ended without one."""
    assert process.stdin is not None  # noqa: S101 - it was started with pipes.
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(message)
        await process.stdin.drain()
        head = await process.stdout.readexactly(LENGTH_BYTES)
        size = int.from_bytes(head, "big")
        return await process.stdout.readexactly(size) if size <= LARGEST_ANSWER_BYTES else None
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
