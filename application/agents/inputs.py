"""What each step reads: the inputs that its row in `STEPS` names, as JSON or as numbered lines.

Invariant: a request holds only inputs of the fingerprint, and what code derives from the same
files: static findings, and what is written so far.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from application.agents.checklist import shown, to_answer
from application.agents.prompting import PlainText, to_json
from application.agents.step_inputs import StepInputs
from domain.impact import ImpactKind
from domain.lifecycle import GATE_STATUS
from domain.pipeline import REVIEWS, row_of
from domain.status import Gate, Input, Step


def inputs_of(step: Step, material: StepInputs) -> dict[str, str]:
    """Name of each input to its JSON, in the order in which the agent reads them."""
    content = material.feature.content
    if step in REVIEWS:
        # A reviewer answers what the same review found before, not the other's findings.
        own = {one: report for one, report in material.reports.items() if one is step}
        before = tuple(
            {one: report for one, report in reports.items() if one is step}
            for reports in material.earlier_reports
        )
        material = replace(material, reports=own, earlier_reports=before)
    row = row_of(step, content.mode)
    gate = row.gate or (GATE_STATUS.get(content.status) if content.status else None)
    values = {one.value: VALUE_OF[one](material, gate) for one in row.reads}
    if Input.FROZEN in row.reads:
        values[Input.FROZEN.value] = _frozen(step, material)
    return {
        name: value if isinstance(value, PlainText) else to_json(value)
        for name, value in values.items()
        if value
    }


def files_value(files: Mapping[str, str]) -> list[dict[str, str]]:
    """Files as agents read them, in the order of their paths."""
    return [{"path": path, "content": files[path]} for path in sorted(files)]


def numbered(files: Mapping[str, str]) -> str:
    """Files as reviewers read them: a head for each, then its lines behind their numbers.

    No line of a file can be taken for a head, for each has its number in front; what else would
    break a line is written as an escape.
    """
    return "".join(f"\n{_numbered(path, files[path])}" for path in sorted(files)) + "\n"


def _numbered(path: str, content: str) -> str:
    lines = content.split("\n")
    if lines[-1] == "":
        lines.pop()
    head = f"=== {to_json(path)} ({len(lines)} lines)"
    return "\n".join(
        (head, *(f"{n}| {line.translate(_BREAKS)}" for n, line in enumerate(lines, start=1)))
    )


_BREAKS: Final = {ord(sign): ascii(sign)[1:-1] for sign in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"}


def _conversation(material: StepInputs) -> list[dict[str, str]]:
    return [{"id": m.message_id, "role": m.role, "text": m.text} for m in material.conversation]


def _comments(material: StepInputs) -> list[dict[str, Any]]:
    return [
        {"comment": number, "about": one.target, "kind": one.kind, "text": one.text}
        for number, one in enumerate(material.comments, start=1)
    ]


def _earlier(material: StepInputs) -> list[dict[str, Any]]:
    return [
        point for step in REVIEWS for point in shown(to_answer(step, *material.reports_of(step)))
    ]


def _reviews(material: StepInputs) -> list[dict[str, Any]]:
    return [
        {"review": step.removesuffix("_review"), "report": material.reports[step]}
        for step in REVIEWS
        if step in material.reports
    ]


def _earlier_reviews(material: StepInputs) -> list[dict[str, Any]]:
    """The findings alone: what was answered to each control then is of no use now."""
    return [
        {
            "round": number,
            "review": step.removesuffix("_review"),
            "findings": reports[step].findings,
        }
        for number, reports in enumerate(material.earlier_reports)
        for step in REVIEWS
        if step in reports
    ]


_FROZEN: Final[Mapping[Step, tuple[ImpactKind, ...]]] = {
    Step.SPEC: (ImpactKind.REQUIREMENTS,),
    Step.PLAN: (ImpactKind.TASKS, ImpactKind.FILES, ImpactKind.INTERFACES),
    Step.TESTS: (ImpactKind.TESTS,),
    Step.IMPLEMENT: (ImpactKind.FILES,),
}
"""What each step must leave as it is."""


def _frozen(step: Step, material: StepInputs) -> list[str]:
    if material.standing is None:
        return []
    stays = material.standing.impact.stays
    return [ident for kind in _FROZEN.get(step, ()) for ident in stays.get(kind, ())]


def _document(gate: Gate) -> Callable[[StepInputs, Gate | None], Any]:
    return lambda material, _: material.documents.get(gate)


def _previous(gate: Gate) -> Callable[[StepInputs, Gate | None], Any]:
    return lambda material, _: material.previous.get(gate)


VALUE_OF: Final[Mapping[Input, Callable[[StepInputs, Gate | None], Any]]] = {
    Input.STATUS: lambda material, _: material.feature.status or "drafting",
    Input.GATE: lambda _, gate: gate,
    Input.BRIEF: lambda material, _: material.brief,
    Input.POINTS: lambda material, _: material.points,
    Input.DELIVERABLE: lambda material, gate: material.documents.get(gate) if gate else None,
    Input.CONVERSATION: lambda material, _: _conversation(material),
    Input.COMMENTS: lambda material, _: _comments(material),
    Input.FILES: lambda material, _: PlainText(numbered(material.files)),
    Input.FROZEN: lambda _material, _gate: [],
    Input.EARLIER_FINDINGS: lambda material, _: _earlier(material),
    Input.PREVIOUS_FILES: lambda material, _: files_value(material.previous_files),
    Input.ACCEPTED_FILES: lambda material, _: files_value(material.accepted_files),
    Input.REFUSED_FILES: lambda material, _: material.refused_files,
    Input.REVIEWS: lambda material, _: _reviews(material),
    Input.EARLIER_REVIEWS: lambda material, _: _earlier_reviews(material),
    Input.MAY_CHANGE: lambda material, _: material.may_change,
    **{Input(gate.value): _document(gate) for gate in Gate},
    **{Input(f"previous_{gate}"): _previous(gate) for gate in Gate},
}
"""How each input is made of the material and the gate that the step is about."""
