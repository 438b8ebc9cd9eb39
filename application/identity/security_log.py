"""What an operator is told of signing in: each refusal one line with its reason, and no secret.

Invariant: whoever floods the service fills no disk with these lines: of one event with one reason
at most `LINES` are written at once, and as many again in a minute. Further ones are counted, and
the next such line says how many there were.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog

from application.identity.rate_limit import Allowance, RateLimiter

LINES: Final = Allowance(60, 60.0)
"""Of one event with one reason, in one process."""

log = structlog.get_logger(__name__)


class SecurityLineKind(NamedTuple):
    """A kind of line."""

    about: str
    reasons: tuple[str, ...] = ()
    """What `reason` may say."""
    is_suspicious: bool = False
    """Whether it is written as a warning."""


EVENTS: Final[Mapping[str, SecurityLineKind]] = {
    "signed_up": SecurityLineKind("An account was made."),
    "sign_up_refused": SecurityLineKind(
        "Somebody could not make an account.",
        ("email_invalid", "email_taken", "password_refused", "too_many_requests"),
    ),
    "signed_in": SecurityLineKind(
        "Somebody signed in. `known` says how: `device`, `network` or `no`."
    ),
    "sign_in_refused": SecurityLineKind(
        "Somebody could not sign in.",
        ("unknown_account", "wrong_password", "password_changed", "too_many_requests"),
    ),
    "locked": SecurityLineKind(
        "Somebody has used up their tries; `reason` says whose are counted together, `seconds` how "
        "long it takes until there is another.",
        ("account", "pair", "address", "device"),
        is_suspicious=True,
    ),
    "refresh_refused": SecurityLineKind(
        "A session could not go on.", ("no_cookie", "unknown", "expired", "ended", "other_cookie")
    ),
    "session_ended": SecurityLineKind(
        "A session ended, and with it its access tokens and streams.",
        ("signed_out", "password_reset"),
    ),
    "session_stolen": SecurityLineKind(
        "A refresh token that was exchanged before came back: its session was ended.",
        ("used_before",),
        is_suspicious=True,
    ),
    "reset_asked": SecurityLineKind(
        "Somebody asked for a new password. `sent` says whether a letter went."
    ),
    "reset_refused": SecurityLineKind(
        "A new password could not be set.", ("unknown_or_used", "password_refused")
    ),
    "password_reset": SecurityLineKind(
        "A new password was set; all sessions of the account have ended."
    ),
    "letter_not_sent": SecurityLineKind(
        "A letter was not sent: its address is one that mail programs may read in two ways.",
        ("address",),
        is_suspicious=True,
    ),
    "token_refused": SecurityLineKind(
        "An access token was not accepted.",
        (
            "no_token",
            "too_long",
            "malformed",
            "algorithm",
            "own_key",
            "no_key_id",
            "unknown_key",
            "other_key",
            "signature",
            "issuer",
            "audience",
            "expired",
            "not_valid_yet",
            "claims",
            "not_an_access_token",
            "session_ended",
        ),
    ),
    "keys_unavailable": SecurityLineKind(
        "The issuer's keys cannot be had; `cause` says why. Who has a token is asked to wait.",
        is_suspicious=True,
    ),
    "cross_site_refused": SecurityLineKind(
        "A page of another origin asked for what only ours may."
    ),
}
"""Every line, for the documentation."""


class SecurityLog:
    """Writes these lines, and no more of them than there is room for."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take a clock of seconds that never goes back."""
        self._throttle = RateLimiter(monotonic)
        self._left_out: Counter[tuple[str, str]] = Counter()

    def note(self, event: str, reason: str = "", **about: Any) -> None:  # noqa: ANN401 - as logged.
        """Write one line.

        Args:
            event: A name of `EVENTS`.
            reason: One of its reasons.
            about: Ids and addresses. Never what somebody typed: a password lands in any field.
        """
        kind = EVENTS[event]
        if reason not in (kind.reasons or ("",)):
            raise ValueError(f"{event} has no reason {reason}")
        name = (event, reason)
        if self._throttle.wait(name, LINES) > 0:
            self._left_out[name] += 1
            return
        self._throttle.count(name, LINES)
        fields: dict[str, Any] = {"reason": reason} if reason else {}
        for field, value in about.items():
            fields[field] = str(value) if isinstance(value, UUID) else value
        if not_logged := self._left_out.pop(name, 0):
            fields["not_logged"] = not_logged
        write = log.warning if kind.is_suspicious else log.info
        write(event, **fields)
