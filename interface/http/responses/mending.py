"""What failed a review, in words, and what becomes of it: a round of mending, or a person's choice.

Invariant: it is read from the events that the row names; what is still wrong is what the reviews of
the code that stands, or of the code that is being mended, failed it for.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from domain import documents as d
from domain import events as e
from domain.mending import CodeFault, StopReason
from domain.pipeline import REVIEWS
from domain.recorded import Recorded
from domain.status import Gate, Status, Step, Verdict
from interface.http.responses.structs import MendingView, StillWrong, WayBack
from projections.failure import REVIEW_FAILED, REVIEW_UNDECIDED
from projections.feature import FeatureRow

_GRAVE: Final = frozenset({d.Severity.CRITICAL, d.Severity.HIGH})


def mending_texts(row: FeatureRow) -> set[int]:
    """The versions whose texts `mending_view` reads."""
    if not _is_shown(row):
        return set()
    mending = row.state.content.mending
    return {*_reviews(row).values(), *((mending.version,) if mending else ())}


def mending_view(row: FeatureRow, texts: Mapping[int, Recorded]) -> MendingView | None:
    """What there is to mend; None if no review failed, or what it said is gone."""
    if not _is_shown(row):
        return None
    told = {step: texts[at].event for step, at in _reviews(row).items() if at in texts}
    wrong = tuple(one for step, event in told.items() for one in _wrong(step, event))
    mending = row.state.content.mending
    decided = texts.get(mending.version) if mending else None
    failed = row.status is Status.FAILED
    back = tuple(_ways_back(row)) if failed else ()
    undecided = row.failure is not None and row.failure.code == REVIEW_UNDECIDED
    stopped = StopReason.UNDECIDED if undecided else None
    match decided.event if decided else None:
        case e.MendingStarted() as begun:
            return MendingView(
                mending.round if mending else 0,
                begun.of,
                wrong,
                begun.files,
                begun.frozen,
                begun.cost_usd,
                stopped,
                back=back,
            )
        case e.MendingStopped() as ended:
            return MendingView(
                mending.round if mending else 0,
                ended.of,
                wrong,
                ended.files,
                ended.frozen,
                stopped=stopped or (ended.why if failed else None),
                stage=ended.stage,
                back=back,
            )
        case _ if wrong or stopped:
            return MendingView(0, 0, wrong, (), 0, stopped=stopped, back=back)
        case _:
            return None


def _is_shown(row: FeatureRow) -> bool:
    """Whether it failed its reviews, or is being mended after that."""
    if row.failure is not None and row.failure.code in {REVIEW_FAILED, REVIEW_UNDECIDED}:
        return True
    content = row.state.content
    return content.mending is not None and row.status is not Status.DONE


def _reviews(row: FeatureRow) -> dict[Step, int]:
    """The reviews of the code that stands as failed, or else of the code that is mended."""
    content = row.state.content
    standing = {step: made for step in REVIEWS if (made := content.review(step))}
    if row.status is Status.FAILED and standing:
        return {s: made.version for s, made in standing.items() if made.verdict is not Verdict.PASS}
    rework = content.rework
    return {step: at for step in REVIEWS if rework and (at := rework.review(step)) is not None}


def _wrong(step: Step, event: e.FeatureEvent) -> Iterator[StillWrong]:
    if not isinstance(event, e.SecurityReviewed | e.CodeReviewed):
        return
    findings = {one.fingerprint: one for one in event.document.findings if one.placed}
    if not event.faults:
        # Of a time when faults were not recorded, or of a review that came to no verdict.
        for one in findings.values():
            if one.severity in _GRAVE and event.verdict is Verdict.FAIL:
                yield _of_finding(step, one)
        return
    for fault in {fault.fingerprint: fault for fault in event.faults}.values():
        found = findings.get(fault.fingerprint)
        yield _of_finding(step, found) if found else _of_fault(step, fault)


def _of_finding(step: Step, one: d.Finding) -> StillWrong:
    return StillWrong(step, one.title, one.severity, one.explanation, one.path, one.line)


def _of_fault(step: Step, fault: CodeFault) -> StillWrong:
    title, colon, says = fault.says.partition(": ")
    path = fault.paths[0] if fault.paths else None
    return StillWrong(step, title if colon else fault.says, fault.severity, says, path)


def _ways_back(row: FeatureRow) -> Iterator[WayBack]:
    places = {one.version: one for one in row.checkpoints}
    for gate in Gate:
        made = row.state.content.deliverable(gate)
        if made and made.version in places:
            yield WayBack(gate, made.version, places[made.version].cost_usd_since)
