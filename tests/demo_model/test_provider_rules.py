"""The scripted server refuses what the provider refuses, and the harness never sends it."""

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.exchange import Exchange, Result, calls
from application.agents.table import agent_configs_of
from application.ports import Block, ModelAnswer, ModelRequest
from domain.runs import Tokens
from domain.status import Agent
from infrastructure.demo_model.provider_rules import conversation, refusal_of, signature

USER = {"role": "user", "content": [{"type": "text", "text": "Write it."}]}
PLAIN: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 1_000,
    "system": [{"type": "text", "text": "# Agent: implementer"}],
    "tools": [{"name": "write_files", "input_schema": {"type": "object"}}],
    "messages": [USER],
}
CALL = {"type": "tool_use", "id": "t1", "name": "write_files", "input": {}}
RESULT = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "Written."}],
}


def with_thought(shown: str = "Hm.") -> dict[str, Any]:
    """A second turn, whose first answer began with a thought."""
    bound = signature(PLAIN["model"], conversation(PLAIN), shown)
    thought = {"type": "thinking", "thinking": shown, "signature": bound}
    said = {"role": "assistant", "content": [thought, CALL]}
    return copy.deepcopy({**PLAIN, "messages": [USER, said, RESULT]})


@pytest.mark.parametrize(
    "change",
    [
        {"tool_choice": {"type": "any"}},
        {"tool_choice": {"type": "tool", "name": "write_files"}},
        {"temperature": 0},
        {"top_p": 0.5},
        {"top_k": 3},
        {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "adaptive", "display": "full"}},
        {"output_config": {"effort": "some"}},
        {"max_tokens": 128_001},
        {"max_tokens": 0},
        {"messages": []},
        {"messages": [USER, {"role": "assistant", "content": "I begin:"}]},
        {"messages": [USER, {"role": "assistant", "content": [CALL]}, USER]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]},
    ],
)
def test_what_the_provider_refuses_is_refused(change: dict[str, Any]) -> None:
    assert refusal_of({**PLAIN, **change})


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"tool_choice": {"type": "auto"}},
        {"thinking": {"type": "adaptive", "display": "summarized"}},
        {"output_config": {"effort": "xhigh"}},
        {"max_tokens": 128_000},
    ],
)
def test_what_the_provider_takes_is_taken(change: dict[str, Any]) -> None:
    assert refusal_of({**PLAIN, **change}) is None


def test_a_thought_is_taken_back_as_it_was() -> None:
    assert refusal_of(with_thought()) is None
    assert refusal_of(with_thought("")) is None


def test_marks_for_the_cache_are_no_part_of_the_conversation() -> None:
    again = with_thought()
    again["messages"][0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    assert refusal_of(again) is None


def _other_model(body: dict[str, Any]) -> None:
    body["model"] = "claude-sonnet-5-5"


def _other_words(body: dict[str, Any]) -> None:
    body["messages"][0]["content"][0]["text"] += "!"


def _other_system(body: dict[str, Any]) -> None:
    body["system"][0]["text"] += "!"


def _other_thought(body: dict[str, Any]) -> None:
    body["messages"][1]["content"][0]["thinking"] += " "


def _no_signature(body: dict[str, Any]) -> None:
    del body["messages"][1]["content"][0]["signature"]


def _further_back(body: dict[str, Any]) -> None:
    body["messages"] = [USER, {"role": "assistant", "content": "Yes."}, *body["messages"]]


def _at_the_end(body: dict[str, Any]) -> None:
    body["messages"][1]["content"].reverse()


@pytest.mark.parametrize(
    "change",
    [
        _other_model, _other_words, _other_system, _other_thought, _no_signature, _further_back,
        _at_the_end,
    ],
)  # fmt: skip
def test_an_altered_or_a_foreign_thought_is_refused(change: Any) -> None:
    body = with_thought()
    change(body)
    assert refusal_of(body)


class Provider:
    """Answers as the provider does, every way an answer can look; refuses what it refuses."""

    def __init__(self, shapes: list[list[str]]) -> None:
        self._shapes = iter(shapes)

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        body = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "system": list(request.system),
            "messages": list(request.messages),
            "tools": list(request.tools),
            **request.parameters,
        }
        body = msgspec.json.decode(msgspec.json.encode(body))
        assert refusal_of(body) is None
        blocks = []
        for number, kind in enumerate(next(self._shapes)):
            match kind:
                case "thinking":
                    bound = signature(request.model, conversation(body), kind)
                    raw = {"type": kind, "thinking": kind, "signature": bound}
                    blocks.append(Block(kind, input=msgspec.Raw(msgspec.json.encode(raw))))
                case "text":
                    blocks.append(Block(kind, text="Well."))
                case "blank":
                    blocks.append(Block("text", text=" \n"))
                case "broken":
                    ident = f"{len(body['messages'])}-{number}"
                    blocks.append(
                        Block("tool_use", id=ident, name="x", input=msgspec.Raw(b'"{oops"'))
                    )
                case _:
                    ident = f"{len(body['messages'])}-{number}"
                    blocks.append(Block("tool_use", id=ident, name="x"))
        return ModelAnswer(tuple(blocks), "tool_use", Tokens(), request.model)

    def show(self, *_: object, **__: object) -> None:
        """Nobody watches."""


SHAPES = st.lists(st.sampled_from(["thinking", "text", "blank", "call", "broken"]), max_size=5)


@forall(st.lists(SHAPES, min_size=1, max_size=5), st.booleans())
async def test_whatever_the_answers_look_like_the_harness_sends_nothing_that_is_refused(
    shapes: list[list[str]],
    growing: bool,  # noqa: FBT001 - drawn, not called.
) -> None:
    provider = Provider(shapes)
    entry = agent_configs_of()[Agent.IMPLEMENTER]
    exchange = Exchange(Agent.IMPLEMENTER, entry, provider, growing=growing)  # type: ignore[arg-type]  # All it is asked for.
    exchange.begin({"plan": "{}"}, "0" * 64, "Write it.")
    for _ in shapes:
        answer = await exchange.ask()
        exchange.heard(answer)
        exchange.reply([Result(call, "Written.") for call in calls(answer)], "Go on.")
