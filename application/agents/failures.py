"""Why a step gives no result, in words for people, and what they can do about it.

Invariant: every code that an attempt can fail with stands in `CODES`; what is said of it is true
whether another attempt follows by itself or not. The documentation is tested against this table.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from domain.runs import OURS


class FailureAdvice(NamedTuple):
    """What people are told of a failure."""

    last: str
    """What they can do, once nothing is tried again by itself."""
    again: str = ""
    """What happens while another attempt follows by itself; empty if none ever does."""


_LATER: Final = "It is not tried again by itself. Retry later."
_IN_A_MOMENT: Final = "Nothing needs to be done: it is tried again in a moment."
_OURS: Final = "Nothing needs to be done: the step goes on."

CODES: Final[Mapping[str, FailureAdvice]] = {
    # What the harness finds.
    "model_refused": FailureAdvice(
        "Say in the brief what the software is for and leave out what may be misunderstood, "
        "then retry."
    ),
    "answer_too_long": FailureAdvice(
        "Make the feature smaller: split the brief into two features, or remove what is not needed "
        "yet, then retry."
    ),
    "input_too_long": FailureAdvice(
        "Make the brief shorter, or split it into two features, then retry. As it is, it fails "
        "again."
    ),
    "no_result": FailureAdvice("Retry. If it happens again, put the brief into other words."),
    "review_incomplete": FailureAdvice(
        "Retry: the review is asked for again, the code stays as it is."
    ),
    "check_failed": FailureAdvice(
        "Retry. If the same findings come back, revise the brief where they point to it."
    ),
    "blocked": FailureAdvice(
        "Read the reason, answer it in the brief or at the gate it names, then retry."
    ),
    "outside_the_freeze": FailureAdvice(
        "Go back to the plan or the tests and have them changed there, or revise the brief. As it "
        "is, a retry may change no more files than this one."
    ),
    "nothing_changed": FailureAdvice(
        "Read what the reviews found. Retry, or go back to the step that it points to."
    ),
    "turns_used_up": FailureAdvice(
        "Retry. If it happens again, split the brief into two smaller features."
    ),
    "nothing_to_answer": FailureAdvice("Send a message first."),
    # What the runner finds.
    "api_key_missing": FailureAdvice("Enter your API key in the settings, then retry."),
    "deadline": FailureAdvice(
        "It is not tried again by itself. Retry later; if it happens again, split the brief into "
        "two smaller features.",
        "Nothing needs to be done: it is tried again.",
    ),
    "internal_error": FailureAdvice(
        "It is not tried again by itself. Retry later; if it happens again, tell the operator, "
        "whose log says what happened.",
        "Nothing needs to be done: it is tried again in a moment.",
    ),
    "unavailable": FailureAdvice(
        "It is not tried again by itself. Retry later; if it happens again, tell the operator that "
        "a part of this service does not answer.",
        "Nothing needs to be done: it is tried again in a moment.",
    ),
    "stuck": FailureAdvice("Retry: what was approved stands, and work begins after it."),
    "crashed_alone": FailureAdvice(
        "Put what is unusual in the brief, such as very long lines or odd markup, into simpler "
        "words, then retry. If it happens again, tell the operator, whose log says how it ended."
    ),
    "worker_stopped": FailureAdvice(
        "Retry: what was approved stands, and work begins after it.", _OURS
    ),
    # What the provider of the model says.
    "rate_limited": FailureAdvice(
        _LATER, "Nothing needs to be done: it is tried again when the provider allows it."
    ),
    "overloaded": FailureAdvice(_LATER, _IN_A_MOMENT),
    "server_error": FailureAdvice(_LATER, _IN_A_MOMENT),
    "connection": FailureAdvice(
        "It is not tried again by itself. Retry later; if it happens again, tell the operator to "
        "look at the network and at the provider's address in the settings.",
        "Nothing needs to be done: it is tried again in a moment.",
    ),
    "timeout": FailureAdvice(_LATER, _IN_A_MOMENT),
    "cut_off": FailureAdvice(_LATER, _IN_A_MOMENT),
    "invalid_request": FailureAdvice(
        "It is not tried again by itself. Tell the operator what the provider says; the same "
        "request is refused again until something is changed."
    ),
    "key_rejected": FailureAdvice("Enter a valid API key in the settings, then retry."),
    "not_permitted": FailureAdvice(
        "Enter an API key in the settings whose account may do what the provider names, then retry."
    ),
    "model_not_found": FailureAdvice(
        "Enter an API key in the settings whose account may use this model, or tell the operator, "
        "who sets which models are used; then retry."
    ),
    "account_disabled": FailureAdvice(
        "Ask the provider why the account is disabled, or enter the API key of another account in "
        "the settings, then retry."
    ),
    "region_refused": FailureAdvice(
        "Tell the operator: the service must reach the provider from a country that it serves. "
        "Another API key or brief does not help."
    ),
    "not_the_provider": FailureAdvice(
        "Tell the operator to look at the proxy, the firewall and the provider's address in the "
        "settings; then retry. Another API key or brief does not help."
    ),
    "spend_limit": FailureAdvice(
        "Add credit or raise the limit of your account at the provider, then retry."
    ),
}
"""Code of a failure to what people are told of it."""

BY_US: Final = OURS | {"internal_error", "unavailable", "crashed_alone", "stuck", "set_back"}
"""Codes of what is no doing of the agent, the provider or a person."""
BY_THE_PROVIDER: Final = frozenset(
    {
        "rate_limited",
        "overloaded",
        "server_error",
        "connection",
        "timeout",
        "cut_off",
        "invalid_request",
        "key_rejected",
        "not_permitted",
        "model_not_found",
        "account_disabled",
        "region_refused",
        "not_the_provider",
        "spend_limit",
    }
)
"""Codes of what the provider of the model says, or does not say."""

AFTER_A_PAUSE: Final = (
    "It is not tried again by itself: the provider asks for a pause of {pause}. Retry after that."
)


def advice_of(code: str, *, final: bool, pause_seconds: float | None = None) -> str:
    """What people are told of a failure.

    Args:
        code: One of `CODES`.
        final: Whether nothing is tried again by itself.
        pause_seconds: The pause that the provider asks for, where that is why it is final.
    """
    advice = CODES[code]
    if not final:
        return advice.again
    return AFTER_A_PAUSE.format(pause=_long(pause_seconds)) if pause_seconds else advice.last


def _long(seconds: float) -> str:
    """A pause in words, never shorter than it is."""
    minutes = math.ceil(seconds / 60)
    if minutes < 2 * 60:
        return f"{minutes} minutes"
    hours = math.ceil(minutes / 60)
    return f"{hours} hours" if hours <= 2 * 24 else f"{math.ceil(hours / 24)} days"


class StepFailed(Exception):
    """A step gave no result that may be shown."""

    def __init__(
        self,
        code: str,
        reason: str,
        *,
        advice: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Describe the failure.

        Args:
            code: One of `CODES`.
            reason: What happened, in plain words, without a key.
            advice: What a person can do once it is final; that of `CODES` if left out.
            retryable: Whether another attempt may succeed without anybody doing anything.
            retry_after: Seconds until then, where known.
        """
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.advice = advice or CODES[code].last
        self.retryable = retryable
        self.retry_after = retry_after


def check_failed(what: str, findings: Sequence[str]) -> StepFailed:
    """The failure of a document whose findings the agent could not mend."""
    shown = "; ".join(finding.rstrip(".") for finding in findings[:5])
    more = f"; and {len(findings) - 5} more" if len(findings) > 5 else ""  # noqa: PLR2004 - as above.
    return StepFailed(
        "check_failed", f"{what} did not pass the checks after a correction: {shown}{more}."
    )
