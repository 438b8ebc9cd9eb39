"""The event loop that a process of the service lives in.

Invariant: what a test or benchmark measures runs in the same loop as the service.
"""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop

T = TypeVar("T")

YOUNG_OBJECTS: Final = 20_000
"""Objects made between two collections. Modules and classes, which stay, are never looked at."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Carry out a process's work to its end, and close its loop."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
