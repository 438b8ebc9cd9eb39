"""What people see while an agent writes: its words and its document, but not a reply's calls."""

from typing import Any
from uuid import UUID

import pytest

from application.agents.table import agent_configs_of
from application.execution.attempt import AttemptAdapters, LeasedAttempt
from application.execution.model_access import ModelAccess
from application.ports import Block, Claim, ModelAnswer, ModelRequest
from domain.runs import Attempt, Tokens
from domain.status import Step

REQUEST = ModelRequest("some-model", 1_000, (), ({"role": "user", "content": "Hello"},))
PIECES = ('{"id": "FR-1", "summary": "It ke', "eps to", 'ols.\\nAll of them."}')


class Writing:
    """A model that says a word and then writes a document, cut anywhere."""

    async def ask(
        self, *_: object, on_text: Any, on_draft: Any, on_thought: Any, **__: object
    ) -> ModelAnswer:
        on_thought("Hm. ")
        on_text("Well. ")
        for piece in PIECES:
            on_draft(piece)
        return ModelAnswer((Block("text", "Well. "),), "end_turn", Tokens(1, 2), "some-model")


class Messages:
    def __init__(self) -> None:
        self.words: list[Any] = []

    async def say(self, _tenant: UUID, _feature: UUID, body: Any) -> None:
        self.words.append(body)


class Ledger:
    async def announce(self, *_: object) -> None:
        return None

    async def settle(self, *_: object) -> None:
        return None


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step.SPEC, "Hm. Well. It keeps tools.\nAll of them.\n"),
        (Step.CONVERSE, "Well. "),
    ],
)
async def test_a_document_is_shown_as_it_is_written(step: Step, text: str) -> None:
    messages, (task, tenant, feature, event, token) = Messages(), (UUID(int=n) for n in range(1, 6))
    claim = Claim(task, tenant, feature, step, event, 5, token, attempt=1, fencing_token=7)
    tools = AttemptAdapters(Ledger(), None, None, messages)  # type: ignore[arg-type]  # What is asked of it.
    provision = ModelAccess(Writing(), "a-key", agent_configs_of())  # type: ignore[arg-type]
    context = LeasedAttempt(tools, claim, Attempt(step, 1, 1), provision, (), lambda: None)
    await context.ask(REQUEST)
    assert "".join(word["text"] for word in messages.words) == text
