"""The life of a feature, as a table: one row per event.

`decide` reads the sources (is this legal now?); `evolve` reads only the targets, so replaying
yesterday's log never depends on today's rules. The docs diagram, the OpenAPI enumerations, the
breadcrumb and the list of what a user may do now are all read from these rows. Documents at
the gates have a table of their own, and so have the steps (`pipeline.py`).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from domain import documents as d
from domain import events as e
from domain.pipeline import DUE_AFTER, START_OF, WORK_AT, WRITING_AT
from domain.status import Gate, Part, Verdict
from domain.status import Status as S  # noqa: N817  # The table reads better narrow.


class GateDocument(NamedTuple):
    """The document that a person approves at a gate."""

    document: type[Struct]
    """Its structure."""
    written: type[e.SpecGenerated | e.PlanGenerated | e.TestsGenerated]
    """The event that records it, and takes the feature to the gate."""
    edited: type[e.SpecEdited | e.PlanEdited | e.TestsEdited]
    """The event that records another version of it, by a person at the gate."""
    approved: type[e.SpecApproved | e.PlanApproved | e.TestsApproved]
    """The event that records a person's yes."""
    status: S
    """Where the feature stands while it waits for that."""


DOCUMENTS: Final[Mapping[Gate, GateDocument]] = {
    Gate.SPEC: GateDocument(d.Spec, e.SpecGenerated, e.SpecEdited, e.SpecApproved, S.SPEC_READY),
    Gate.PLAN: GateDocument(d.Plan, e.PlanGenerated, e.PlanEdited, e.PlanApproved, S.PLAN_READY),
    Gate.TESTS: GateDocument(
        d.Tests, e.TestsGenerated, e.TestsEdited, e.TestsApproved, S.TESTS_READY
    ),
}
"""In the order in which a person comes to the gates."""
GATE_STATUS: Final[Mapping[S, Gate]] = {row.status: gate for gate, row in DOCUMENTS.items()}
"""The gate at each status where a person decides."""
EDITED_AT: Final[Mapping[type[e.FeatureEvent], Gate]] = {
    row.edited: gate for gate, row in DOCUMENTS.items()
}
"""The gate of each event that records a person's version of a document."""
WRITTEN_AT: Final[Mapping[type[e.FeatureEvent], Gate]] = {
    **{row.written: gate for gate, row in DOCUMENTS.items()},
    **EDITED_AT,
}
"""The gate of each event that records a document, whoever wrote it."""
APPROVED_AT: Final[Mapping[type[e.FeatureEvent], Gate]] = {
    row.approved: gate for gate, row in DOCUMENTS.items()
}
"""The gate of each event that records an approval."""

DRAFTABLE: Final = frozenset({S.DRAFTING})
GATES: Final = frozenset(GATE_STATUS)
WORKING: Final = frozenset(WORK_AT)
"""Where it is an agent's turn; each of these can end in `failed`."""
ENDED: Final = frozenset({S.DONE, S.FAILED})
ALIVE: Final = frozenset(S) - {S.DELETED}
ANYWHERE: Final = frozenset(S)
STAYS: Final = frozenset[S]()


class Transition(NamedTuple):
    """From where an event may happen, and where it leaves the feature."""

    sources: frozenset[S | None]
    targets: frozenset[S]
    """Empty: it stays. Several: the event itself says which."""
    checkpoint: bool
    """Whether a person may later go back to right after it, unless it leaves the feature failed."""


def _row(
    sources: S | frozenset[S] | None, targets: S | frozenset[S], *, checkpoint: bool = False
) -> Transition:
    return Transition(
        frozenset(sources) if isinstance(sources, frozenset) else frozenset({sources}),
        targets if isinstance(targets, frozenset) else frozenset({targets}),
        checkpoint,
    )


def _mark(sources: S | frozenset[S] | None, targets: S | frozenset[S]) -> Transition:
    """A row whose event is a checkpoint."""
    return _row(sources, targets, checkpoint=True)


LIFECYCLE: Final[Mapping[type[e.FeatureEvent], Transition]] = {
    #                            from                    to
    e.FeatureCreated: _mark(None, S.DRAFTING),
    e.FeatureForked: _row(None, S.DRAFTING),
    e.PartCarried: _row(DRAFTABLE | GATES, GATES),
    e.FeatureRenamed: _row(ALIVE, STAYS),
    e.FeatureDeleted: _row(ALIVE, S.DELETED),
    e.MessagePosted: _row(DRAFTABLE | GATES | ENDED, STAYS),
    e.AgentReplied: _mark(DRAFTABLE | GATES | ENDED, STAYS),
    e.BriefConfirmed: _mark(S.DRAFTING, S.SPEC_GENERATING),
    e.BriefRevised: _mark(GATES | ENDED, S.SPEC_GENERATING),
    e.StepStarted: _row(ALIVE, frozenset(START_OF.values())),
    e.AttemptFailed: _row(ALIVE, STAYS),
    e.RunDiscarded: _row(ANYWHERE, STAYS),
    e.SpecGenerated: _mark(S.SPEC_GENERATING, S.SPEC_READY),
    e.SpecApproved: _mark(S.SPEC_READY, S.SPEC_APPROVED),
    e.PlanGenerated: _mark(S.PLAN_GENERATING, S.PLAN_READY),
    e.PlanApproved: _mark(S.PLAN_READY, S.PLAN_APPROVED),
    e.TestsGenerated: _mark(S.TESTS_GENERATING, S.TESTS_READY),
    e.TestsApproved: _mark(S.TESTS_READY, S.TESTS_APPROVED),
    e.RewriteRequested: _mark(GATES, frozenset(WRITING_AT.values())),
    e.SpecEdited: _mark(S.SPEC_READY, S.SPEC_READY),
    e.PlanEdited: _mark(S.PLAN_READY, S.PLAN_READY),
    e.TestsEdited: _mark(S.TESTS_READY, S.TESTS_READY),
    e.ApprovalRenewed: _mark(GATES, STAYS),
    e.RecommendationMade: _mark(GATES, STAYS),
    e.FeatureTitled: _row(ALIVE, STAYS),
    e.ImplementationCompleted: _mark(S.IMPLEMENTING, S.REVIEW),
    e.SecurityReviewed: _row(S.REVIEW, STAYS),
    e.CodeReviewed: _row(S.REVIEW, STAYS),
    e.VerdictReached: _mark(S.REVIEW, frozenset({S.DONE, S.FAILED})),
    e.MendingStarted: _mark(S.FAILED, S.IMPLEMENTING),
    e.MendingStopped: _row(S.FAILED, STAYS),
    e.StepAbandoned: _row(ALIVE, STAYS),
    e.FeatureFailed: _row(WORKING, S.FAILED),
    e.FeatureRetried: _row(S.FAILED, WORKING),
    e.FeatureReplayed: _row(ALIVE, ALIVE - {S.FAILED}),
    e.WorkStopped: _row(ALIVE, STAYS),
    e.WorkResumed: _row(ALIVE, STAYS),
}

GATE_BY_PART: Final[Mapping[Part, S]] = {
    Part(gate.value): row.status for gate, row in DOCUMENTS.items()
}
"""Where a carried deliverable takes a fork: to its gate and never beyond. Other parts stay."""


def target_of(event: e.FeatureEvent) -> S | None:
    """Where an event moves the feature, or None if it stays. Never raises."""
    match event:
        case e.FeatureRetried(restored=content) | e.FeatureReplayed(restored=content):
            return content.status
        case e.RewriteRequested(gate=gate):
            return WRITING_AT[gate]
        case e.StepStarted(attempt=attempt):
            return START_OF.get(attempt.step)
        case e.PartCarried(part=part):
            return GATE_BY_PART.get(part)
        case e.VerdictReached(verdict=verdict):
            return S.DONE if verdict is Verdict.PASS else S.FAILED
        case _:
            return next(iter(LIFECYCLE[type(event)].targets), None)


ACTIONS: Final[Mapping[str, type[e.FeatureEvent] | None]] = {
    "discuss": e.MessagePosted,
    "confirm": e.BriefConfirmed,
    "revise": e.BriefRevised,
    "rewrite": e.RewriteRequested,
    "retry": e.FeatureRetried,
    "replay": e.FeatureReplayed,
    "fork": e.FeatureReplayed,
    "rename": e.FeatureRenamed,
    "delete": e.FeatureDeleted,
    "stop": e.WorkStopped,
    "resume": e.WorkResumed,
}
"""A user's word for a command, and the event that decides whether it is legal.

A fork begins another feature: what can be gone back to can be forked.
"""
SETS_TO_WORK: Final = frozenset({*DUE_AFTER, e.FeatureRetried, e.RewriteRequested})
"""Events that a stop holds up, because agents work after them. A replay puts an end to the stop."""


def actions_at(status: S, *, due: bool = False, stopped: bool = False) -> tuple[str, ...]:
    """What a user may do now, read from the table.

    Args:
        status: Where the feature stands.
        due: Whether a step waits or runs there, which could be stopped.
        stopped: Whether work is stopped: nothing that would go on with it is legal then.
    """
    legal = {name: event for name, event in ACTIONS.items() if event}
    legal = {name: event for name, event in legal.items() if status in LIFECYCLE[event].sources}
    if stopped:
        legal = {name: event for name, event in legal.items() if event not in SETS_TO_WORK}
    offered = {"stop": due and not stopped, "resume": stopped}
    approve = ("approve", "edit") if status in GATES and not stopped else ()
    download = ("download",) if status is S.DONE else ()
    return (*approve, *(name for name in legal if offered.get(name, True)), *download)
