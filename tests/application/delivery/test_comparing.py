"""The same comparison is made once, off the loop, and never for somebody else."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from application.delivery.comparing import Comparisons, Sides
from application.delivery.diff import ComparedText, Kind, Shown
from application.running.computing import CouldNotCompute, Here

ANN, BEN = UUID(int=1), UUID(int=2)
BEFORE, AFTER = {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}
BODIES = {"1": b"one", "2": b"two", "3": b"three", "4": b"four", "9": b"nine"}


class Shelf:
    """Texts, and which of them were read."""

    def __init__(self) -> None:
        self.read: list[tuple[str, ...]] = []

    async def __call__(self, names: tuple[str, ...]) -> Sides:
        self.read.append(names)
        await asyncio.sleep(0)
        return (
            {n: ComparedText(BEFORE[n], BODIES[BEFORE[n]]) for n in names if n in BEFORE},
            {n: ComparedText(AFTER[n], BODIES[AFTER[n]]) for n in names if n in AFTER},
        )


class TooMuch:
    """Computes nothing."""

    async def run(self, whose: object, work: Callable[..., Any], *args: Any) -> Any:
        raise CouldNotCompute(work.__name__)


async def test_only_what_differs_is_read_and_that_once() -> None:
    comparisons, shelf = Comparisons(Here()), Shelf()
    asked = [comparisons.changes(ANN, BEFORE, AFTER, shelf) for _ in range(3)]
    first, *others = await asyncio.gather(*asked)
    assert [(change.name, change.kind) for change in first] == [
        ("b", Kind.CHANGED), ("c", Kind.REMOVED), ("d", Kind.ADDED),
    ]  # fmt: skip
    assert others == [first, first]
    assert await comparisons.changes(ANN, BEFORE, AFTER, shelf) == first
    assert shelf.read == [("b", "c", "d")]
    assert await comparisons.changes(BEN, BEFORE, AFTER, shelf) == first
    assert len(shelf.read) == 2
    assert await comparisons.changes(ANN, BEFORE, BEFORE, shelf) == ()


async def test_what_could_not_be_compared_is_named() -> None:
    found = await Comparisons(TooMuch()).changes(ANN, BEFORE, AFTER, Shelf())
    assert [(change.name, change.shown, change.diff) for change in found] == [
        (name, Shown.TOO_LARGE, "") for name in ("b", "c", "d")
    ]
    assert (found[0].from_sha256, found[0].to_sha256) == ("2", "9")


async def test_who_gives_up_takes_nothing_from_those_who_wait() -> None:
    comparisons, shelf = Comparisons(Here()), Shelf()
    impatient = asyncio.create_task(comparisons.changes(ANN, BEFORE, AFTER, shelf))
    patient = asyncio.create_task(comparisons.changes(ANN, BEFORE, AFTER, shelf))
    await asyncio.sleep(0)
    impatient.cancel()
    assert len(await patient) == 3
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert len(shelf.read) == 1
