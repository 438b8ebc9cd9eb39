"""The process that computes: one order after the other, until nobody is there to give any.

Invariant: each order has so many seconds of the processor; then the system ends the process, also
where Python would never look at a signal, and also when the pool itself is gone.
"""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO

import msgspec

from infrastructure.computing.frames import (
    LENGTH_BYTES,
    ComputedAnswer,
    ComputeOrder,
    found,
    framed,
    signature_of,
)

NICER = 5
"""Behind the service itself, where both want the processor."""
PATIENCE = 20
"""Seconds of waiting for a processor, for each one of work: then it stands still for good."""


def main(seconds: float, memory_bytes: int) -> None:
    """Answer orders from standard input on standard output."""
    with suppress(OSError, ValueError):  # Not every system can.
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    os.nice(NICER)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with os.fdopen(os.dup(0), "rb") as source, os.fdopen(os.dup(1), "wb") as sink:
        os.dup2(2, 1)  # Whatever a library prints is no answer.
        for body in _messages(source):
            signal.setitimer(signal.ITIMER_PROF, seconds)
            signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)
            answer = _answer(body)
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            sink.write(framed(answer))
            sink.flush()


def _messages(source: BinaryIO) -> Iterator[bytes]:
    while len(head := source.read(LENGTH_BYTES)) == LENGTH_BYTES:
        yield source.read(int.from_bytes(head, "big"))


def _answer(body: bytes) -> ComputedAnswer:
    try:
        order = msgspec.msgpack.decode(body, type=ComputeOrder)
        work = found(order)
        arguments = msgspec.msgpack.decode(order.arguments, type=signature_of(work).takes)
        value: Any = work(*arguments)
        return ComputedAnswer(msgspec.Raw(msgspec.msgpack.encode(value)))
    except Exception as error:  # noqa: BLE001 - told to whoever asked.
        return ComputedAnswer(failed=type(error).__name__, place=_place(error.__traceback__))


def _place(trace: TracebackType | None) -> str:
    return " < ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
        for frame in reversed(traceback.extract_tb(trace)[-4:])
    )


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
