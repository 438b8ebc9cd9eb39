"""Writes what each agent answers, from the request alone.

Invariant: the same request, with the same fault, gets the same answer.
"""

from typing import Any

from domain import documents as d
from infrastructure.demo_model.author.alignment import write_alignment
from infrastructure.demo_model.author.brief import text_of
from infrastructure.demo_model.author.by_schema import filled
from infrastructure.demo_model.author.commented import (
    commented_plan,
    commented_spec,
    commented_tests,
    comments_in,
)
from infrastructure.demo_model.author.contract_tests import write_tests
from infrastructure.demo_model.author.conversation import converse
from infrastructure.demo_model.author.frozen import hold_plan, hold_spec, hold_tests
from infrastructure.demo_model.author.implementer import implement
from infrastructure.demo_model.author.plan import write_plan
from infrastructure.demo_model.author.reviews import failing_review, write_review
from infrastructure.demo_model.author.spec import write_spec
from infrastructure.demo_model.author.spoiled import SPOIL
from infrastructure.demo_model.author.titles import title_of
from infrastructure.demo_model.prompt import Ask
from infrastructure.demo_model.reply import Call, Reply, ReplyText, within

REVIEWERS = ("security_review", "code_review")


def write(ask: Ask, fault: str = "ok") -> Reply:
    """The answer to a request, as the fault leaves it, cut off at its `max_tokens`.

    Raises:
        msgspec.ValidationError: an input that the agent needs is missing or of another shape.
    """
    reply = _right(ask, fail=fault == "review_fail")
    if fault in SPOIL:
        reply = SPOIL[fault](reply)
    return within(reply, ask.max_tokens)


def _right(ask: Ask, *, fail: bool) -> Reply:
    inputs: dict[str, Any] = ask.inputs
    document: d.AgentDocument
    match ask.agent:
        case "ba":
            return converse(inputs, ask.tools)
        case "implementer":
            return implement(ask)
        case "spec":
            commented = bool(comments_in(inputs)) and "previous_spec" in inputs
            name = "submit_spec"
            document = (
                commented_spec(inputs) if commented else hold_spec(write_spec(inputs), inputs)
            )
        case "planner":
            commented = bool(comments_in(inputs)) and "previous_plan" in inputs
            name = "submit_plan"
            document = (
                commented_plan(inputs) if commented else hold_plan(write_plan(inputs), inputs)
            )
        case "contract_test":
            commented = bool(comments_in(inputs)) and "previous_tests" in inputs
            name = "submit_tests"
            document = (
                commented_tests(inputs) if commented else hold_tests(write_tests(inputs), inputs)
            )
        case "security_review" | "code_review":
            name = "submit_review"
            document = (failing_review if fail else write_review)(ask.agent, inputs)
        case "alignment_review":
            name, document = "submit_recommendation", write_alignment(inputs, refuse=fail)
        case "title":
            known = text_of(inputs.get("brief")) or text_of(inputs.get("spec"))
            name, document = "submit_title", d.Title(title_of(known))
        case _:
            return _by_schema(ask)
    return Reply((Call.of(name, document),))


def _by_schema(ask: Ask) -> Reply:
    """An agent that has a tool, and no author here."""
    text = "This is the demo model. It writes little for this agent."
    for name, schema in ask.schemas.items():
        if ask.agent and isinstance(schema, dict):
            return Reply((Call.of(name, filled(schema, text)),))
    return Reply((ReplyText("This is the demo model. It knows the agents of this service only."),))
