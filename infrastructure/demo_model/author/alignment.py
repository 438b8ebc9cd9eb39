"""Advises at a gate. Invariant: REVISE exactly when an id that must be answered is missing."""

import json
import re
from typing import Any

from domain import documents as d
from domain.status import Recommendation
from infrastructure.demo_model.author.brief import points_of

IDS = re.compile(r"\b(?:BF|FR|AC|T)-\d{1,4}\b")
ANY_ID = re.compile(r"[A-Z]{1,3}-\d{1,4}")
NEXT = {
    "spec": "says what will be built",
    "plan": "says which files will be written",
    "tests": "says how the code will be checked",
}


def ids_in(value: Any, prefix: str) -> list[str]:  # noqa: ANN401 - JSON.
    """The ids of a kind that stand anywhere in a value, in their order, each once."""
    text = value if isinstance(value, str) else json.dumps(value)
    return [i for i in dict.fromkeys(IDS.findall(text)) if i.startswith(f"{prefix}-")]


def _required(spec: Any) -> list[str]:  # noqa: ANN401 - JSON.
    if isinstance(spec, dict):
        return [str(r.get("id")) for r in spec.get("requirements") or () if isinstance(r, dict)]
    return ids_in(spec or "", "FR")


def write_alignment(inputs: dict[str, Any], *, refuse: bool = False) -> d.Alignment:
    """The advice for the deliverable at a gate; `refuse` makes it REVISE whatever it says."""
    gate = str(inputs.get("gate") or "spec")
    deliverable = inputs.get("deliverable")
    if deliverable is None:
        deliverable = inputs.get(gate) or ""
    asked = (
        [key for key, _ in points_of(inputs)] if gate == "spec" else _required(inputs.get("spec"))
    )
    answered = set(ids_in(deliverable, "BF" if gate == "spec" else "FR"))
    missing = [key for key in asked if key not in answered and ANY_ID.fullmatch(key)]
    if refuse:
        missing = missing or asked[:1]
    if missing:
        text = f"Nothing in the {gate} answers {', '.join(missing[:8])}."
        return d.Alignment(
            Recommendation.REVISE,
            (d.Reason(text, tuple(missing[:20])),),
            "The demo model compared ids, no more, and advises to revise: without an answer are "
            f"{len(missing)} of {len(asked)}. You decide.",
        )
    covered = tuple(key for key in asked if key in answered)
    return d.Alignment(
        Recommendation.APPROVE,
        (
            d.Reason(
                f"Points asked for and answered: {len(covered)} of {len(asked)}.", covered[:20]
            ),
        ),
        "The demo model compared ids, no more: none is left unanswered. This document "
        f"{NEXT.get(gate, 'is complete')}. Please read it yourself; you decide.",
    )
