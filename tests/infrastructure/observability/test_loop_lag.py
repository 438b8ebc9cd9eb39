"""What holds the loop is measured, told apart from a busy machine, and said once in a while."""

import asyncio
from time import thread_time

import pytest
import structlog
from structlog.testing import capture_logs

from infrastructure.observability.loop_lag import (
    BOUND_SECONDS,
    LOOK_SECONDS,
    QUIET_SECONDS,
    LoopLag,
)


def warned(lag: LoopLag, *looks: tuple[float, float, float]) -> list[float]:
    with capture_logs() as logs:
        for look in looks:
            lag.note(*look)
    return [line["held_seconds"] for line in logs if line["event"] == "loop_lagged"]


def test_a_stretch_that_held_the_loop_is_told() -> None:
    seen: list[float] = []
    lag = LoopLag()
    lag.observe = seen.append
    assert warned(lag, (0.01, 0.0, 1.0), (0.3, 0.25, 2.0)) == [0.25]
    assert (lag.longest, lag.longest_held) == (0.3, 0.25)
    assert seen == [0.01, 0.3]


def test_a_machine_that_is_busy_with_others_is_no_fault_of_ours() -> None:
    lag = LoopLag()
    assert warned(lag, (5.0, BOUND_SECONDS, 1.0)) == []
    assert lag.longest == 5.0


def test_many_stretches_are_told_once_in_a_while_and_the_longest_is_not_lost() -> None:
    lag = LoopLag()
    looks = [(0.2, 0.2, 0.0), (0.9, 0.9, 1.0), (0.3, 0.3, 2.0), (0.0, 0.0, QUIET_SECONDS)]
    assert warned(lag, *looks) == [0.2, 0.9]


async def test_the_loop_is_measured_from_inside() -> None:
    structlog.reset_defaults()
    lag, stop = LoopLag(), asyncio.Event()
    looks: list[float] = []
    lag.observe = looks.append
    measuring = asyncio.create_task(lag.run(stop))
    while not looks:
        await asyncio.sleep(0)
    ends = thread_time() + 4 * LOOK_SECONDS
    while thread_time() < ends:
        pass
    stop.set()
    await measuring
    assert lag.longest_held == pytest.approx(lag.longest, rel=1.0)
    assert lag.longest >= 2 * LOOK_SECONDS
