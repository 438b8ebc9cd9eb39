"""Whether code that failed its reviews is mended without a person, and what of it may change.

Invariant: a round begins only while each one leaves fewer faults than the one before, none of them
is one that was gone, and the limit is not reached; whatever is unclear stops, with its reason.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from domain.documents import ReturnStage, Severity
from domain.status import Verdict

REMEMBERED: Final = 8
"""Failed reviews whose faults are remembered, the newest: more than a limit of rounds allows."""


class StopReason(StrEnum):
    """Why no round begins by itself. Values are wire format."""

    UNDECIDED = "undecided"
    """A review came to no verdict: nobody knows what to mend."""
    NOTHING_NAMED = "nothing_named"
    """No fault names a file that the implementer writes."""
    EARLIER_STAGE = "earlier_stage"
    """A fault lies in the tests, the plan or the specification: no code can mend it."""
    OFF = "off"
    """The operator allows no round without a person."""
    NO_PROGRESS = "no_progress"
    """The last round left as many faults as before, graver ones, or one that had been gone."""
    LIMIT_REACHED = "limit_reached"
    """As many rounds as are allowed without a person are over."""


class CodeFault(Struct, frozen=True, omit_defaults=True):
    """Something that failed a review: one of the reasons of its verdict."""

    fingerprint: str
    """The same for the same fault, wherever its lines have moved."""
    severity: Severity
    says: str
    """What is wrong, in a sentence."""
    paths: tuple[str, ...] = ()
    """The files of the implementer that it names."""
    stage: ReturnStage = ReturnStage.IMPLEMENT
    """The earliest stage at fault, computed by code from what the finding names and says."""


class FoundFaults(Struct, frozen=True):
    """What one review failed the code for."""

    faults: tuple[CodeFault, ...] = ()
    beside: tuple[str, ...] = ()
    """Files of the implementer that import a named one, or are imported by it."""
    files: int = 0
    """How many files were reviewed, tests included."""


def together(found: Iterable[FoundFaults]) -> FoundFaults:
    """What several reviews of the same files failed them for, each fault once."""
    every = tuple(found)
    faults: dict[str, CodeFault] = {}
    for fault in (fault for one in every for fault in one.faults):
        known = faults.get(fault.fingerprint)
        faults[fault.fingerprint] = _merged(known, fault) if known else fault
    return FoundFaults(
        tuple(faults[name] for name in sorted(faults)),
        tuple(sorted({path for one in every for path in one.beside})),
        max((one.files for one in every), default=0),
    )


def _merged(one: CodeFault, other: CodeFault) -> CodeFault:
    """The same fault, said twice: as grave, as early and as wide as either says."""
    graver = min(one.severity, other.severity, key=list(Severity).index)
    earlier = min(one.stage, other.stage, key=list(ReturnStage).index)
    paths = tuple(dict.fromkeys((*one.paths, *other.paths)))
    return replace(one, severity=graver, stage=earlier, paths=paths)


def may_change(found: FoundFaults) -> tuple[str, ...]:
    """The files that a round may write, by path: those named, and what hangs on them directly.

    Empty if no fault names one: then nothing is frozen, for nobody knows where the fault is.
    """
    named = {path for fault in found.faults for path in fault.paths}
    return tuple(sorted(named.union(found.beside))) if named else ()


def earliest_stage(found: FoundFaults) -> ReturnStage:
    """The earliest stage that is at fault."""
    order = list(ReturnStage)
    stages = (fault.stage for fault in found.faults)
    return min(stages, key=order.index, default=ReturnStage.IMPLEMENT)


def marks(found: FoundFaults) -> tuple[str, ...]:
    """What is remembered of the faults: a severity and a fingerprint each, such as `high F-12ab`.

    Of both, because a graver fault in place of a lesser one is no progress.
    """
    return tuple(f"{fault.severity} {fault.fingerprint}" for fault in found.faults)


def stop_reason(
    verdict: Verdict,
    found: FoundFaults,
    before: Sequence[Sequence[str]],
    *,
    rounds: int,
    allowed: int,
) -> StopReason | None:
    """Why no round begins; None if one does.

    Args:
        verdict: Over both reviews, not PASS.
        found: What they failed the code for.
        before: The `marks` of the failed reviews before, oldest first.
        rounds: How many rounds there were since a person last decided.
        allowed: How many there may be.
    """
    if verdict is not Verdict.FAIL:
        return StopReason.UNDECIDED
    if earliest_stage(found) is not ReturnStage.IMPLEMENT:
        return StopReason.EARLIER_STAGE
    if not may_change(found):
        return StopReason.NOTHING_NAMED
    if not allowed:
        return StopReason.OFF
    if before and not is_progress(marks(found), before):
        return StopReason.NO_PROGRESS
    return StopReason.LIMIT_REACHED if rounds >= allowed else None


def is_progress(now: Sequence[str], before: Sequence[Sequence[str]]) -> bool:
    """Whether fewer faults are left, of no severity more, and none that had been gone.

    Args:
        now: The `marks` of what is left.
        before: Those of the failed reviews before, oldest first, at least one.
    """
    last = before[-1]
    back = {_name(mark) for past in before[:-1] for mark in past} - {_name(mark) for mark in last}
    if len(now) >= len(last) or back & {_name(mark) for mark in now}:
        return False
    grave, was_grave = (Counter(mark.partition(" ")[0] for mark in marks) for marks in (now, last))
    return grave[Severity.CRITICAL] <= was_grave[Severity.CRITICAL]


def _name(mark: str) -> str:
    return mark.partition(" ")[2]
