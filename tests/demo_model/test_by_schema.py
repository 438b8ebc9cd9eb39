"""An agent that the demo model has no author for is answered in the shape its tool asks for."""

import json

from application.agents.tools import schema_of
from domain.documents import Report, Spec
from infrastructure.demo_model.author import write
from infrastructure.demo_model.author.by_schema import DEEPEST, filled
from infrastructure.demo_model.prompt import read_request
from infrastructure.demo_model.reply import ReplyText
from tests.demo_model.asking import call, request


def test_what_a_schema_requires_is_there_and_nothing_else():
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "kind": {"enum": ["a", "b"]},
            "sizes": {"type": "array", "items": {"type": "integer"}},
            "open": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            "left_out": {"type": "string"},
        },
        "required": ["name", "kind", "sizes", "open"],
    }
    assert filled(schema, "x") == {"name": "x", "kind": "a", "sizes": [1], "open": False}
    assert filled(schema_of(Report), "x") == {"summary": "x"}
    assert filled(schema_of(Spec), "x").keys() == {"title", "summary", "requirements"}


def test_a_schema_that_goes_on_for_ever_comes_to_an_end():
    circle = {"type": "array"}
    circle["items"] = circle
    found, depth = filled(circle, "x"), 0
    while isinstance(found, list):
        (found,), depth = found, depth + 1
    assert (found, depth) == (None, DEEPEST + 1)


def asked(agent, tools):
    body = {**request(agent), "tools": tools}
    return write(read_request(json.dumps(body).encode()))


def test_an_unknown_agent_with_a_tool_is_answered_and_one_without_is_told():
    tool = {"name": "submit", "input_schema": schema_of(Report)}
    assert call(asked("somebody_new", [tool]), "submit").keys() == {"summary"}
    for tools in ([], [{"name": "submit"}]):
        (block,) = asked("somebody_new", tools).blocks
        assert isinstance(block, ReplyText)
