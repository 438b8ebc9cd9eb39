"""Live words while NATS goes away and comes back."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping
from typing import Any

import nats
from uuid_utils.compat import uuid7

from infrastructure.embedded import Stack
from infrastructure.nats import NatsConnection, NatsLive, Signal
from tests.integration.memory import until

TENANT, FEATURE = uuid7(), uuid7()


@contextlib.asynccontextmanager
async def process(url: str) -> AsyncIterator[tuple[NatsConnection, NatsLive]]:
    async with (
        NatsConnection(url, name="live", on_closed=lambda: None) as connection,
        Signal(connection, "poke") as log_grown,
    ):
        yield connection, NatsLive(connection, log_grown)


async def next_word(words: AsyncIterator[Mapping[str, Any]]) -> Mapping[str, Any]:
    async with asyncio.timeout(5):
        return await anext(words)


async def say_until_received(
    speaker: NatsLive, words: AsyncIterator[Mapping[str, Any]]
) -> Mapping[str, Any]:
    """What is said while the other end reconnects is lost; what is said later is not."""
    async with asyncio.timeout(10):
        while True:
            await speaker.say(TENANT, FEATURE, {"kind": "delta", "text": "again"})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    return await anext(words)


async def test_both_ends_hear_each_other_again_after_nats_came_back(own_stack: Stack) -> None:
    async with (
        process(own_stack.nats_url) as (here_connection, here),
        process(own_stack.nats_url) as (there_connection, there),
        there.watch(TENANT, FEATURE) as words,
        there.watch_log() as growth,
    ):
        own_stack.kill_nats()
        await until(lambda: not here_connection.up and not there_connection.up)
        await here.say(TENANT, FEATURE, {"kind": "delta", "text": "lost"})
        await here.grown()
        own_stack.restart_nats()
        word = await say_until_received(here, words)
        assert word["text"] == "again", "a late word would be out of place"
        async with asyncio.timeout(10):
            waiting = asyncio.ensure_future(anext(growth))
            while not waiting.done():
                await here.grown()
                await asyncio.wait({waiting}, timeout=0.1)


async def test_one_process_hears_itself_while_nats_is_down(own_stack: Stack) -> None:
    own_stack.kill_nats()
    async with (
        process(own_stack.nats_url) as (connection, live),
        live.watch(TENANT, FEATURE) as words,
        live.watch_log() as growth,
    ):
        assert not connection.up
        await live.say(TENANT, FEATURE, {"kind": "delta", "text": "here"})
        assert (await next_word(words))["text"] == "here"
        await live.grown()
        async with asyncio.timeout(5):
            await anext(growth)


async def test_what_was_watched_before_nats_was_there_is_heard_later(own_stack: Stack) -> None:
    own_stack.kill_nats()
    async with (
        process(own_stack.nats_url) as (_, here),
        process(own_stack.nats_url) as (_, there),
        there.watch(TENANT, None) as words,
    ):
        own_stack.restart_nats()
        assert (await say_until_received(here, words))["feature_id"] == str(FEATURE)


async def test_saying_never_waits_for_a_server_that_does_not_answer(own_stack: Stack) -> None:
    async with process(own_stack.nats_url) as (connection, live):
        os.kill(own_stack.nats_pid, signal.SIGSTOP)
        try:
            big = {"kind": "delta", "text": "x" * 100_000}
            async with asyncio.timeout(2):
                for _ in range(500):  # 50 MB, far more than any socket takes.
                    await live.say(TENANT, FEATURE, big)
            assert connection.client.pending_data_size < 2_000_000
        finally:
            os.kill(own_stack.nats_pid, signal.SIGCONT)


async def test_a_server_that_falls_silent_is_given_up_and_found_again(own_stack: Stack) -> None:
    async with process(own_stack.nats_url) as (connection, _):
        os.kill(own_stack.nats_pid, signal.SIGSTOP)
        try:
            await until(lambda: not connection.up, seconds=15)
        finally:
            os.kill(own_stack.nats_pid, signal.SIGCONT)
        assert await connection.wait_up(10)


async def test_noise_under_a_live_subject_is_ignored(nats_url: str) -> None:
    stranger = await nats.connect(nats_url)
    async with (
        process(nats_url) as (_, here),
        process(nats_url) as (_, there),
        there.watch(TENANT, FEATURE) as words,
    ):
        for noise in (b"", b"{", b"[]", b'{"origin": 1}', b'{"origin": "x", "body": 5}'):
            await stranger.publish(f"live.{TENANT}.{FEATURE}", noise)
        await stranger.flush()
        await here.say(TENANT, FEATURE, {"kind": "delta", "text": "sound"})
        assert (await next_word(words))["text"] == "sound"
    await stranger.close()


async def test_watchers_that_left_leave_no_subscription_behind(nats_url: str) -> None:
    async with process(nats_url) as (connection, live):
        before = len(connection.client._subs)  # noqa: SLF001 - there is no other way to count.
        for _ in range(20):
            async with live.watch(TENANT, FEATURE), live.watch(TENANT, None), live.watch_log():
                pass
        assert len(connection.client._subs) == before  # noqa: SLF001
        assert live._topics == {}  # noqa: SLF001


async def test_a_connection_closed_for_good_ends_the_process_loudly(nats_url: str) -> None:
    closed = asyncio.Event()
    async with NatsConnection(nats_url, name="closing", on_closed=closed.set) as connection:
        await connection.client.close()
        async with asyncio.timeout(5):
            await closed.wait()


async def test_a_connection_closed_by_us_calls_nobody(nats_url: str) -> None:
    closed = asyncio.Event()
    async with NatsConnection(nats_url, name="closing", on_closed=closed.set):
        pass
    assert not closed.is_set()


async def test_listeners_that_leave_before_they_are_confirmed_do_not_deafen_the_others(
    nats_url: str,
) -> None:
    async def leave_early(connection: NatsConnection) -> None:
        async with connection.subscribe("bp.early", ignore):
            raise AssertionError("it left before it was confirmed")

    async def ignore(_: object) -> None:
        return

    async with process(nats_url) as (_, here), process(nats_url) as (connection, there):
        leaving = [asyncio.create_task(leave_early(connection)) for _ in range(20)]
        await asyncio.sleep(0)
        for listener in leaving:
            listener.cancel()
        await asyncio.wait(leaving)
        assert all(listener.cancelled() for listener in leaving)
        async with there.watch(TENANT, FEATURE) as words:
            await here.say(TENANT, FEATURE, {"kind": "delta", "text": "heard"})
            assert (await next_word(words))["text"] == "heard"
        assert connection.generation == 1
