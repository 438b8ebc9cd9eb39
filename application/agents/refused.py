"""Files that the checks refused to the end: they stand as findings, and nobody can clear them.

Invariant: an implementation with a refused file gets no PASS, whatever its reviewers say.
"""

from collections.abc import Sequence
from typing import Final

from application.agents.inspection import StaticFinding
from domain.events import RefusedFile

RULE: Final = "refused"


def standing(refused: Sequence[RefusedFile]) -> tuple[StaticFinding, ...]:
    """What is refused, as findings that block: they go into a verdict with the parsers'."""
    return tuple(
        StaticFinding(file.path, 1, RULE, f"The checks refused this file. {fault}")
        for file in refused
        for fault in file.faults
    )
