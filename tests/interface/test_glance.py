"""Readiness, which anybody may ask for: the dependencies are looked at once in a while."""

import asyncio

from interface.glance import FRESH_SECONDS, Glance
from interface.http.services import Readiness

READY = Readiness(
    postgres=True, nats=True, artifacts=True, relay_lag_events=0, projection_lag_events=0
)


class Doctor:
    """The port `Health`, that looks when the test lets it."""

    def __init__(self) -> None:
        self.looks = 0
        self.may = asyncio.Event()

    async def report(self) -> Readiness:
        self.looks += 1
        await self.may.wait()
        return READY


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_thousand_who_ask_at_once_cost_one_look() -> None:
    doctor = Doctor()
    glance = Glance(doctor, Clock())
    asking = [asyncio.create_task(glance.report()) for _ in range(1_000)]
    await asyncio.sleep(0)
    doctor.may.set()
    assert set(map(id, await asyncio.gather(*asking))) == {id(READY)}
    assert doctor.looks == 1


async def test_a_look_is_good_for_a_second() -> None:
    doctor, clock = Doctor(), Clock()
    doctor.may.set()
    glance = Glance(doctor, clock)
    for now, looks in ((0, 1), (FRESH_SECONDS * 0.99, 1), (FRESH_SECONDS, 2), (100, 3), (100, 3)):
        clock.now = now
        assert await glance.report() is READY
        assert doctor.looks == looks


async def test_whoever_leaves_takes_the_look_from_nobody() -> None:
    doctor = Doctor()
    glance = Glance(doctor, Clock())
    first, second = (asyncio.create_task(glance.report()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    doctor.may.set()
    assert await second is READY
    assert doctor.looks == 1
