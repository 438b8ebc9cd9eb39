"""The demo model's whole work on a request: the one thing here that takes time with its text.

Invariant: a function of the request's bytes and a fault, of plain structures, so that it can be
carried out in another process.
"""

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from infrastructure.demo_model.author import write
from infrastructure.demo_model.prompt import AGENT, Ask, InvalidRequest, read_request
from infrastructure.demo_model.provider_rules import signature
from infrastructure.demo_model.reply import Call, Reply, ReplyText, Thought


class Answered(Struct, frozen=True, tag=True):
    """An answer, and what of the request is needed to send it."""

    model: str
    stream: bool
    input_tokens: int
    reply: Reply


class CountedTokens(Struct, frozen=True, tag=True):
    """How long a request is."""

    input_tokens: int


class WrongRequest(Struct, frozen=True, tag=True):
    """Why there is no answer."""

    reason: str


class _System(Struct):
    system: str | list[dict[str, Any]] = ""


def answered(body: bytes, fault: str) -> Answered | WrongRequest:
    """Read the body of `POST /v1/messages`, and write what the agent it is for answers."""
    try:
        ask = read_request(body)
        return Answered(ask.model, ask.stream, ask.input_tokens, _thinking(ask, write(ask, fault)))
    except (InvalidRequest, msgspec.ValidationError) as wrong:
        return WrongRequest(str(wrong))


def _thinking(ask: Ask, reply: Reply) -> Reply:
    """The answer with the thought that it begins with, as the provider's models answer.

    Between two tool calls what the model would say is part of the thought.
    """
    if ask.thinking is None or not reply.blocks:
        return reply
    calls = any(isinstance(block, Call) for block in reply.blocks)
    said: list[str] = []
    if ask.goes_on and calls:
        said = [block.text for block in reply.blocks if isinstance(block, ReplyText)]
    thought = "\n\n".join(said) or f"What {ask.agent or 'I'} shall write, and from what."
    shown = thought if ask.thinking == "summarized" else ""
    bound = signature(ask.model, ask.before, shown)
    kept = [block for block in reply.blocks if not said or isinstance(block, Call)]
    return replace(reply, blocks=(Thought(shown, bound), *kept))


def counted(body: bytes) -> CountedTokens | WrongRequest:
    """Read the body of `POST /v1/messages/count_tokens`."""
    try:
        return CountedTokens(read_request(body).input_tokens)
    except InvalidRequest as wrong:
        return WrongRequest(str(wrong))


def agent_of(body: bytes) -> str:
    """Who is asked, which stands at the beginning of the system text; empty if nobody is."""
    try:
        system = msgspec.json.decode(body, type=_System).system
    except msgspec.MsgspecError:
        return ""
    text = system if isinstance(system, str) else str(system[0].get("text", "")) if system else ""
    found = AGENT.match(text)
    return found[1] if found else ""
