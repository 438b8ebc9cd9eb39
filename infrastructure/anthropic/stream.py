"""Puts the events of a streamed answer together, block by block.

Invariant: a block is in the answer only if it arrived whole. What `max_tokens` cut off is dropped,
even where the provider closes it politely; a stream that ends before its last event is no answer.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from application.ports import Block, ModelAnswer, ModelError
from domain.runs import Tokens

VISIBLE: Final = "text"
CALL: Final = "tool_use"
THINKING: Final = "thinking"


class _Open(Struct):
    """A block that is being received."""

    start: dict[str, Any]
    parts: list[str] = []
    thinking: list[str] = []
    extra: dict[str, Any] = {}
    """Of blocks that are passed back as they are: their texts and signatures."""


class Assembly:
    """What has arrived of one answer."""

    def __init__(
        self,
        model: str,
        on_text: Callable[[str], None],
        on_draft: Callable[[str], None],
        on_thought: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.tokens = Tokens()
        self.request_id = ""
        self.complete = False
        """Whether the last event has come."""
        self.error = ""
        """The data of an error that came in place of the rest; empty without one."""
        self._model = model
        self._on_text = on_text
        self._on_draft = on_draft
        self._on_thought = on_thought
        self._open: dict[int, _Open] = {}
        self._blocks: list[Block] = []
        self._last_whole = True
        self._stop_reason = ""
        self._refusal = ""

    def take(self, data: str) -> None:
        """One event's data. Events that are not known are passed over.

        Raises:
            ModelError: `cut_off`, for data that is not JSON.
        """
        if not data or self.complete:
            return  # Gateways add an end of their own.
        try:
            event = msgspec.json.decode(data)
            if "error" in event and event.get("type", "error") == "error":
                # Known by its data: gateways leave out the line that names the event.
                self.error = data
            else:
                self._event(event)
        except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._cut_off("The answer could not be read.") from None

    def answer(self) -> ModelAnswer:
        """The whole answer.

        Raises:
            ModelError: `cut_off`, if its last event has not come.
        """
        if not self.complete:
            raise self._cut_off("The answer ended before it was complete.")
        blocks = self._blocks
        cut = self._stop_reason == "max_tokens" and not self._last_whole
        if cut and not self._open:
            blocks = blocks[:-1]
        truncated = cut or bool(self._open)
        return ModelAnswer(
            blocks=tuple(blocks),
            stop_reason=self._stop_reason,
            tokens=self.tokens,
            model=self._model,
            request_id=self.request_id,
            truncated=truncated,
            refusal=self._refusal,
        )

    def _event(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "message_start":
                message = event["message"]
                self._model = message.get("model") or self._model
                self._count(message.get("usage") or {})
            case "content_block_start":
                self._open[event["index"]] = _Open(event["content_block"])
            case "content_block_delta":
                self._delta(self._open[event["index"]], event["delta"])
            case "content_block_stop":
                self._close(self._open.pop(event["index"]))
            case "message_delta":
                self._stop_reason = event["delta"].get("stop_reason") or self._stop_reason
                self._refusal = (event["delta"].get("stop_details") or {}).get("category") or ""
                self._count(event.get("usage") or {})
            case "message_stop":
                self.complete = True
            case _:
                pass

    def _delta(self, block: _Open, delta: dict[str, Any]) -> None:
        match delta["type"]:
            case "text_delta":
                block.parts.append(delta["text"])
                self._on_text(delta["text"])
            case "input_json_delta":
                block.parts.append(delta["partial_json"])
                self._on_draft(delta["partial_json"])
            case "thinking_delta":
                block.thinking.append(delta["thinking"])
                self._on_thought(delta["thinking"])
            case "signature_delta":
                block.extra["signature"] = delta["signature"]
            case _:
                pass

    def _close(self, block: _Open) -> None:
        kind = block.start["type"]
        if kind == VISIBLE:
            text = block.start.get("text", "") + "".join(block.parts)
            # A text that stops at the limit looks like any other: the stop reason decides.
            self._last_whole = False
            self._blocks.append(Block(VISIBLE, text=text))
        elif kind == CALL:
            given, whole = _input(block)
            self._last_whole = whole
            self._blocks.append(
                Block(CALL, id=block.start["id"], name=block.start["name"], input=given)
            )
        else:
            # The provider wants it back as it was; what was cut off has no signature yet.
            thought = {**block.start, **block.extra}
            if block.thinking:
                thought["thinking"] = block.start.get("thinking", "") + "".join(block.thinking)
                self._on_thought("\n\n")
            self._last_whole = kind != THINKING or bool(thought.get("signature"))
            self._blocks.append(Block(kind, input=Raw(msgspec.json.encode(thought))))

    def _count(self, usage: dict[str, Any]) -> None:
        """Usage counts up: what is said last of each kind holds."""

        def said(name: str, before: int) -> int:
            value = usage.get(name)
            return value if isinstance(value, int) else before

        self.tokens = Tokens(
            said("input_tokens", self.tokens.input),
            said("output_tokens", self.tokens.output),
            said("cache_read_input_tokens", self.tokens.cache_read),
            said("cache_creation_input_tokens", self.tokens.cache_write),
        )

    def _cut_off(self, detail: str) -> ModelError:
        return ModelError("cut_off", detail, retryable=True, tokens=self.tokens)


def _input(block: _Open) -> tuple[Raw, bool]:
    """The input of a call, and whether it is whole JSON.

    Broken JSON becomes a JSON string of what came: the harness answers that it cannot be read, and
    whoever stores the answer stores valid JSON.
    """
    raw = "".join(block.parts)
    if not raw.strip():
        return Raw(msgspec.json.encode(block.start.get("input") or {})), True
    try:
        msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return Raw(msgspec.json.encode(raw)), False
    return Raw(raw.encode()), True
