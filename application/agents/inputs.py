"""What each step reads: the inputs that its row in `STEPS` names, as JSON.

Invariant: what stands in no manifest stands in no request, except what code derives from the same
files: static findings, and what is written so far.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from application.agents.prompting import to_json
from application.agents.step_inputs import StepInputs
from domain.lifecycle import GATE_STATUS
from domain.pipeline import REVIEWS, row_of
from domain.status import Gate, Input, Step


def inputs_of(step: Step, material: StepInputs) -> dict[str, str]:
    """Name of each input to its JSON, in the order in which the agent reads them."""
    content = material.feature.content
    row = row_of(step, content.mode)
    gate = row.gate or (GATE_STATUS.get(content.status) if content.status else None)
    values = {one.value: VALUE_OF[one](material, gate) for one in row.reads}
    return {name: to_json(value) for name, value in values.items() if value}


def files_value(files: Mapping[str, str]) -> list[dict[str, str]]:
    """Files as agents read them, in the order of their paths."""
    return [{"path": path, "content": files[path]} for path in sorted(files)]


def _conversation(material: StepInputs) -> list[dict[str, str]]:
    return [{"id": m.message_id, "role": m.role, "text": m.text} for m in material.conversation]


def _reviews(material: StepInputs) -> list[dict[str, Any]]:
    return [
        {"review": step.removesuffix("_review"), "report": material.reports[step]}
        for step in REVIEWS
        if step in material.reports
    ]


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
    Input.FILES: lambda material, _: files_value(material.files),
    Input.PREVIOUS_FILES: lambda material, _: files_value(material.previous_files),
    Input.REVIEWS: lambda material, _: _reviews(material),
    **{Input(gate.value): _document(gate) for gate in Gate},
    **{Input(f"previous_{gate}"): _previous(gate) for gate in Gate},
}
"""How each input is made of the material and the gate that the step is about."""
