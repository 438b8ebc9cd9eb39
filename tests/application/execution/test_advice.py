"""What people are told of a failure is true: over every code, tried again or not."""

import re

import pytest

from application.agents.failures import CODES, StepFailed, advice_of
from application.execution.runner import ATTEMPTS, LONGEST_WAIT_SECONDS
from application.ports import ModelError
from domain import events as e
from domain.runs import OURS
from domain.status import Status
from projections.failure import NEXT, REPLAY, SETTINGS
from tests.application.workshop import Workshop

PROMISE = re.compile(r"(?<!not )\btried again|nothing needs to be done|goes on\b", re.IGNORECASE)
"""Words that promise that something happens by itself."""
DOING = re.compile(
    r"\b(retry|send|enter|ask|tell|say|make|put|read|add|answer|revise)\b", re.IGNORECASE
)


@pytest.mark.parametrize("code", [*CODES])
def test_what_is_final_promises_nothing_and_says_what_a_person_can_do(code: str) -> None:
    told = advice_of(code, final=True)
    assert not PROMISE.search(told)
    assert DOING.search(told)
    assert told.endswith(".")


@pytest.mark.parametrize("code", [*CODES])
def test_what_is_tried_again_says_so_and_asks_nobody_for_anything(code: str) -> None:
    told = advice_of(code, final=False)
    assert not told or (PROMISE.search(told) and not DOING.search(told))


@pytest.mark.parametrize("code", [*NEXT])
def test_the_button_leads_where_the_advice_does(code: str) -> None:
    told = advice_of(code, final=True)
    if NEXT[code] == SETTINGS:
        assert "settings" in told or "account" in told
    if NEXT[code] == REPLAY:
        assert "brief" in told or "Tell the operator" in told


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3_601, "61 minutes"), (7_200, "2 hours"), (90_000, "25 hours"), (259_200, "3 days")],
)
def test_a_long_pause_is_told_and_never_shorter_than_it_is(seconds: float, words: str) -> None:
    assert f"a pause of {words}." in advice_of("rate_limited", final=True, pause_seconds=seconds)


def _provider(code: str, *, retryable: bool, pause: float | None = None) -> ModelError:
    return ModelError(code, "Because.", retryable=retryable, retry_after_seconds=pause)


async def _until_failed(error: BaseException) -> tuple[Workshop, e.FeatureFailed]:
    async def failing(*_: object) -> None:
        raise error

    shop = await Workshop(agents=failing).confirmed()
    for _ in range(ATTEMPTS + 1):
        await shop.settle()
        shop.clock.turn(LONGEST_WAIT_SECONDS + 1)
    [failed] = [r.event for r in shop.log.events if isinstance(r.event, e.FeatureFailed)]
    assert (await shop.state()).status is Status.FAILED
    return shop, failed


@pytest.mark.parametrize("retryable", [True, False])
@pytest.mark.parametrize("code", [*CODES])
async def test_no_failure_that_is_recorded_promises_another_attempt(
    code: str,
    retryable: bool,  # noqa: FBT001
) -> None:
    if retryable and code in OURS:
        return  # However many they are, they use up no attempt.
    for error in (
        _provider(code, retryable=retryable),
        StepFailed(code, "Because.", retryable=retryable),
    ):
        shop, failed = await _until_failed(error)
        assert failed.code == code
        assert failed.advice == CODES[code].last
        tries = [r.event for r in shop.log.events if isinstance(r.event, e.AttemptFailed)]
        assert [one.retried for one in tries] == [True] * (len(tries) - 1) + [False]


async def test_a_provider_that_asks_for_too_long_a_pause_is_quoted() -> None:
    _, failed = await _until_failed(_provider("rate_limited", retryable=True, pause=7_200.0))
    assert failed.advice == advice_of("rate_limited", final=True, pause_seconds=7_200.0)
    assert "2 hours" in failed.advice


async def test_a_pause_that_was_kept_is_no_reason_at_the_end() -> None:
    _, failed = await _until_failed(_provider("rate_limited", retryable=True, pause=30.0))
    assert failed.advice == CODES["rate_limited"].last
