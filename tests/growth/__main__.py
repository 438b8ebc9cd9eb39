"""Tries every shape in every place, and tells what grows too fast and what costs most.

python -m tests.growth [PLACE]
"""

import sys

from tests.growth.measure import MOST, all_of
from tests.growth.places import PLACES
from tests.growth.shapes import SHAPES


def main(wanted: list[str]) -> int:
    """Say it; 1 if anything grows too fast."""
    grown = []
    for place in wanted or PLACES:
        found = list(all_of([place], SHAPES))
        worst = max(found, key=lambda one: one.large)
        print(f"{place}: at most {1000 * worst.large:.0f} ms ({worst.shape})", flush=True)  # noqa: T201
        grown += [one for one in found if one.ratio > MOST]
    for one in grown:
        print(f"TOO FAST: {one}")  # noqa: T201
    return 1 if grown else 0


sys.exit(main(sys.argv[1:]))
