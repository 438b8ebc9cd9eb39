"""Waiting for an event, but not for ever: until told to stop, until woken, or so many seconds."""

import asyncio
from collections.abc import Collection


async def is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until the event is set, at most so long; whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def any_set_within(events: Collection[asyncio.Event], seconds: float) -> None:
    """Wait until one of the events is set, at most so long."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiting:
            waiter.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
