"""Which documents each step reads.

Invariant: what stands in no manifest stands in no request, except what code derives from the same
files: static findings, and what is written so far.
"""

from collections.abc import Mapping
from typing import Any

from application.agents.material import Material
from application.agents.points import points_of
from application.agents.prompting import to_json
from domain.documents import Report
from domain.feature import GATE_STATUS
from domain.pipeline import GATE_OF
from domain.status import Gate, Step


def inputs_of(step: Step, material: Material) -> dict[str, str]:
    """Name of each input to its JSON, in the order in which the agent reads them."""
    found = {name: value for name, value in _values(step, material).items() if value}
    return {name: to_json(value) for name, value in found.items()}


def _values(step: Step, material: Material) -> Mapping[str, Any]:
    match step:
        case Step.CONVERSE:
            return _conversation(material)
        case Step.SPEC:
            return {
                "brief": material.brief,
                "points": points_of(material.brief),
                "previous_spec": material.previous_spec,
            }
        case Step.PLAN:
            return {"spec": material.spec, "previous_plan": material.previous_plan}
        case Step.TESTS:
            return {
                "spec": material.spec,
                "plan": material.plan,
                "previous_tests": material.previous_tests,
            }
        case Step.IMPLEMENT:
            return {
                "spec": material.spec,
                "plan": material.plan,
                "tests": material.tests,
                "previous_files": files_value(material.previous_files),
                "reviews": _reviews(material),
            }
        case Step.SECURITY_REVIEW | Step.CODE_REVIEW:
            return {
                "spec": material.spec,
                "plan": material.plan,
                "files": files_value(material.files),
            }
        case Step.ALIGN_SPEC | Step.ALIGN_PLAN | Step.ALIGN_TESTS:
            return _alignment(GATE_OF[step], material)
        case Step.TITLE:
            return {"brief": material.brief}


def _conversation(material: Material) -> dict[str, Any]:
    status = material.feature.status
    gate = GATE_STATUS.get(status) if status else None
    return {
        "status": status.value if status else "drafting",
        "brief": material.brief,
        "gate": gate.value if gate else "",
        "deliverable": material.document(gate) if gate else None,
        "conversation": [
            {"id": m.message_id, "role": m.role, "text": m.text} for m in material.conversation
        ],
    }


def _alignment(gate: Gate, material: Material) -> dict[str, Any]:
    inputs: dict[str, Any] = {"gate": gate.value, "brief": material.brief}
    inputs["points"] = points_of(material.brief)
    if gate is not Gate.SPEC:
        inputs["spec"] = material.spec
    if gate is Gate.TESTS:
        inputs["plan"] = material.plan
    previous = {
        Gate.SPEC: ("previous_spec", material.previous_spec),
        Gate.PLAN: ("previous_plan", material.previous_plan),
        Gate.TESTS: ("previous_tests", material.previous_tests),
    }
    name, value = previous[gate]
    return {**inputs, name: value, "deliverable": material.document(gate)}


def files_value(files: Mapping[str, str]) -> list[dict[str, str]]:
    """Files as agents read them, in the order of their paths."""
    return [{"path": path, "content": files[path]} for path in sorted(files)]


def _reviews(material: Material) -> list[dict[str, Any]]:
    def one(review: str, report: Report | None) -> list[dict[str, Any]]:
        return [] if report is None else [{"review": review, "report": report}]

    return [*one("security", material.security_report), *one("code", material.code_report)]
