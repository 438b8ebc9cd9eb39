"""How a process ends: what others still need ends last, and ends in every case."""

import asyncio

from interface.stopping import follow


async def test_the_last_end_when_the_first_have_ended() -> None:
    stop, last, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    working = asyncio.ensure_future(go.wait())
    following = asyncio.create_task(follow(stop, [working], last))  # type: ignore[list-item]
    stop.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not last.is_set()
    go.set()
    await following
    assert last.is_set()


async def test_a_loop_that_lost_its_cancellation_ends_when_another_part_fails() -> None:
    """As a call to NATS may lose it: such a loop goes on until its event says that it is over."""
    stop, last = asyncio.Event(), asyncio.Event()

    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await last.wait()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    failed = False
    try:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(deaf())
            group.create_task(follow(stop, [], last))
            group.create_task(fail())
    except* ZeroDivisionError:
        failed = True
    assert failed
