"""How the work of a place grows with its text.

Invariant: what is compared is the processor's time of this process, the least of several tries, so
that other programs on the machine are not measured.
"""

import gc
from collections.abc import Iterable, Iterator
from time import process_time
from typing import Final, NamedTuple

from application.agents.first_points import first_points_of
from domain.reading import reading_of
from infrastructure.demo_model.author.brief import read
from infrastructure.demo_model.author.nouns import find_things
from tests.growth.places import PLACES, Place
from tests.growth.shapes import SHAPES

SMALL: Final = 20_000
LARGE: Final = 40_000
MOST: Final = 2.5
"""Twice the text may cost at most so many times as much."""
LITTLE_SECONDS: Final = 0.04
"""What costs less in all is not compared: work that grows with the square is over it by far."""
TRIES: Final = 30


class Growth(NamedTuple):
    """What a place took over a shape."""

    place: str
    shape: str
    small: float
    """Seconds over the smaller text; 0 if it was not measured.

    Over `SMALL` and `LARGE`, or where these did not agree, over `LARGE` and twice that.
    """
    large: float

    @property
    def ratio(self) -> float:
        """How many times as much twice the text costs."""
        return self.large / self.small if self.small else 1.0

    def __str__(self) -> str:
        """A line for people."""
        return (
            f"{self.place}, {self.shape}: {1000 * self.small:.1f} ms, and for twice the text "
            f"{1000 * self.large:.1f} ms ({self.ratio:.1f} times)"
        )


def cost(place: Place, text: str) -> float:
    """Seconds of the processor."""
    for forgetful in (first_points_of, reading_of, read, find_things):
        forgetful.cache_clear()
    gc.freeze()  # What stands is not gone through again with every text.
    gc.disable()
    try:
        began = process_time()
        place(text)
        return process_time() - began
    finally:
        gc.enable()
        gc.unfreeze()


def growth(name: str, shape: str) -> Growth:
    """Measure once, and again for as long as it looks too much."""
    place = PLACES[name]
    longer, shorter = SHAPES[shape](LARGE), SHAPES[shape](SMALL)
    large = cost(place, longer)
    if large < LITTLE_SECONDS:
        return Growth(name, shape, 0.0, large)
    small = cost(place, shorter)
    for _ in range(TRIES):
        if large <= MOST * small:
            break
        large = min(large, cost(place, longer))
        small = min(small, cost(place, shorter))
    else:
        # A step such as a larger buffer is no growth: what grows, grows on.
        return Growth(name, shape, large, cost(place, SHAPES[shape](2 * LARGE)))
    return Growth(name, shape, small, large)


def all_of(places: Iterable[str], shapes: Iterable[str]) -> Iterator[Growth]:
    """Every shape through every place."""
    listed = list(shapes)
    return (growth(place, shape) for place in places for shape in listed)
