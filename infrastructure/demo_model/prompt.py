"""Reads a request: who is asked, with what, and what became of its earlier tool calls.

Invariant: an input's data never opens another input; JSON ends where JSON ends.
"""

import json
import re
from typing import Any

from msgspec import Struct

from infrastructure.demo_model.provider_rules import conversation, refusal_of
from infrastructure.demo_model.reply import tokens_of

AGENT = re.compile(r"\A\s*# Agent:\s*([a-z_]+)")
OPENING = re.compile(r'<input name="([a-z_]+)"[^<>]*>\s*')
CLOSING = "</input>"


class PastCall(Struct, frozen=True):
    """A tool call of an earlier turn; `refused` when its result was an error."""

    name: str
    input: dict[str, Any]
    refused: bool


class Ask(Struct, frozen=True):
    """A request, read."""

    agent: str
    model: str
    max_tokens: int
    stream: bool
    inputs: dict[str, Any]
    tools: frozenset[str]
    schemas: dict[str, Any]
    """Of each tool, by its name."""
    past: tuple[PastCall, ...]
    feedback: str
    """The text of the last turn of the user, if it is not the first one; inputs left out."""
    input_tokens: int
    thinking: str | None = None
    """How its thinking is shown, `summarized` or `omitted`; None where the request does not say:
    then it thinks in silence, and nothing of it comes back."""
    before: str = ""
    """The whole conversation, to which a thought is bound."""
    goes_on: bool = False
    """Whether this answers results of tools: then text before a call is part of the thinking."""


class InvalidRequest(ValueError):
    """The request is not one of the Messages API."""


def _texts(content: Any) -> str:  # noqa: ANN401 - JSON.
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(
        part if (part := block.get("text")) else _texts(block.get("content"))
        for block in content
        if isinstance(block, dict)
    )


def _inputs(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    decoder = json.JSONDecoder()
    start = 0
    while opening := OPENING.search(text, start):
        try:
            value, start = decoder.raw_decode(text, opening.end())
        except json.JSONDecodeError:
            end = text.find("</input", opening.end())
            start = end if end >= 0 else len(text)
            value = text[opening.end() : start].strip()
        found.setdefault(opening[1], value)
    return found


def _outside(text: str) -> str:
    """A text without its inputs."""
    kept: list[str] = []
    start = 0
    while opening := OPENING.search(text, start):
        end = text.find(CLOSING, opening.end())
        if end < 0:
            break
        kept.append(text[start : opening.start()])
        start = end + len(CLOSING)
    return "".join([*kept, text[start:]])


def _written(later: list[dict[str, Any]]) -> dict[str, Any]:
    """What the harness says is written, the last time it says so: in its own words only."""
    blocks = [
        block.get("text", "")
        for message in later
        if message.get("role") == "user" and isinstance(message.get("content"), list)
        for block in message["content"]
        if block.get("type") == "text"
    ]
    told = [found["written"] for text in blocks if "written" in (found := _inputs(text))]
    return {"written": told[-1]} if told else {}


def _past(messages: list[dict[str, Any]]) -> tuple[PastCall, ...]:
    blocks = [
        block
        for message in messages
        if isinstance(message.get("content"), list)
        for block in message["content"]
    ]
    refused = {b.get("tool_use_id") for b in blocks if b.get("is_error")}
    return tuple(
        PastCall(
            b["name"], b["input"] if isinstance(b.get("input"), dict) else {}, b["id"] in refused
        )
        for b in blocks
        if b.get("type") == "tool_use"
    )


def _check(request: dict[str, Any]) -> None:
    """Refuse what the provider refuses."""
    refused = refusal_of(request)
    if refused is not None:
        raise InvalidRequest(refused)


def read_request(body: bytes) -> Ask:
    """Read the body of `POST /v1/messages`.

    Raises:
        InvalidRequest: it is no JSON, lacks the model, the messages or `max_tokens`, or is one
            that the provider refuses; see `provider_rules`.
    """
    try:
        request = json.loads(body)
        messages = request["messages"]
        first = _texts(messages[0]["content"])
        system = request.get("system", "")
        agent = AGENT.match(system if isinstance(system, str) else _texts(system[:1]))
        last = messages[-1]
        _check(request)
        shown = request.get("thinking")
        return Ask(
            agent=agent[1] if agent else "",
            model=str(request["model"]),
            max_tokens=int(request.get("max_tokens", 1)),
            stream=bool(request.get("stream")),
            inputs={**_inputs(first), **_written(messages[1:])},
            tools=frozenset(tool["name"] for tool in request.get("tools") or ()),
            schemas={tool["name"]: tool.get("input_schema") for tool in request.get("tools") or ()},
            past=_past(messages),
            feedback=_outside(_texts(last["content"])) if len(messages) > 1 else "",
            input_tokens=tokens_of(
                _texts(system) + json.dumps(messages) + json.dumps(request.get("tools") or "")
            ),
            thinking=shown.get("display", "omitted") if isinstance(shown, dict) else None,
            before=conversation(request),
            goes_on=isinstance(last["content"], list)
            and any(block.get("type") == "tool_result" for block in last["content"]),
        )
    except InvalidRequest:
        raise
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as wrong:
        raise InvalidRequest(f"{type(wrong).__name__}: the request is not valid") from wrong
