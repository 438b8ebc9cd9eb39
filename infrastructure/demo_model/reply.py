"""What the demo model answers, before it is put into the provider's words."""

from typing import Any

import msgspec
from msgspec import Struct


class ReplyText(Struct, frozen=True, tag=True):
    """Words for people."""

    text: str


class Thought(Struct, frozen=True, tag=True):
    """What the model thinks before it answers."""

    text: str
    """Empty where it is not shown."""
    signature: str
    """Binds it to the model and the conversation."""


class Call(Struct, frozen=True, tag=True):
    """A tool call. `raw` is its input as JSON text, so that a fault can spoil it."""

    name: str
    raw: str

    @classmethod
    def of(cls, name: str, value: Any) -> "Call":  # noqa: ANN401 - any struct or JSON value.
        """Call a tool with a struct or a JSON value."""
        return cls(name, msgspec.json.encode(value).decode())


class Reply(Struct, frozen=True):
    """A whole answer."""

    blocks: tuple[ReplyText | Call | Thought, ...]
    stop_reason: str = ""
    """Empty: `tool_use` if the last block is a call, else `end_turn`."""
    cut: bool = False
    """Whether the last block stays unfinished."""

    @property
    def stopped(self) -> str:
        """The stop reason as sent."""
        if self.stop_reason:
            return self.stop_reason
        calls = any(isinstance(block, Call) for block in self.blocks)
        return "tool_use" if calls else "end_turn"


def tokens_of(text: str) -> int:
    """A plain estimate: four bytes a token, at least one for any text."""
    return (len(text.encode()) + 3) // 4


def body_of(block: ReplyText | Call | Thought) -> str:
    """The part of a block that is streamed."""
    return block.raw if isinstance(block, Call) else block.text


def within(reply: Reply, max_tokens: int) -> Reply:
    """Cut an answer off where the request's `max_tokens` ends, as the provider does."""
    left = max_tokens
    kept: list[ReplyText | Call | Thought] = []
    for block in reply.blocks:
        body = body_of(block)
        if tokens_of(body) <= left:
            left -= tokens_of(body)
            kept.append(block)
            continue
        short = body.encode()[: left * 4].decode(errors="ignore")
        kept.append(Call(block.name, short) if isinstance(block, Call) else ReplyText(short))
        return Reply(tuple(kept), "max_tokens", cut=True)
    return reply
