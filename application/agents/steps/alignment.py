"""The alignment reviewer advises at a gate; what was lost and added is computed by code.

Invariant: ids that the advice cites exist; what is lost, left out, added and in doubt does not
depend on the model.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from application.agents.checks.fidelity import fidelity_notes
from application.agents.step_inputs import StepInputs
from application.agents.steps.need import needed
from application.agents.steps.step_context import StepContext
from application.agents.submission import obtain
from application.agents.tools import SUBMIT_RECOMMENDATION
from domain import commands as c
from domain.documents import AgentDocument, Alignment, Cited, Plan, Reason, Spec, Tests
from domain.pipeline import GATE_OF
from domain.runs import Run
from domain.status import Gate

LONGEST_SUMMARY = 80
"""Words."""
LONGEST_NOTE = 500
"""Characters of a sentence beside the advice."""
MOST_NOTES = 40

_TASK = (
    "Compare the deliverable with what it was made from, and hand over your recommendation with "
    "`submit_recommendation`."
)


async def advise(work: StepContext) -> c.RecordRecommendation:
    """The recommendation for the document at the gate."""
    gate = GATE_OF[work.step]

    async def check(alignment: Alignment) -> list[str]:
        words = len(alignment.summary.split())
        if words <= LONGEST_SUMMARY:
            return []
        return [f"The summary has {words} words; at most {LONGEST_SUMMARY} are allowed."]

    exchange = work.exchange(_TASK)
    alignment = await obtain(exchange, SUBMIT_RECOMMENDATION, Alignment, check)
    lost, added = lost_and_added(gate, work.material)
    left_out = _left_out(work.material.spec) if gate is Gate.SPEC else ()
    said = sentences_of(work.material)
    return c.RecordRecommendation(
        attempt=work.attempt,
        run=Run(),
        gate=gate,
        content_sha256=work.material.content_sha256(gate),
        document=_citing(alignment, _known(work.material)),
        manifest_sha256=work.manifest_sha256,
        lost=lost,
        added=added,
        left_out=left_out,
        notes=await _notes(work) if gate is Gate.SPEC else (),
        cited=tuple(Cited(i, said[i]) for i in (*lost, *left_out, *added) if i in said),
    )


async def _notes(work: StepContext) -> tuple[str, ...]:
    """What of the points the specification seems to have bent."""
    material, spec = work.material, needed(work.material.spec)
    before = material.previous_reading.points if material.previous_reading else ()
    found = await work.context.compute(
        fidelity_notes, spec, material.points, material.previous_spec, before
    )
    return tuple(note[:LONGEST_NOTE] for note in found[:MOST_NOTES])


def sentences_of(material: StepInputs) -> dict[str, str]:
    """What each id of the documents stands for, in words."""
    said: dict[str, str] = {}
    for spec in (material.previous_spec, material.spec):
        for need in spec.requirements if spec else ():
            said[need.id] = f"{need.actor}: {need.trigger} → {need.response}"[:LONGEST_NOTE]
    return said | {point.id: point.text[:LONGEST_NOTE] for point in material.points}


def lost_and_added(gate: Gate, material: StepInputs) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids that this document dropped and brought in, against its source and its last version.

    Against its source: points of the brief that a spec neither answers nor leaves out by name,
    requirements that no task of a plan builds, requirements and criteria that no test covers.
    Against the version of an earlier epoch: requirements that it had or that are new.
    """
    now = set(_references(material.documents.get(gate)))
    by_name = set(_excluded(material.spec)) if gate is Gate.SPEC else set[str]()
    lost = {ident for ident in _source(gate, material) if ident not in now | by_name}
    previous = material.previous.get(gate)
    added: set[str] = set()
    if previous is not None:
        before = {ident for ident in _references(previous) if not ident.startswith("BF-")}
        current = {ident for ident in now if not ident.startswith("BF-")}
        lost |= before - current
        added |= current - before
    return _in_order(lost), _in_order(added)


def _excluded(spec: Spec | None) -> Iterable[str]:
    return (ident for each in (spec.out_of_scope if spec else ()) for ident in each.sources)


def _left_out(spec: Spec | None) -> tuple[str, ...]:
    """Points that are left out on purpose, and answered by nothing else."""
    answered = {ident for need in (spec.requirements if spec else ()) for ident in need.sources}
    return _in_order(set(_excluded(spec)) - answered)


def _references(document: AgentDocument | None) -> Iterable[str]:
    """The ids that a document carries on, and those it defines for the ones after it."""
    match document:
        case Spec():
            for requirement in document.requirements:
                yield requirement.id
                yield from requirement.sources
        case Plan():
            for task in document.tasks:
                yield from task.requirements
        case Tests():
            for file in document.files:
                yield from file.covers
        case _:
            return


def _source(gate: Gate, material: StepInputs) -> Iterable[str]:
    if gate is Gate.SPEC:
        return [point.id for point in material.points]
    if material.spec is None:
        return []
    requirements = [r.id for r in material.spec.requirements]
    if gate is Gate.PLAN:
        return requirements
    covered = set(_references(material.tests))
    return [
        ident
        for r in material.spec.requirements
        if not covered & {r.id, *(x.id for x in r.criteria)}
        for ident in [r.id]
    ]


def _known(material: StepInputs) -> set[str]:
    known = {point.id for point in material.points}
    for spec in (material.spec, material.previous_spec):
        for requirement in spec.requirements if spec else ():
            known |= {requirement.id, *(x.id for x in requirement.criteria)}
    for plan in (material.plan, material.previous.get(Gate.PLAN)):
        known |= {task.id for task in plan.tasks} if isinstance(plan, Plan) else set()
    return known


def _citing(alignment: Alignment, known: set[str]) -> Alignment:
    reasons = tuple(
        Reason(reason.text, tuple(ident for ident in reason.ids if ident in known))
        for reason in alignment.reasons
    )
    return replace(alignment, reasons=reasons)


def _in_order(ids: set[str]) -> tuple[str, ...]:
    def place(ident: str) -> tuple[str, int]:
        kind, _, number = ident.partition("-")
        return kind, int(number)

    return tuple(sorted(ids, key=place))
