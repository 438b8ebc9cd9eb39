"""What every `Live` promises, asked of the one over NATS and of the one inside a process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.ports import Live
from infrastructure.nats import NatsConnection, NatsLive, Signal

TENANT, OTHER_TENANT, FEATURE, OTHER_FEATURE = (uuid7() for _ in range(4))


class Pair:
    """Two ends that reach each other: two processes over NATS, or one process twice."""

    def __init__(self, here: NatsLive, there: NatsLive) -> None:
        self.here = here
        self.there = there


@contextlib.asynccontextmanager
async def over_nats(url: str) -> AsyncIterator[NatsLive]:
    async with (
        NatsConnection(url, name="live", on_closed=lambda: None) as connection,
        Signal(connection, "poke") as log_grown,
    ):
        yield NatsLive(connection, log_grown)


@pytest.fixture(params=[pytest.param("nats", marks=pytest.mark.servers), "process"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    if request.param == "process":
        alone = NatsLive(None, Signal(None, "poke"))
        yield Pair(alone, alone)
        return
    url = request.getfixturevalue("stack").nats_url
    async with over_nats(url) as here, over_nats(url) as there:
        yield Pair(here, there)


def as_port(live: NatsLive) -> Live:
    """Let the type checker compare."""
    return live


async def received(words: AsyncIterator[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    async with asyncio.timeout(5):
        return [await anext(words) for _ in range(count)]


async def test_what_is_said_about_a_feature_is_heard_in_order(pair: Pair) -> None:
    async with pair.there.watch(TENANT, FEATURE) as words:
        for number in range(100):
            await pair.here.say(TENANT, FEATURE, {"kind": "delta", "text": str(number)})
        texts = [word["text"] for word in await received(words, 100)]
    assert texts == [str(number) for number in range(100)]


async def test_nothing_is_heard_twice_by_the_one_who_said_it(pair: Pair) -> None:
    async with pair.here.watch(TENANT, FEATURE) as words:
        for number in (1, 2):
            await pair.there.say(TENANT, FEATURE, {"kind": "file", "number": number})
        await received(words, 2)
        for number in (3, 4):
            await pair.here.say(TENANT, FEATURE, {"kind": "file", "number": number})
        assert [word["number"] for word in await received(words, 2)] == [3, 4]
        await pair.there.say(TENANT, FEATURE, {"kind": "file", "number": 5})
        [last] = await received(words, 1)
        assert last["number"] == 5


async def test_a_watcher_hears_its_own_feature_and_tenant_only(pair: Pair) -> None:
    async with (
        pair.there.watch(TENANT, FEATURE) as one,
        pair.there.watch(TENANT, None) as all_of_the_tenant,
    ):
        await pair.here.say(OTHER_TENANT, FEATURE, {"kind": "delta", "text": "foreign"})
        await pair.here.say(TENANT, OTHER_FEATURE, {"kind": "delta", "text": "other"})
        await pair.here.say(TENANT, FEATURE, {"kind": "delta", "text": "mine"})
        assert [word["text"] for word in await received(one, 1)] == ["mine"]
        words = await received(all_of_the_tenant, 2)
        assert [word["text"] for word in words] == ["other", "mine"]
        assert [word["feature_id"] for word in words] == [str(OTHER_FEATURE), str(FEATURE)]


async def test_several_watchers_of_one_feature_hear_it_once_each(pair: Pair) -> None:
    async with (
        pair.there.watch(TENANT, FEATURE) as one,
        pair.there.watch(TENANT, FEATURE) as two,
    ):
        await pair.here.say(TENANT, FEATURE, {"kind": "delta", "text": "a"})
        await pair.here.say(TENANT, FEATURE, {"kind": "delta", "text": "b"})
        assert [w["text"] for w in await received(one, 2)] == ["a", "b"]
        assert [w["text"] for w in await received(two, 2)] == ["a", "b"]


async def test_one_watcher_leaving_does_not_deafen_the_other(pair: Pair) -> None:
    async with pair.there.watch(TENANT, FEATURE) as staying:
        async with pair.there.watch(TENANT, FEATURE):
            pass
        await pair.here.say(TENANT, FEATURE, {"kind": "delta", "text": "still here"})
        assert [w["text"] for w in await received(staying, 1)] == ["still here"]


async def test_the_views_progress_is_heard_like_any_word(pair: Pair) -> None:
    async with pair.there.watch(TENANT, FEATURE) as words:
        await pair.here.applied(TENANT, FEATURE, 7, 1234)
        [word] = await received(words, 1)
    assert word == {
        "kind": "view",
        "version": 7,
        "position": 1234,
        "feature_id": str(FEATURE),
    }


async def test_a_listener_that_does_not_listen_loses_deltas_first(pair: Pair) -> None:
    async with pair.there.watch(TENANT, FEATURE) as words:
        await pair.here.say(TENANT, FEATURE, {"kind": "file", "path": "src/a.ts"})
        for number in range(2_000):
            await pair.here.say(TENANT, FEATURE, {"kind": "delta", "text": str(number)})
        await pair.here.say(TENANT, FEATURE, {"kind": "view", "version": 9})
        first, *rest = await until_view(words)
    assert first["path"] == "src/a.ts"
    texts = [int(word["text"]) for word in rest if word["kind"] == "delta"]
    assert texts[-1] == 1_999
    assert texts == sorted(texts)


async def until_view(words: AsyncIterator[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found = []
    async with asyncio.timeout(5):
        async for word in words:
            found.append(word)
            if word["kind"] == "view":
                break
    return found


async def test_what_is_no_json_is_dropped_without_an_error(pair: Pair) -> None:
    async with pair.there.watch(TENANT, FEATURE) as words:
        await pair.here.say(TENANT, FEATURE, {"kind": "delta", "text": object()})
        await pair.here.say(TENANT, FEATURE, {"kind": "delta", "text": "fine"})
        assert [w["text"] for w in await received(words, 1)] == ["fine"]


async def test_a_cancelled_wait_loses_no_word(pair: Pair) -> None:
    async with as_port(pair.there).watch(TENANT, FEATURE) as words:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(words)
        await pair.here.say(TENANT, FEATURE, {"kind": "delta", "text": "after"})
        assert [w["text"] for w in await received(words, 1)] == ["after"]


async def test_signals_wake_and_may_be_folded_into_one(pair: Pair) -> None:
    async with pair.there.watch_log() as growth:
        for _ in range(50):
            await pair.here.grown()
        async with asyncio.timeout(5):
            await anext(growth)
            await pair.here.grown()
            await anext(growth)


@pytest.mark.parametrize("crooked", ["*", ">", "a.b", "", f"{UUID(int=1)}.*"])
async def test_only_ids_come_into_a_subject(pair: Pair, crooked: str) -> None:
    not_an_id: Any = crooked
    with pytest.raises(ValueError, match="badly formed"):
        async with pair.here.watch(not_an_id, FEATURE):
            pass
    with pytest.raises(ValueError, match="badly formed"):
        async with pair.here.watch(TENANT, not_an_id):
            pass
