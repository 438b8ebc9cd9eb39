"""What the provider refuses of a request, and how its thinking blocks are bound.

As its pages on Opus 5.5, Sonnet 5.5 and Haiku 5.5 say it (platform.claude.com/docs/en/models,
"What's new", read in November 2026): no forced tool use, no thinking budget, no sampling
parameters, no prefilled answer; a thinking block is taken back only as it was, from the same model,
behind the very conversation that it was thought in.

Invariant: stateless. A signature is a hash over model, conversation so far and thought, so that any
process can tell whether a block that comes back is one of its own.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

EFFORTS: Final = frozenset({"low", "medium", "high", "xhigh", "max"})
DISPLAYS: Final = frozenset({"summarized", "omitted"})
SAMPLING: Final = ("temperature", "top_p", "top_k")
MOST_TOKENS: Final = 128_000
MARK: Final = "cache_control"
"""Says where to cache, and is no part of the conversation."""

Json = Mapping[str, Any]

if TYPE_CHECKING:
    from hashlib import _Hash as Hash


def refusal_of(request: Json) -> str | None:
    """Why the provider answers the request with a 400, or None if it does not."""
    for found in (
        _of_parameters(request),
        _of_messages(request.get("messages")),
        _of_thoughts(request),
    ):
        if found:
            return found
    return None


def _of_parameters(request: Json) -> str | None:
    choice = request.get("tool_choice") or {}
    if choice.get("type", "auto") not in {"auto", "none"}:
        return "tool_choice: forced tool use is not supported for this model"
    if sampling := [name for name in SAMPLING if name in request]:
        return f"{sampling[0]}: sampling parameters are not supported for this model"
    thinking = request.get("thinking") or {"type": "adaptive"}
    if thinking.get("type") not in {"adaptive", "between_tools"}:
        return f'"thinking.type.{thinking.get("type")}" is not supported for this model'
    if thinking.get("display", "omitted") not in DISPLAYS:
        return "thinking.display: must be `summarized` or `omitted`"
    effort = (request.get("output_config") or {}).get("effort", "medium")
    if effort not in EFFORTS:
        return f"output_config.effort: must be one of {', '.join(sorted(EFFORTS))}"
    if not 1 <= int(request.get("max_tokens", 1)) <= MOST_TOKENS:
        return f"max_tokens: must be from 1 to {MOST_TOKENS}"
    return None


def _of_messages(messages: Any) -> str | None:  # noqa: ANN401 - JSON.
    if not messages or messages[-1].get("role") != "user":
        return "messages: the conversation must end with a user message"
    asked: set[str] = set()
    for message in messages:
        blocks = _blocks(message)
        answered = {b.get("tool_use_id") for b in blocks if b.get("type") == "tool_result"}
        if message.get("role") == "user" and asked != answered:
            return "messages: each tool_use must have its tool_result in the next message"
        asked = {b["id"] for b in blocks if b.get("type") == "tool_use"}
        if any(b.get("type") == "text" and not b.get("text", "").strip() for b in blocks):
            return "messages: text content blocks must contain non-whitespace text"
        if message.get("role") == "assistant" and blocks and blocks[-1].get("type") == "thinking":
            return "messages: the final block in an assistant message cannot be `thinking`"
    return None


def _of_thoughts(request: Json) -> str | None:
    standing = _begun(request)
    for place, message in enumerate(request["messages"]):
        before = standing.hexdigest()
        for index, block in enumerate(_blocks(message)):
            if block.get("type") != "thinking":
                continue
            bound = signature(str(request.get("model")), before, block.get("thinking"))
            if block.get("signature") != bound:
                return (
                    f"messages.{place}.content.{index}: `thinking` blocks must be passed back as "
                    "they were, to the model and in the conversation that produced them"
                )
        standing.update(_text(message))
    return None


def conversation(request: Json) -> str:
    """A hash over all that stands before an answer; marks for the cache are no part of it."""
    standing = _begun(request)
    for message in request["messages"]:
        standing.update(_text(message))
    return standing.hexdigest()


def signature(model: str, before: str, thought: object) -> str:
    """What binds a thought to its model and to what stood before it.

    Args:
        model: Who thinks.
        before: The conversation, as `conversation` gives it.
        thought: Its text; empty where it is not shown.
    """
    return sha256(json.dumps([model, before, thought]).encode()).hexdigest()


def _begun(request: Json) -> "Hash":
    return sha256(_text([request.get("system"), request.get("tools")]))


def _text(value: object) -> bytes:
    return json.dumps(_plain(value), sort_keys=True).encode()


def _blocks(message: Json) -> list[dict[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON.
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if key != MARK}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
