"""Requests as the harness sends them, for tests of the demo model."""

import json
from pathlib import Path
from typing import Any

import msgspec

from infrastructure.demo_model.author import write
from infrastructure.demo_model.prompt import Ask, read_request
from infrastructure.demo_model.reply import Call, Reply

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.md"))
TOOLS = {
    "ba": ("ask_question", "propose_brief"),
    "spec": ("submit_spec",),
    "planner": ("submit_plan",),
    "contract_test": ("submit_tests",),
    "implementer": ("write_files", "report_blocked", "task_done"),
    "security_review": ("submit_review",),
    "code_review": ("submit_review",),
    "alignment_review": ("submit_recommendation",),
    "title": ("submit_title",),
}


def as_text(name: str, value: Any) -> str:
    """An input as it stands in the first message."""
    data = json.dumps(msgspec.to_builtins(value)).replace("<", "\\u003c")
    return f'<input name="{name}" nonce="n1">{data}</input>'


def request(agent: str, *later: dict[str, Any], max_tokens: int = 64_000, **inputs: Any) -> Any:
    """A request of the Messages API, as keyword arguments of the SDK."""
    first = "\n".join(as_text(name, value) for name, value in inputs.items()) + "\nYour task."
    tools = [
        {"name": name, "description": name, "input_schema": {"type": "object"}}
        for name in TOOLS.get(agent, ())
    ]
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": max_tokens,
        "system": [{"type": "text", "text": f"# Agent: {agent}\nYou are one of several."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": first}]}, *later],
        "tools": tools,
    }


def reading(agent: str, *later: dict[str, Any], **inputs: Any) -> Ask:
    """The request as the demo model reads it."""
    return read_request(json.dumps({**request(agent, *later, **inputs), "stream": True}).encode())


def answer(agent: str, *later: dict[str, Any], fault: str = "ok", **inputs: Any) -> Reply:
    """What the demo model answers."""
    return write(reading(agent, *later, **inputs), fault)


def call(reply: Reply, name: str) -> Any:
    """The input of the answer's call of a tool, which must be there."""
    (found,) = [b for b in reply.blocks if isinstance(b, Call) and b.name == name]
    return json.loads(found.raw)


def turn(reply: Reply, *, error: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer and the tool results that follow it, as the next two messages."""
    said, results = [], []
    for number, block in enumerate(reply.blocks):
        if isinstance(block, Call):
            key = f"toolu_{number}_{abs(hash(block.raw))}"
            said.append(
                {"type": "tool_use", "id": key, "name": block.name, "input": json.loads(block.raw)}
            )
            results.append(
                {
                    "type": "tool_result",
                    "tool_use_id": key,
                    "content": error or "ok",
                    "is_error": bool(error),
                }
            )
        else:
            said.append({"type": "text", "text": block.text})
    return {"role": "assistant", "content": said}, {"role": "user", "content": results}
