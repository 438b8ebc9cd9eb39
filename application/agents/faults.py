"""Where the faults of a failed review lie: in which files, and at which stage.

Invariant: what a finding says of the stage can only move it back. Frozen tests, and requirements
that no task of the plan covers, are not the code's fault, whatever the reviewer calls it.
"""

from collections.abc import Collection, Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from application.agents.checklist import ids_in
from domain.documents import Plan, Report, ReturnStage, Spec
from domain.mending import CodeFault


class Approved(Struct, frozen=True):
    """What of the approved documents decides whose fault something is."""

    tests: frozenset[str] = frozenset()
    """Paths of the frozen tests."""
    uncovered: frozenset[str] = frozenset()
    """Requirements that no task of the plan covers, by id."""


NOTHING: Final = Approved()


def approved(spec: Spec | None, plan: Plan, tests: Collection[str]) -> Approved:
    """What the approved documents say of it."""
    covered = {ident for task in plan.tasks for ident in task.requirements}
    wanted = {one.id for one in spec.requirements} if spec else set()
    return Approved(frozenset(tests), frozenset(wanted - covered))


def located(
    faults: Iterable[CodeFault], report: Report, files: Collection[str], given: Approved
) -> tuple[CodeFault, ...]:
    """Faults with the files that the implementer may mend, and the earliest stage at fault.

    Args:
        faults: As the reviewer placed them.
        report: What the reviewer said.
        files: Every file that was reviewed.
        given: What was approved before the code.
    """
    words = {one.fingerprint: f"{one.title} {one.explanation}" for one in report.findings}
    return tuple(
        _located(fault, words.get(fault.fingerprint, ""), files, given) for fault in faults
    )


def _located(fault: CodeFault, words: str, files: Collection[str], given: Approved) -> CodeFault:
    order = list(ReturnStage)
    stages = [fault.stage]
    if any(path in given.tests for path in fault.paths):
        stages.append(ReturnStage.TESTS)
    if given.uncovered & ids_in(f"{fault.says} {words}"):
        stages.append(ReturnStage.PLAN)
    own = tuple(path for path in fault.paths if path in files and path not in given.tests)
    return replace(fault, paths=own, stage=min(stages, key=order.index))
