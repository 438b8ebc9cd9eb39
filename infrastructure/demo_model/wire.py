"""The provider's words: server-sent events, messages, errors and the list of models.

Shapes as in the SDK pinned by this project (`anthropic/types`).
"""

import json
from collections.abc import Iterator
from typing import Any

from infrastructure.demo_model.answering import Answered
from infrastructure.demo_model.reply import Call, Reply, ReplyText, Thought, body_of, tokens_of

MODELS = (
    ("claude-opus-5-5", "Demo model in place of Claude Opus 5.5", 128_000),
    ("claude-sonnet-5-5", "Demo model in place of Claude Sonnet 5.5", 128_000),
    ("claude-haiku-5-5", "Demo model in place of Claude Haiku 5.5", 128_000),
)
SMALLEST, MOST = 24, 160
"""A piece of a block has at least so many characters; a block has at most so many pieces."""


def encode(value: object) -> bytes:
    """JSON as it goes over the wire."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sse(kind: str, **body: object) -> bytes:
    """One server-sent event."""
    return b"event: " + kind.encode() + b"\ndata: " + encode({"type": kind, **body}) + b"\n\n"


def error(kind: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """An error's body."""
    named = {"type": kind, "message": message, **({"details": details} if details else {})}
    return {"type": "error", "error": named}


def model_info(name: str, display: str, limit: int) -> dict[str, Any]:
    """One entry of the list of models."""
    return {
        "type": "model",
        "id": name,
        "display_name": display,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 1_000_000,
        "max_tokens": limit,
    }


def output_tokens(reply: Reply) -> int:
    """What an answer is billed for."""
    return max(1, sum(tokens_of(body_of(block)) for block in reply.blocks))


def _pieces(body: str) -> Iterator[str]:
    size = max(SMALLEST, -(-len(body) // MOST))
    return (body[start : start + size] for start in range(0, len(body), size))


def _head(answer: Answered, digest: str) -> dict[str, Any]:
    return {
        "id": f"msg_demo_{digest[:24]}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": 1},
    }


def _stop_details(reply: Reply) -> dict[str, Any]:
    if reply.stopped != "refusal":
        return {}
    words = "The demo model was told to refuse."
    return {"stop_details": {"type": "refusal", "category": "general_harms", "explanation": words}}


def events(answer: Answered, digest: str) -> Iterator[bytes]:
    """An answer as its stream of events. The block of a cut answer is closed all the same."""
    reply = answer.reply
    yield sse("message_start", message=_head(answer, digest))
    yield sse("ping")
    for index, block in enumerate(reply.blocks):
        start, kind, field = _opening(block, f"toolu_demo_{digest[:20]}{index}")
        yield sse("content_block_start", index=index, content_block=start)
        for piece in _pieces(body_of(block)):
            yield sse("content_block_delta", index=index, delta={"type": kind, field: piece})
        if isinstance(block, Thought):
            signed = {"type": "signature_delta", "signature": block.signature}
            yield sse("content_block_delta", index=index, delta=signed)
        yield sse("content_block_stop", index=index)
    ends = {"stop_reason": reply.stopped, "stop_sequence": None, **_stop_details(reply)}
    yield sse("message_delta", delta=ends, usage={"output_tokens": output_tokens(reply)})
    yield sse("message_stop")


def _opening(block: ReplyText | Call | Thought, identity: str) -> tuple[dict[str, Any], str, str]:
    """How a block begins, and the kind and the field of what is added to it."""
    match block:
        case ReplyText():
            return {"type": "text", "text": ""}, "text_delta", "text"
        case Thought():
            begun = {"type": "thinking", "thinking": "", "signature": ""}
            return begun, "thinking_delta", "thinking"
        case Call(name=name):
            called = {"type": "tool_use", "id": identity, "name": name, "input": {}}
            return called, "input_json_delta", "partial_json"


def message(answer: Answered, digest: str) -> dict[str, Any]:
    """An answer as one message, for a request without streaming."""
    reply = answer.reply
    content: list[dict[str, Any]] = []
    for index, block in enumerate(reply.blocks):
        if isinstance(block, ReplyText):
            content.append({"type": "text", "text": block.text})
            continue
        if isinstance(block, Thought):
            signed = {"type": "thinking", "thinking": block.text, "signature": block.signature}
            content.append(signed)
            continue
        try:
            value = json.loads(block.raw)
        except json.JSONDecodeError:
            value = {}
        identity = f"toolu_demo_{digest[:20]}{index}"
        content.append({"type": "tool_use", "id": identity, "name": block.name, "input": value})
    usage = {"input_tokens": answer.input_tokens, "output_tokens": output_tokens(reply)}
    ends = {"stop_reason": reply.stopped, "usage": usage, **_stop_details(reply)}
    return {**_head(answer, digest), "content": content, **ends}
