"""What like work has cost a tenant: their recorded runs, each with the documents that went in.

Invariant: only what stands in clear in the log is read here, so that runs of features that were
deleted still count; how long the documents were is told by whoever may read them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol
from uuid import UUID

from msgspec import Struct

from domain import events as e
from domain.lifecycle import WRITTEN_AT
from domain.pipeline import RESULT_OF, RESULTS, STEPS
from domain.runs import Attempt, Run, Tokens
from domain.status import Gate, Input, Part, Step

_HELD_BY: Final[Mapping[Input, Part]] = {
    Input.BRIEF: Part.BRIEF,
    Input.FILES: Part.TESTS,  # The frozen tests are among the files.
    **{Input(gate.value): Part(gate.value) for gate in Gate},
}
READS: Final[Mapping[Step, tuple[Part, ...]]] = {
    step: tuple(_HELD_BY[one] for one in row.reads if one in _HELD_BY)
    for (step, _), row in STEPS.items()
}
"""The documents that were approved before a step begins: by their length the steps compare."""

WRITES: Final[Mapping[type[e.FeatureEvent], Part]] = {
    e.BriefConfirmed: Part.BRIEF,
    e.BriefRevised: Part.BRIEF,
    **{event: Part(gate.value) for event, gate in WRITTEN_AT.items()},
}
IN_VAIN: Final = (e.AttemptFailed, e.RunDiscarded)


class RunTrace(Struct, frozen=True):
    """What an event says in clear about work: who was asked, what it used, what it wrote."""

    feature_id: UUID
    version: int
    kind: type[e.FeatureEvent]
    attempt: Attempt | None = None
    run: Run = Run()
    model: str = ""
    """Of an attempt that is announced."""
    part: Part | None = None
    """Of what a fork brought along."""


class RecordedRun(Struct, frozen=True):
    """A step that brought a result."""

    feature_id: UUID
    step: Step
    model: str
    tokens: Tokens
    """With the attempts before it, in the same epoch, that brought none; so `requests`. Not what it
    cost: prices change, and an estimate is about those of now."""
    requests: int
    reads: tuple[int, ...] | None
    """Versions of the documents that went in; None if they are not known."""


class PastRuns(Protocol):
    """A tenant's recorded runs."""

    async def recent(self, tenant_id: UUID) -> Sequence[RecordedRun]:
        """The newest first; of a long history not all. Raises Unavailable."""


def recorded_runs(traces: Iterable[RunTrace]) -> list[RecordedRun]:
    """The runs that traces tell of, the newest first.

    Args:
        traces: In the order of the log; those of a feature may begin in the middle of its life.
    """
    standing: dict[UUID, dict[Part, int]] = defaultdict(dict)
    models: dict[tuple[UUID, Attempt], str] = {}
    spent: dict[tuple[UUID, Step, int], Run] = defaultdict(Run)
    found = []
    for one in traces:
        part = one.part or WRITES.get(one.kind)
        if part is not None:
            standing[one.feature_id][part] = one.version
        if one.attempt is None:
            continue
        if one.kind is e.StepStarted:
            models[one.feature_id, one.attempt] = one.model
            continue
        effort = (one.feature_id, one.attempt.step, one.attempt.epoch)
        spent[effort] = _together(spent[effort], one.run)
        model = models.get((one.feature_id, one.attempt))
        # Without a request it was taken from an earlier answer, which tells nothing of the next.
        if one.kind in IN_VAIN or not one.run.turns or model is None:
            continue
        documents = standing[one.feature_id]
        wanted = READS[one.attempt.step]
        reads = tuple(documents[name] for name in wanted) if documents.keys() >= {*wanted} else None
        used = spent.pop(effort)
        found.append(
            RecordedRun(one.feature_id, one.attempt.step, model, used.tokens, used.turns, reads)
        )
    return found[::-1]


def _together(some: Run, more: Run) -> Run:
    return Run(tokens=some.tokens + more.tokens, turns=some.turns + more.turns)


TELLING: Final = (
    *WRITES,
    *IN_VAIN,
    e.PartCarried,
    e.StepStarted,
    *(result for result in RESULTS if result not in {*WRITES, RESULT_OF[Step.CONVERSE]}),
)
"""The events that leave a trace. Conversations cost too, but nobody decides on their cost."""
