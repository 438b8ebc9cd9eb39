"""Gathered calls share what carries them out, and nothing else."""

import asyncio
from collections.abc import Sequence

import pytest

from application.ports import Unavailable
from infrastructure.batcher import Batcher


class Refusal(Exception):
    """This number is refused."""


class Doubling:
    """Doubles numbers, refuses some, and remembers what came together."""

    def __init__(self, *, refused: Sequence[int] = (), down: bool = False) -> None:
        self.rounds: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self._refused = refused
        self._down = down

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.rounds.append(list(numbers))
        await self.open.wait()
        if self._down:
            raise Unavailable("database")
        if set(numbers) & set(self._refused):
            raise Refusal
        return [2 * number for number in numbers]


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_calls_of_one_moment_go_together_and_each_gets_its_own_answer():
    doubling = Doubling()
    call = Batcher(doubling)
    assert await asyncio.gather(*(call(n) for n in range(5))) == [0, 2, 4, 6, 8]
    assert doubling.rounds == [[0, 1, 2, 3, 4]]


async def test_a_call_alone_does_not_wait_for_others():
    doubling = Doubling()
    call = Batcher(doubling)
    assert [await call(1), await call(2)] == [2, 4]
    assert doubling.rounds == [[1], [2]]


async def test_calls_that_nobody_waits_for_gather_until_one_hurries():
    doubling = Doubling()
    call = Batcher(doubling, linger_seconds=3600, hurry=lambda number: number > 9)
    slow = [asyncio.ensure_future(call(n)) for n in (1, 2)]
    await asyncio.sleep(0)
    slow.append(asyncio.ensure_future(call(3)))
    await asyncio.sleep(0)
    assert doubling.rounds == []
    assert await call(10) == 20
    assert await asyncio.gather(*slow) == [2, 4, 6]
    assert doubling.rounds == [[1, 2, 3, 10]]


async def test_calls_that_linger_go_by_themselves_or_when_all_is_finished():
    doubling = Doubling()
    call = Batcher(doubling, linger_seconds=0.001)
    assert await asyncio.gather(call(1), call(2)) == [2, 4]
    patient = Batcher(doubling, linger_seconds=3600)
    waiting = asyncio.ensure_future(patient(3))
    await asyncio.sleep(0)
    await patient.finish()
    assert await waiting == 6


async def test_what_comes_while_all_rounds_are_under_way_shares_the_next():
    doubling = Doubling()
    doubling.open.clear()
    call = Batcher(doubling, together=3, under_way=1)
    first = asyncio.ensure_future(call(1))
    await until(lambda: doubling.rounds == [[1]])
    later = [asyncio.ensure_future(call(n)) for n in (2, 3, 4, 5)]
    await asyncio.sleep(0)
    assert doubling.rounds == [[1]]
    doubling.open.set()
    assert await asyncio.gather(first, *later) == [2, 4, 6, 8, 10]
    assert doubling.rounds == [[1], [2, 3, 4], [5]]


async def test_what_one_is_refused_for_does_not_touch_the_others():
    call = Batcher(Doubling(refused=[2]))
    answers = await asyncio.gather(call(1), call(2), call(3), return_exceptions=True)
    assert (answers[0], answers[2]) == (2, 6)
    assert isinstance(answers[1], Refusal)


async def test_an_absent_dependency_is_told_to_all_without_asking_again_for_each():
    doubling = Doubling(down=True)
    call = Batcher(doubling)
    answers = await asyncio.gather(*(call(n) for n in range(3)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert doubling.rounds == [[0, 1, 2]]


async def test_a_caller_that_stops_waiting_does_not_undo_its_call_or_anothers():
    doubling = Doubling()
    doubling.open.clear()
    call = Batcher(doubling)
    gone, patient = asyncio.ensure_future(call(1)), asyncio.ensure_future(call(2))
    await until(lambda: doubling.rounds)
    gone.cancel()
    doubling.open.set()
    assert await patient == 4
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert doubling.rounds == [[1, 2]]


async def test_a_wrong_number_of_answers_is_an_error_for_all_and_leaves_nobody_waiting():
    async def forgetful(numbers: Sequence[int]) -> Sequence[int]:
        return []

    call = Batcher(forgetful)
    async with asyncio.timeout(5):
        answers = await asyncio.gather(call(1), call(2), return_exceptions=True)
    assert all(isinstance(answer, ValueError) for answer in answers)
