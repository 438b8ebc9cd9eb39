"""What the relay writes into the stream equals the log, whatever is killed, doubled or wiped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import uuid4

import msgspec
import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError
from structlog.testing import capture_logs

from infrastructure.embedded import Stack
from infrastructure.nats import NatsConnection, NatsRefused, Relay, Signal
from infrastructure.nats.connection import NatsUrlInvalid
from infrastructure.nats.relay import PAGE
from infrastructure.nats.stream import DEFAULT_LIMITS, NAME, StreamLimits
from tests.integration.memory import MemoryHeader, MemoryLog, ids, until

TYPES = ("feature_created", "message_posted", "agent_replied", "brief_confirmed", "spec_generated")


def never_closed() -> None:
    raise AssertionError("the connection was closed for good")


@contextlib.asynccontextmanager
async def relaying(
    url: str,
    log: MemoryLog,
    *,
    floor: Callable[[], int] = lambda: 0,
    limits: StreamLimits = DEFAULT_LIMITS,
    doubt: Callable[[], None] = lambda: None,
) -> AsyncIterator[Relay]:
    async def floor_of_log() -> int:
        return floor()

    stop = asyncio.Event()
    async with (
        NatsConnection(url, name="relay", on_closed=never_closed) as nats,
        Signal(nats, "poke") as log_grown,
    ):
        relay = Relay(
            nats, log, floor=floor_of_log, log_grown=log_grown, limits=limits, doubt=doubt
        )
        task = asyncio.create_task(relay.run(stop))
        try:
            yield relay
        finally:
            stop.set()
            await task


@contextlib.asynccontextmanager
async def observer(url: str) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def announced(streams: JetStreamContext) -> list[str]:
    """Ids of the events in the stream, in its order."""
    try:
        state = (await streams.stream_info(NAME)).state
    except NotFoundError:
        return []
    if not state.messages:
        return []
    found = [
        await streams.get_msg(NAME, seq=seq) for seq in range(state.first_seq, state.last_seq + 1)
    ]
    positions = [int((message.headers or {})["Bp-Seq"]) for message in found]
    assert positions == sorted(set(positions))
    return [(message.headers or {})["Nats-Msg-Id"] for message in found]


async def last_is(streams: JetStreamContext, log: MemoryLog) -> bool:
    with contextlib.suppress(NotFoundError, nats.errors.Error, TimeoutError):
        state = (await streams.stream_info(NAME)).state
        if state.messages:
            last = await streams.get_msg(NAME, seq=state.last_seq)
            return (last.headers or {})["Nats-Msg-Id"] == str(log.events[-1].event_id)
    return False


async def test_every_event_is_announced_once_and_in_order(nats_url: str) -> None:
    log = MemoryLog()
    log.append(*TYPES * 120)
    async with relaying(nats_url, log) as relay, observer(nats_url) as streams:
        await until(lambda: last_is(streams, log))
        log.append(*TYPES)
        await until(lambda: last_is(streams, log))
        assert await announced(streams) == ids(log.events)
        assert relay.position == log.events[-1].position
        assert relay.published == len(log.events)


async def test_a_message_holds_ids_and_no_content(nats_url: str) -> None:
    log = MemoryLog()
    [event] = log.append("spec_generated")
    async with relaying(nats_url, log), observer(nats_url) as streams:
        await until(lambda: last_is(streams, log))
        message = await streams.get_msg(NAME, seq=1)
    assert message.subject == f"evt.{event.tenant_id}.spec_generated.{event.feature_id}"
    assert (message.headers or {})["Bp-Version"] == "1"
    assert set(msgspec.json.decode(message.data or b"")) == {
        "position",
        "tenant_id",
        "feature_id",
        "version",
        "event_id",
        "type",
        "correlation_id",
    }


async def test_a_relay_killed_between_publish_and_position_repeats_nothing(nats_url: str) -> None:
    log = MemoryLog()

    async def nowhere() -> int:
        return 0

    async with observer(nats_url) as streams:
        for steps in range(60):
            log.append(*TYPES * 3)
            log.read.clear()
            async with NatsConnection(nats_url, name="doomed", on_closed=never_closed) as nats:
                relay = Relay(nats, log, floor=nowhere, log_grown=Signal(None, "poke"))
                task = asyncio.create_task(relay.run(asyncio.Event()))
                await log.read.wait()
                for _ in range(steps):  # Further each time, past the last acknowledgement.
                    await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        async with relaying(nats_url, log):
            await until(lambda: last_is(streams, log))
        assert await announced(streams) == ids(log.events)


async def test_two_relays_at_once_write_one_stream(nats_url: str) -> None:
    log = MemoryLog()
    log.append(*TYPES * 100)
    async with (
        relaying(nats_url, log) as one,
        relaying(nats_url, log) as other,
        observer(nats_url) as streams,
    ):
        for _ in range(60):
            log.append(*TYPES * 2)
            await asyncio.sleep(0.01)
        await until(lambda: last_is(streams, log))
        assert await announced(streams) == ids(log.events)
        assert one.published + other.published == len(log.events)


async def test_an_event_of_a_later_version_is_announced_too(nats_url: str) -> None:
    log = MemoryLog()
    log.append("feature_created", "event_of_a_later_version", "message_posted")
    async with relaying(nats_url, log), observer(nats_url) as streams:
        await until(lambda: last_is(streams, log))
        assert await announced(streams) == ids(log.events)


class StalledLog(MemoryLog):
    """Gives a page only long after it was read."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__()
        self.events = log.events
        self.go_on = asyncio.Event()

    async def after(self, position: int, limit: int) -> Sequence[MemoryHeader]:
        page = await super().after(position, limit)
        await self.go_on.wait()
        return page


async def test_a_relay_that_slept_through_the_duplicate_window_repeats_nothing(
    nats_url: str,
) -> None:
    log = MemoryLog()
    log.append(*TYPES * 10)
    stalled, limits = StalledLog(log), StreamLimits(duplicate_window_seconds=0.1)
    async with observer(nats_url) as streams, relaying(nats_url, stalled, limits=limits) as sleepy:
        await stalled.read.wait()
        async with relaying(nats_url, log, limits=limits):
            await until(lambda: last_is(streams, log))
        await until(lambda: forgotten(streams, log))
        stalled.go_on.set()
        log.append(*TYPES)
        await until(lambda: last_is(streams, log))
        assert await announced(streams) == ids(log.events)
        assert sleepy.published == len(TYPES)


async def forgotten(streams: JetStreamContext, log: MemoryLog) -> bool:
    """Whether the server no longer knows the first event by its id, shown on another stream."""
    twin = "FORGOTTEN"
    with contextlib.suppress(NotFoundError):
        last = (await streams.stream_info(twin)).state.last_seq
        probe = await streams.publish("probe", headers={"Nats-Msg-Id": str(log.events[0].event_id)})
        return not probe.duplicate and last > 0
    await streams.add_stream(name=twin, subjects=["probe"], duplicate_window=0.3)
    await streams.publish("probe", headers={"Nats-Msg-Id": str(log.events[0].event_id)})
    return False


async def test_a_wiped_store_is_filled_again_from_the_floor(own_stack: Stack) -> None:
    log = MemoryLog()
    log.append(*TYPES * 20)
    floor = log.events[49].position
    async with relaying(own_stack.nats_url, log, floor=lambda: floor):
        async with observer(own_stack.nats_url) as streams:
            await until(lambda: last_is(streams, log))
        own_stack.restart_nats(wipe=True)
        log.append(*TYPES)
        async with observer(own_stack.nats_url) as streams:
            await until(lambda: last_is(streams, log))
            assert await announced(streams) == ids(log.events[50:])


async def test_a_store_wiped_while_nothing_happens_is_filled_again(own_stack: Stack) -> None:
    log = MemoryLog()
    log.append(*TYPES)
    async with relaying(own_stack.nats_url, log):
        async with observer(own_stack.nats_url) as streams:
            await until(lambda: last_is(streams, log))
        own_stack.restart_nats(wipe=True)
        async with observer(own_stack.nats_url) as streams:
            await until(lambda: last_is(streams, log))
            assert await announced(streams) == ids(log.events)


async def test_a_killed_nats_that_comes_back_with_its_store_goes_on(own_stack: Stack) -> None:
    log = MemoryLog()
    log.append(*TYPES * 200)
    async with relaying(own_stack.nats_url, log), observer(own_stack.nats_url) as streams:
        for _ in range(3):
            log.append(*TYPES * 60)
            own_stack.kill_nats()
            log.append(*TYPES)
            own_stack.restart_nats()
        await until(lambda: last_is(streams, log))
        assert await announced(streams) == ids(log.events)


async def test_the_database_away_is_waited_for(nats_url: str) -> None:
    log = MemoryLog()
    log.append(*TYPES)
    log.down = True
    async with relaying(nats_url, log) as relay, observer(nats_url) as streams:
        await until(lambda: announced_nothing(streams))
        log.down = False
        await until(lambda: last_is(streams, log))
        assert relay.published == len(TYPES)


async def announced_nothing(streams: JetStreamContext) -> bool:
    with contextlib.suppress(NotFoundError):
        return (await streams.stream_info(NAME)).state.messages == 0
    return False


async def test_a_stream_of_another_log_is_rebuilt(nats_url: str) -> None:
    """As after the database was restored from a backup: the stream announces what is gone."""
    lost, log = MemoryLog(), MemoryLog()
    lost.append(*TYPES * 4)
    log.append(*TYPES)
    async with observer(nats_url) as streams:
        async with relaying(nats_url, lost):
            await until(lambda: last_is(streams, lost))
        async with relaying(nats_url, log):
            await until(lambda: last_is(streams, log))
            assert await announced(streams) == ids(log.events)


@pytest.mark.parametrize("grown_again", [0, 3, 40])
async def test_a_log_set_back_under_a_living_relay_empties_and_refills_the_stream(
    nats_url: str, grown_again: int
) -> None:
    log = MemoryLog()
    log.append(*TYPES * 4)
    kept = log.events[:]
    doubts: list[None] = []
    async with (
        observer(nats_url) as streams,
        relaying(nats_url, log, doubt=lambda: doubts.append(None)) as relay,
    ):
        log.append(*TYPES * 2)
        await until(lambda: last_is(streams, log))
        lost = log.events[len(kept) :]
        # In one turn of the loop, so that the relay sees the log before, or after.
        log.events = kept[:]
        for _ in range(grown_again):
            log.append(TYPES[0])
        with capture_logs() as said:
            await until(lambda: filled_with(streams, log))
        assert await announced(streams) == ids(log.events)
        assert relay.position == log.events[-1].position
        log.append(*TYPES)
        await until(lambda: filled_with(streams, log))
    assert doubts
    [named] = [line for line in said if line["event"] == "stream_is_not_of_this_log"]
    assert named["announced_and_lost"] == len(lost)
    assert named["last"] == f"{lost[-1].position} {lost[-1].event_id}"


async def filled_with(streams: JetStreamContext, log: MemoryLog) -> bool:
    with contextlib.suppress(NotFoundError, nats.errors.Error, TimeoutError, AssertionError):
        return await announced(streams) == ids(log.events)
    return False


async def test_a_relay_that_announced_nothing_yet_goes_back_with_its_floor(nats_url: str) -> None:
    log = MemoryLog()
    log.append(*TYPES * 4)
    kept, floor = log.events[:10], [log.events[-1].position]
    async with observer(nats_url) as streams:
        async with relaying(nats_url, log, floor=lambda: floor[0]) as relay:
            await until(lambda: relay.position == floor[0])
            log.events, floor[0] = kept, kept[4].position
            await until(lambda: last_is(streams, log))
        assert await announced(streams) == ids(kept[5:])


async def test_the_stream_forgets_its_oldest_instead_of_filling_the_disk(nats_url: str) -> None:
    log = MemoryLog()
    log.append(*TYPES * (PAGE // 2))
    async with (
        relaying(nats_url, log, limits=StreamLimits(max_bytes=100_000)),
        observer(nats_url) as streams,
    ):
        await until(lambda: last_is(streams, log))
        kept = await announced(streams)
        assert 0 < len(kept) < len(log.events)
        assert kept == ids(log.events)[-len(kept) :]
        assert (await streams.stream_info(NAME)).state.bytes <= 100_000


async def test_a_stream_whose_messages_all_expired_goes_on_behind_them(nats_url: str) -> None:
    log = MemoryLog()
    first = log.append(*TYPES)
    limits = StreamLimits(max_age_seconds=1, duplicate_window_seconds=1)
    async with observer(nats_url) as streams:
        async with relaying(nats_url, log, limits=limits):
            await until(lambda: last_is(streams, log))
        await until(lambda: announced_nothing(streams))
        log.append(*TYPES)
        async with relaying(nats_url, log, floor=lambda: first[-1].position, limits=limits):
            await until(lambda: last_is(streams, log))
            assert (await streams.stream_info(NAME)).state.last_seq == len(log.events)


async def test_a_stream_with_other_limits_is_brought_to_ours(nats_url: str) -> None:
    log = MemoryLog()
    log.append(*TYPES)
    async with observer(nats_url) as streams:
        await streams.add_stream(StreamConfig(name=NAME, subjects=["evt.>"], max_age=7))
        async with relaying(nats_url, log):
            await until(lambda: last_is(streams, log))
        config = (await streams.stream_info(NAME)).config
    assert config.max_age == StreamLimits().max_age_seconds
    assert config.max_bytes == StreamLimits().max_bytes


async def test_wrong_credentials_stop_the_start_without_naming_them(stack: Stack) -> None:
    host = stack.nats_url.rsplit("@", 1)[1]
    secret = uuid4().hex
    with pytest.raises(NatsRefused) as refused:
        async with NatsConnection(f"nats://{secret}@{host}", name="test", on_closed=lambda: None):
            pass
    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_an_unreadable_url_stops_the_start_without_naming_it() -> None:
    with pytest.raises(NatsUrlInvalid) as invalid:
        async with NatsConnection("nats://tok3n@host:port", name="test", on_closed=lambda: None):
            pass
    assert "tok3n" not in str(invalid.value)


async def test_a_start_without_nats_is_possible_and_finds_it_later(own_stack: Stack) -> None:
    own_stack.kill_nats()
    log = MemoryLog()
    log.append(*TYPES)
    async with relaying(own_stack.nats_url, log):
        own_stack.restart_nats()
        async with observer(own_stack.nats_url) as streams:
            await until(lambda: last_is(streams, log))
            assert await announced(streams) == ids(log.events)
