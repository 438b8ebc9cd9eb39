"""Causes that the provider tells in words only, under a status and a type that mean many things.

Invariant: words narrow a code down and never widen it: each cause is looked for only under codes
that it hides behind. Sources: the provider's pages "Errors", "Rate limits" and "Supported
countries and regions", and answers of it, of Bedrock, of Vertex and of gateways that people showed.
"""

from typing import Final, NamedTuple


class Cause(NamedTuple):
    """A cause, and how it is told."""

    code: str
    told: tuple[tuple[str, ...], ...]
    """Groups of words in lower case: a message that holds all words of one group tells it."""
    hides_behind: frozenset[str]
    """Codes that status and type may have given."""


_REFUSED: Final = frozenset(
    {"invalid_request", "key_rejected", "not_permitted", "model_not_found", "not_the_provider"}
)
_ANY: Final = _REFUSED | {"rate_limited", "spend_limit", "server_error", "input_too_long"}

CAUSES: Final = (
    Cause(
        "spend_limit",
        (
            ("credit balance",),
            ("insufficient", "credit"),
            ("insufficient", "quota"),
            ("insufficient", "balance"),
            ("insufficient", "funds"),
            ("spend limit",),
            ("spending limit",),
            ("usage limits",),
            ("extra usage", "required"),
            ("billing",),
            ("payment", "required"),
        ),
        _ANY,
    ),
    Cause(
        "region_refused",
        (
            ("request not allowed",),
            ("unsupported", "region"),
            ("unsupported", "country"),
            ("unsupported", "location"),
            *(
                (negation, where)
                for negation in ("not available", "not supported", "not allowed", "unavailable")
                for where in ("your region", "your country", "your location", "your territory",
                              "this region", "this country", "this location", "country or region")
            ),
        ),
        _REFUSED,
    ),
    Cause(
        "account_disabled",
        # In a row: a tool may be disabled for an account that is not.
        tuple(
            (f"{whose}{is_}{state}",)
            for whose in ("organization", "organisation", "account", "workspace")
            for is_ in (" ", " is ", " was ", " has been ", " is currently ", " has already been ")
            for state in ("disabled", "suspended", "deactivated", "banned", "terminated",
                          "archived", "locked", "not active", "on hold", "closed")
        ),
        _REFUSED,
    ),
    Cause(
        "invalid_request",
        (("max_tokens: ", "maximum allowed"), ("max_tokens", "output tokens")),
        frozenset({"invalid_request", "input_too_long"}),
    ),
    Cause(
        "input_too_long",
        (
            ("too long",),
            ("too large",),
            ("too many tokens",),
            ("too many input tokens",),
            ("exceed", "context"),
            ("exceed", "maximum size"),
            ("exceed", "maximum length"),
            ("exceed", "tokens"),
            ("maximum context length",),
            ("maximum prompt length",),
            ("context length exceeded",),
            ("context window",),
            ("reduce the length",),
        ),
        frozenset({"invalid_request", "input_too_long"}),
    ),
    Cause(
        "key_rejected",
        tuple(
            (what, state)
            for what in ("api key", "api-key", "api_key", "bearer token", "credentials")
            for state in ("invalid", "not valid", "incorrect", "expired", "revoked", "disabled",
                          "deleted", "missing", "no api")
        ),
        _REFUSED,
    ),
    Cause(
        "model_not_found",
        tuple(
            ("model", state)
            for state in ("not found", "does not exist", "not available", "unknown", "no such",
                          "not supported", "deprecated", "retired", "end of life", "no longer",
                          "invalid model")
        ),
        frozenset({"invalid_request", "not_permitted", "not_the_provider"}),
    ),
    Cause(
        "not_permitted",
        (
            ("only authorized for use",),
            ("not authorized to",),
            ("not have access",),
            ("not have permission",),
            ("permission denied",),
        ),
        frozenset({"invalid_request"}),
    ),
)  # fmt: skip
"""The first one that is told counts."""

LONGEST_READ: Final = 2_000
"""Characters of a message that are looked at."""


def cause_told(code: str, name: str, message: str) -> str:
    """The code of the cause that is told; empty if none is.

    Args:
        code: What status and type say.
        name: The provider's own name of the cause, such as `enforced_spend_limit_reached`.
        message: Its words.
    """
    said = f"{name.replace('_', ' ')} {message}"[:LONGEST_READ].lower()
    return next((one.code for one in CAUSES if code in one.hides_behind and _tells(said, one)), "")


def _tells(said: str, cause: Cause) -> bool:
    return any(all(word in said for word in group) for group in cause.told)
