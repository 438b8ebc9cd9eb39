"""What a fact says was spent: every fact that ends an attempt names it, and carries its run."""

from domain.events import FeatureEvent
from domain.runs import Attempt, Run


def run_of(event: FeatureEvent) -> Run | None:
    """What the attempt that this fact ends has used; None for every other fact."""
    run: Run | None = getattr(event, "run", None)
    return run


def attempt_of(event: FeatureEvent) -> Attempt | None:
    """The attempt that this fact announces or ends; None for every other fact."""
    attempt: Attempt | None = getattr(event, "attempt", None)
    return attempt
