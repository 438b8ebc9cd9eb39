"""Why a step gives no result, in words for people, and what they can do about it.

Invariant: every code that an attempt can fail with stands in `CODES`; the documentation is tested
against this table.
"""

from collections.abc import Mapping, Sequence
from typing import Final

CODES: Final[Mapping[str, str]] = {
    # What the harness finds.
    "model_refused": (
        "Say in the brief what the software is for and leave out what may be misunderstood, "
        "then retry."
    ),
    "answer_too_long": (
        "Make the feature smaller: split the brief into two features, or remove what is not needed "
        "yet, then retry."
    ),
    "input_too_long": "Make the brief shorter, or split it into two features, then retry.",
    "no_result": "Retry. If it happens again, put the brief into other words.",
    "review_incomplete": "Retry: the review is asked for again, the code stays as it is.",
    "check_failed": (
        "Retry. If the same findings come back, revise the brief where they point to it."
    ),
    "blocked": "Read the reason, answer it in the brief or at the gate it names, then retry.",
    "turns_used_up": "Retry. If it happens again, split the brief into two smaller features.",
    "nothing_to_answer": "Send a message first.",
    # What the runner finds.
    "api_key_missing": "Enter your API key in the settings, then retry.",
    "deadline": "Nothing needs to be done: it is tried again. If it fails at last, retry later.",
    "internal_error": (
        "Retry later. If it happens again, tell the operator, whose log says what happened."
    ),
    "unavailable": "Nothing needs to be done: it is tried again when everything answers.",
    "stuck": "Retry: work goes on from the last approved document.",
    "crashed_alone": (
        "Put what is unusual in the brief, such as very long lines or odd markup, into simpler "
        "words, then retry. If it happens again, tell the operator, whose log says how it ended."
    ),
    "worker_stopped": "Nothing needs to be done: the step goes on.",
    # What the provider of the model says.
    "rate_limited": "Nothing needs to be done: it is tried again when the provider allows it.",
    "overloaded": "Nothing needs to be done: it is tried again in a moment.",
    "server_error": "Nothing needs to be done: it is tried again in a moment.",
    "connection": "Nothing needs to be done: it is tried again. Check the network if it goes on.",
    "timeout": "Nothing needs to be done: it is tried again in a moment.",
    "cut_off": "Nothing needs to be done: it is tried again in a moment.",
    "invalid_request": (
        "Retry later. If it happens again, tell the operator: the provider refuses the request."
    ),
    "key_rejected": "Enter a valid API key in the settings, then retry.",
    "not_permitted": (
        "Use an API key whose account may use the model named in the run's record, then retry."
    ),
    "spend_limit": "Raise the spend limit of your account at the provider, then retry.",
}
"""Code of a failure to the advice that people read with it."""


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
            advice: What a person can do; that of `CODES` if left out.
            retryable: Whether another attempt may succeed without anybody doing anything.
            retry_after: Seconds until then, where known.
        """
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.advice = advice or CODES[code]
        self.retryable = retryable
        self.retry_after = retry_after


def check_failed(what: str, findings: Sequence[str]) -> StepFailed:
    """The failure of a document whose findings the agent could not mend."""
    shown = "; ".join(finding.rstrip(".") for finding in findings[:5])
    more = f"; and {len(findings) - 5} more" if len(findings) > 5 else ""  # noqa: PLR2004 - as above.
    return StepFailed(
        "check_failed", f"{what} did not pass the checks after a correction: {shown}{more}."
    )
