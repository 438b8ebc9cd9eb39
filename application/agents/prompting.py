"""How a request is put together: system text, inputs as data, and the one task last.

Invariant: nothing from a document can leave its input block. Inputs are JSON, or lines of files
behind their numbers, in which no closing tag can stand, and carry a nonce that their authors cannot
know, for it is drawn from a hash over what they wrote.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

import msgspec

from application.agents.agent_config import AgentConfig
from application.agents.checklist import checklist_words
from application.agents.output import OUTPUTS
from application.agents.stack_profile import PROFILE
from domain.status import Agent, OutputMode

CACHED: Final = {"type": "ephemeral"}
"""Everything up to the block that carries this is kept in the provider's prompt cache."""

# What was taken is not given back (`*+`), or white space would be gone over again and again.
_TAG: Final = re.compile(r"<(?=\s*+(?:/\s*+)?input\b)", re.IGNORECASE)
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


@cache
def data_words() -> dict[str, str]:
    """Placeholders of prompts for what stands elsewhere as data, and is checked by code."""
    return {"controls": checklist_words(), **PROFILE.words()}


@cache
def prompt_text(name: str, mode: OutputMode = OutputMode.FULL_CODE) -> str:
    """A prompt file of this package, with the words of a mode's output for its `{placeholders}`.

    Raises:
        KeyError: the output has no such word. A brace that is meant is written twice.
    """
    text = files("application.agents").joinpath("prompts", name).read_text(encoding="utf-8")
    return text.format(**OUTPUTS[mode].words(), **data_words())


def system_blocks(
    agent: Agent, entry: AgentConfig, mode: OutputMode = OutputMode.FULL_CODE
) -> tuple[dict[str, Any], ...]:
    """Role and contract, then governance: the same bytes for every run, and cached."""
    role = f"# Agent: {agent.value}\n\n{prompt_text(entry.prompt, mode)}"
    return (
        {"type": "text", "text": role},
        {"type": "text", "text": prompt_text("governance.md", mode), "cache_control": CACHED},
    )


@cache
def tool_definitions(entry: AgentConfig) -> tuple[dict[str, Any], ...]:
    """An agent's tools, in their order; made once, and changed by nobody."""
    return tuple(tool.definition() for tool in entry.tools)


@cache
def prompt_sha256(entry: AgentConfig, mode: OutputMode = OutputMode.FULL_CODE) -> str:
    """The version of a prompt: the hash of governance, prompt file and tools."""
    digest = sha256(prompt_text("governance.md", mode).encode())
    digest.update(prompt_text(entry.prompt, mode).encode())
    digest.update(_ENCODER.encode(tool_definitions(entry)))
    return digest.hexdigest()


@cache
def prompt_length(agent: Agent, entry: AgentConfig) -> int:
    """Characters of every request of an agent, whatever it works on: role, rules and tools."""
    texts = sum(len(block["text"]) for block in system_blocks(agent, entry))
    return texts + len(to_json(tool_definitions(entry)))


class PlainText(str):
    """An input that is read as it stands, not as JSON."""

    __slots__ = ()


def to_json(value: Any) -> str:  # noqa: ANN401 - anything msgspec can encode.
    """JSON with its keys in order: the same value is the same text."""
    return _ENCODER.encode(value).decode()


def nonce_of(manifest_sha256: str) -> str:
    """The nonce of an attempt's inputs, which is the same when the attempt is repeated.

    So a repeated request is byte for byte the one in the ledger, and is not paid for again.
    """
    return sha256(f"inputs {manifest_sha256}".encode()).hexdigest()[:16]


def input_block(name: str, text: str, nonce: str) -> str:
    """One input as data."""
    inert = _TAG.sub(r"\\u003c", text)
    return f'<input name="{name}" nonce="{nonce}">{inert}</input>'


def first_message(
    inputs: Mapping[str, str], nonce: str, task: str, *, cached: bool = False
) -> list[dict[str, Any]]:
    """The content of the first user message: all inputs, then the task."""
    data = "\n".join(input_block(name, text, nonce) for name, text in inputs.items())
    block: dict[str, Any] = {"type": "text", "text": data}
    if cached:
        block["cache_control"] = CACHED
    return [block, {"type": "text", "text": task}]


def listed(findings: Sequence[str]) -> str:
    """Findings as a list for the agent."""
    return "\n".join(f"- {finding}" for finding in findings)
