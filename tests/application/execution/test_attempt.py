"""An attempt: no answer that was paid for is lost, and no request leaves in secret."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from application.agents.table import agent_configs_of
from application.execution import retry
from application.execution.attempt import AttemptAdapters, LeasedAttempt
from application.execution.model_access import ModelAccess
from application.ports import (
    Block,
    Claim,
    LedgerEntry,
    ModelAnswer,
    ModelError,
    ModelRequest,
    Unavailable,
)
from domain.runs import Attempt, Tokens
from domain.status import Step

CLAIM = Claim(
    UUID(int=1),
    UUID(int=2),
    UUID(int=3),
    Step.SPEC,
    UUID(int=4),
    5,
    UUID(int=6),
    attempt=1,
    fencing_token=7,
)
REQUEST = ModelRequest("some-model", 1_000, (), ({"role": "user", "content": "Hello"},))
ANSWER = ModelAnswer((Block("text", "Hello"),), "end_turn", Tokens(10, 20), "some-model")


class Outages:
    """A ledger and an object store that are away for their first calls; the order of the rest."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.done: list[tuple[str, Any]] = []

    def _note(self, what: str, detail: object) -> None:
        if self.times:
            self.times -= 1
            raise Unavailable("database")
        self.done.append((what, detail))

    async def announce(
        self, _tenant: UUID, _feature: UUID, entry: LedgerEntry, fencing_token: int
    ) -> None:
        assert fencing_token == CLAIM.fencing_token
        self._note("announced", entry.outcome)

    async def settle(self, _tenant: UUID, _feature: UUID, entry: LedgerEntry) -> None:
        self._note("settled", entry.outcome)

    async def put(self, key: str, _body: bytes) -> None:
        self._note("stored", key)


class Model:
    """Answers, or fails, after the outage that `before` begins."""

    def __init__(self, before: Callable[[], None], error: ModelError | None = None) -> None:
        self.before = before
        self.error = error
        self.asked = 0

    async def ask(self, *_: object, **__: object) -> ModelAnswer:
        self.asked += 1
        self.before()
        if self.error is not None:
            raise self.error
        return ANSWER


class Silent:
    async def say(self, *_: object) -> None:
        return None


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PAUSE_SECONDS", 0.0)


def _context(outages: Outages, model: Model, known: tuple[LedgerEntry, ...] = ()) -> LeasedAttempt:
    tools = AttemptAdapters(outages, outages, None, Silent())  # type: ignore[arg-type]  # What is asked of it.
    provision = ModelAccess(model, "a-key", agent_configs_of())  # type: ignore[arg-type]
    return LeasedAttempt(tools, CLAIM, Attempt(Step.SPEC, 1, 1), provision, known, lambda: None)


async def test_an_answer_that_comes_during_an_outage_is_settled_after_it() -> None:
    outages = Outages(0)

    def outage() -> None:
        outages.times = 3

    model = Model(outage)
    assert await _context(outages, model).ask(REQUEST) == ANSWER
    assert outages.done == [("announced", None), ("settled", "answered")]
    assert model.asked == 1


async def test_what_a_failed_request_used_is_settled_after_an_outage_too() -> None:
    outages = Outages(0)

    def outage() -> None:
        outages.times = 3

    error = ModelError("overloaded", "Too busy.", retryable=True, tokens=Tokens(5))
    context = _context(outages, Model(outage, error))
    with pytest.raises(ModelError):
        await context.ask(REQUEST)
    assert outages.done == [("announced", None), ("settled", "overloaded")]
    assert context.run().tokens == Tokens(5)


async def test_no_request_leaves_before_it_is_announced() -> None:
    outages = Outages(2)
    model = Model(lambda: outages.done.append(("asked", None)))
    await _context(outages, model).ask(REQUEST)
    assert [what for what, _ in outages.done] == ["announced", "asked", "settled"]


async def test_a_file_is_stored_when_the_store_is_back() -> None:
    outages = Outages(2)
    digest = await _context(outages, Model(lambda: None)).store(b"content")
    assert outages.done == [("stored", f"{CLAIM.tenant_id}/{CLAIM.feature_id}/{digest}")]


async def test_an_answer_that_is_in_the_ledger_is_not_bought_again() -> None:
    outages = Outages(0)
    first = Model(lambda: None)
    kept: list[LedgerEntry] = []

    async def keep(_tenant: UUID, _feature: UUID, entry: LedgerEntry) -> None:
        kept.append(entry)

    outages.settle = keep  # type: ignore[method-assign]
    await _context(outages, first).ask(REQUEST)
    again = Model(lambda: None)
    assert await _context(outages, again, tuple(kept)).ask(REQUEST) == ANSWER
    assert (first.asked, again.asked) == (1, 0)
