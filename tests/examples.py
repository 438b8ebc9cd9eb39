"""How many examples a property is tried with: as many as it asks for, fewer in the quick loop."""

from hypothesis import settings

USUAL = 100
"""What Hypothesis tries unless told otherwise."""


def examples(number: int) -> int:
    """The number, in the proportion that the profile of this run has to the usual one."""
    return max(1, number * settings().max_examples // USUAL)
