"""How many examples a property is tried with: the suite tries some, `--hypothesis-profile=thorough`
ten times as many, the quick loop fewer."""

from hypothesis import settings

USUAL = 100
"""What Hypothesis tries unless told otherwise."""


def examples(number: int) -> int:
    """The number, in the proportion that the profile of this run has to the usual one."""
    return max(1, number * settings().max_examples // USUAL)
