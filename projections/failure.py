"""Why a feature failed, and what a person does next: read from the fact that failed it."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from domain import events as e
from domain.pipeline import REVIEWS
from domain.status import Step, Verdict

RETRY: Final = "retry"
REPLAY: Final = "replay"
SETTINGS: Final = "settings"

NEXT: Final[Mapping[str, str]] = {
    "api_key_missing": SETTINGS,
    "key_rejected": SETTINGS,
    "spend_limit": SETTINGS,
    "not_permitted": SETTINGS,
    "model_not_found": SETTINGS,
    "account_disabled": SETTINGS,
    "invalid_request": REPLAY,
    "input_too_long": REPLAY,
    "answer_too_long": REPLAY,
}
"""By the code of a failure: where the user goes. Whatever is not here is worth another try."""

REVIEW_FAILED: Final = "review_failed"
"""The code of a feature whose implementation did not pass a review."""
REVIEW_UNDECIDED: Final = "review_undecided"
"""The code of a feature with a review that came to no verdict; a retry asks for it again."""


class Failure(Struct, frozen=True):
    """What a feature failed of. The reason's words stand in the fact at `version`."""

    step: Step
    code: str
    next: str
    """`retry`, `replay` to an earlier checkpoint, or `settings`."""
    version: int


def failure_of(event: e.FeatureEvent, version: int) -> Failure | None:
    """The failure that a fact is; None for every other fact."""
    match event:
        case e.FeatureFailed(step=step, code=code):
            return Failure(step, code, NEXT.get(code, RETRY), version)
        case e.VerdictReached(verdict=verdict) if verdict is not Verdict.PASS:
            meant = (one for one in REVIEWS if getattr(event, one.value) is verdict)
            step = next(meant, REVIEWS[-1])  # A fold takes what no decider would record, too.
            failed = verdict is Verdict.FAIL
            return Failure(step, REVIEW_FAILED if failed else REVIEW_UNDECIDED, RETRY, version)
        case _:
            return None
