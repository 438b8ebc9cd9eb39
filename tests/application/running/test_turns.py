"""A long history holds up nobody: it is gone through in slices, which take turns."""

import asyncio
from types import SimpleNamespace
from uuid import UUID

import pytest

from application.running.places import Crowded
from application.running.stretches import AT_ONCE, stretches
from application.running.turns import AT_ONCE_EACH, SLICE, Turns
from domain import events as e
from domain.status import Status
from interface.http.pasts import Pasts
from interface.http.problems.table import HttpProblem
from interface.http.responses.as_of import AsOf, read_past
from tests.delivered import FEATURE, TENANT, Shop
from tests.given import drafted


class Ticker:
    """Counts how often everything else gets its turn."""

    def __init__(self) -> None:
        self.ticks = 0

    async def __aenter__(self):
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _tick(self) -> None:
        while True:
            self.ticks += 1
            await asyncio.sleep(0)


async def test_others_have_their_turn_between_two_slices() -> None:
    seen: list[int] = []
    async with Ticker() as others:
        await Turns().through(range(20 * SLICE), seen.append)
        assert others.ticks >= 20
    assert seen == list(range(20 * SLICE))


async def test_however_many_ask_one_slice_is_done_at_a_time() -> None:
    turns, steps = Turns(), [0]
    most = 0

    def step(_: int) -> None:
        steps[0] += 1

    async with Ticker() as others:
        works = [asyncio.create_task(turns.through(range(4 * SLICE), step)) for _ in range(10)]
        while not all(work.done() for work in works):
            before, ticks = steps[0], others.ticks
            await asyncio.sleep(0)
            assert others.ticks > ticks
            most = max(most, steps[0] - before)
    assert steps[0] == 40 * SLICE
    assert most <= SLICE


async def test_works_take_turns() -> None:
    turns, order = Turns(), []
    await asyncio.gather(
        turns.through(["a"] * 3 * SLICE, order.append),
        turns.through(["b"] * 3 * SLICE, order.append),
    )
    assert "".join(order[::SLICE]).startswith("abab")


async def test_what_is_short_waits_for_nobody() -> None:
    turns, order = Turns(), []
    long = asyncio.create_task(turns.through(["long"] * 5 * SLICE, order.append))
    await asyncio.sleep(0)
    await turns.through(["short"], order.append)
    assert order.index("short") < 2 * SLICE
    await long


async def test_a_tenant_has_a_few_long_works_under_way_and_others_have_theirs() -> None:
    turns, go, begun = Turns(), asyncio.Event(), []

    async def work(whose: str) -> None:
        async with turns.long(whose):
            begun.append(whose)
            await go.wait()

    works = [asyncio.create_task(work("ann")) for _ in range(66)]
    works.append(asyncio.create_task(work("ben")))
    while "ben" not in begun:
        await asyncio.sleep(0)
    assert begun == ["ann"] * AT_ONCE_EACH + ["ben"]
    with pytest.raises(Crowded):
        await work("ann")
    go.set()
    await asyncio.gather(*works)


def long_life(length: int) -> Shop:
    first = drafted().events
    said = [e.MessagePosted(UUID(int=n), "And a list.") for n in range(length - len(first))]
    return Shop([*first, *said])


async def test_a_first_look_at_a_long_life_stops_nobody() -> None:
    length = 2 * AT_ONCE + 7
    shop = long_life(length)
    async with Ticker() as others:
        feature = await shop.features.load(TENANT, FEATURE)
        assert others.ticks >= length // SLICE
    assert (feature.version, feature.status) == (length, Status.DRAFTING)
    assert (await shop.features.as_of(TENANT, FEATURE, AT_ONCE + 3)).version == AT_ONCE + 3
    found = [len(part) async for part in stretches(shop.log, TENANT, FEATURE)]
    assert found == [AT_ONCE, AT_ONCE, 7]
    assert len(await shop.features.history(TENANT, FEATURE, length - 1)) == length - 1


async def test_a_look_back_at_a_long_life_stops_nobody() -> None:
    length = 2 * AT_ONCE + 7
    services = SimpleNamespace(log=long_life(length).log, pasts=Pasts(), turns=Turns())
    async with Ticker() as others:
        past = await read_past(services, TENANT, FEATURE, AsOf(length - 1))
        assert others.ticks >= length // SLICE
    assert past.feature.version == length - 1
    assert len(past.messages) == length - 2
    with pytest.raises(HttpProblem):
        await read_past(services, TENANT, FEATURE, AsOf(length + 1))
