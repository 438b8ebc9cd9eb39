"""One bounded, append-only conversation with an agent inside one attempt.

Invariant: messages are only ever added, so that the prompt cache holds and a repeated attempt sends
the very requests that the ledger knows; no attempt asks more often than its entry allows.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from application.agents.agent_config import AgentConfig
from application.agents.failures import StepFailed
from application.agents.prompting import (
    CACHED,
    first_message,
    nonce_of,
    system_blocks,
    tool_definitions,
)
from application.agents.step_inputs import AttemptContext
from application.ports import Block, ModelAnswer, ModelRequest
from domain.status import Agent, OutputMode

_UNREADABLE = {"unreadable": "The call was no valid JSON."}


class Result(Struct, frozen=True):
    """What a tool call of the agent is told."""

    call: Block
    text: str
    is_error: bool = False


class Exchange:
    """The conversation with one agent about one task."""

    def __init__(
        self,
        agent: Agent,
        entry: AgentConfig,
        context: AttemptContext,
        *,
        mode: OutputMode = OutputMode.FULL_CODE,
        growing: bool = False,
    ) -> None:
        """Prepare it; nothing is sent.

        Args:
            agent: Who is asked.
            entry: How.
            context: Through whom.
            mode: What is made in the end.
            growing: Whether it becomes long: then what stands is cached at the provider.
        """
        self._agent = agent
        self._entry = entry
        self._context = context
        self._mode = mode
        self._growing = growing
        self._messages: list[dict[str, Any]] = []
        self._turns = 0

    def begin(self, inputs: dict[str, str], manifest_sha256: str, task: str) -> None:
        """The first message: inputs as data, then the one task."""
        nonce = nonce_of(manifest_sha256)
        content = first_message(inputs, nonce, task, cached=self._growing)
        self._messages.append({"role": "user", "content": content})

    async def ask(self) -> ModelAnswer:
        """Send what stands and hear the answer, which is not part of the conversation yet.

        Raises:
            StepFailed: the agent refuses, the input is too long, or the turns are used up.
            ModelError: no usable answer.
        """
        if self._turns >= self._entry.turns:
            raise StepFailed(
                "turns_used_up",
                f"The agent did not finish within {self._entry.turns} turns.",
            )
        self._turns += 1
        self._context.show("progress", words=self._words(), turn=self._turns)
        answer = await self._context.ask(self._request())
        if answer.stop_reason == "refusal":
            raise StepFailed(
                "model_refused",
                "The model declined to work on this. It may have taken a part of the text for "
                "something harmful.",
            )
        if answer.stop_reason == "model_context_window_exceeded":
            raise StepFailed(
                "input_too_long", "The documents are longer than the model can read at once."
            )
        return answer

    @property
    def turns_left(self) -> int:
        """How often the agent may still be asked."""
        return self._entry.turns - self._turns

    def heard(self, answer: ModelAnswer) -> None:
        """Add the agent's answer as it came."""
        content = [_as_sent(b) for b in answer.blocks if b.type != "text" or b.text.strip()]
        if any(block["type"] in {"text", "tool_use"} for block in content):
            self._messages.append({"role": "assistant", "content": content})

    def reply(self, results: Sequence[Result], text: str = "") -> None:
        """Answer the agent's tool calls, all of them, and perhaps say something."""
        content: list[dict[str, Any]] = [
            {
                "type": "tool_result",
                "tool_use_id": result.call.id,
                "content": result.text,
                **({"is_error": True} if result.is_error else {}),
            }
            for result in results
        ]
        if text:
            content.append({"type": "text", "text": text})
        if self._messages[-1]["role"] == "user":
            # Nothing came that could stand between: what is said is added to the last message.
            last = self._messages.pop()
            content = [*last["content"], *content]
        self._messages.append({"role": "user", "content": content})

    def _request(self) -> ModelRequest:
        parameters: dict[str, Any] = {}
        if self._entry.effort:
            parameters["output_config"] = {"effort": self._entry.effort}
        return ModelRequest(
            model=self._entry.model,
            max_tokens=self._entry.max_tokens,
            system=system_blocks(self._agent, self._entry, self._mode),
            messages=tuple(self._with_mark() if self._growing else self._messages),
            tools=tool_definitions(self._entry),
            parameters=parameters,
        )

    def _with_mark(self) -> list[dict[str, Any]]:
        """The messages with the cache's mark at their end: the next turn reads up to there."""
        *before, last = self._messages
        *blocks, end = last["content"]
        return [*before, {**last, "content": [*blocks, {**end, "cache_control": CACHED}]}]

    def _words(self) -> str:
        return "The agent works." if self._turns == 1 else f"The agent goes on: turn {self._turns}."


def _as_sent(block: Block) -> dict[str, Any]:
    """A block of an answer, as it stands in the next request."""
    if block.type == "text":
        return {"type": "text", "text": block.text}
    if block.type != "tool_use":
        kept: dict[str, Any] = msgspec.json.decode(block.input)
        return kept
    given = msgspec.json.decode(block.input)
    return {
        "type": "tool_use",
        "id": block.id,
        "name": block.name,
        "input": given if isinstance(given, dict) else _UNREADABLE,
    }


def calls(answer: ModelAnswer) -> list[Block]:
    """The completed tool calls of an answer."""
    return [block for block in answer.blocks if block.type == "tool_use"]


def said(answer: ModelAnswer) -> str:
    """The prose of an answer."""
    texts = (block.text for block in answer.blocks if block.type == "text")
    parts = (text.replace("\0", "").strip() for text in texts)
    return "\n\n".join(part for part in parts if part)


def was_cut(answer: ModelAnswer) -> bool:
    """Whether the answer ended at the limit of its length."""
    return answer.truncated or answer.stop_reason == "max_tokens"
