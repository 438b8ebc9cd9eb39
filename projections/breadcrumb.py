"""How far a feature has come, in the five stages that people see: read from its status."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from domain.lifecycle import GATE_STATUS
from domain.pipeline import STAGE_OF, WORK_AT
from domain.status import Stage, Status, Step


class Progress(StrEnum):
    """How far a stage is."""

    DONE = "done"
    CURRENT = "current"
    WAITING = "waiting"
    FAILED = "failed"


class Crumb(Struct, frozen=True):
    """One stage and how far it is."""

    stage: Stage
    state: Progress


STAGE_AT: Final[Mapping[Status, Stage]] = {
    **{status: Stage(gate.value) for status, gate in GATE_STATUS.items()},
    **{status: STAGE_OF[steps[0]] for status, steps in WORK_AT.items()},
}
"""The stage that is under way at each status; none before the brief and after the end."""


def breadcrumb(status: Status, failed: Step | None = None) -> tuple[Crumb, ...]:
    """All stages in order.

    Args:
        status: Where the feature stands.
        failed: The step it failed at, if it did.
    """
    here = STAGE_OF.get(failed) if failed else STAGE_AT.get(status)
    if here is None:
        rest = Progress.DONE if status is Status.DONE else Progress.WAITING
        return tuple(Crumb(stage, rest) for stage in Stage)
    stages = list(Stage)
    at = stages.index(here)
    mark = Progress.FAILED if failed else Progress.CURRENT
    return tuple(
        Crumb(stage, Progress.DONE if n < at else mark if n == at else Progress.WAITING)
        for n, stage in enumerate(stages)
    )
