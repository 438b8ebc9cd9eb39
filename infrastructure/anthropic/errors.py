"""What went wrong at the provider, as one of the port's codes.

Invariant: a detail says what happened in plain words and holds neither the key nor the prompt: what
the provider says is quoted only where it names a cause that people can act on, and is redacted.
"""

from collections.abc import Mapping
from typing import Any, Final

import httpx2
import msgspec

from application.ports import ModelError
from domain.runs import Tokens
from infrastructure.observability.redaction import Redactor

LONGEST_QUOTE: Final = 200
LONGEST_WAIT: Final = 86_400.0
LONGEST_CHAIN: Final = 8

BY_TYPE: Final[Mapping[str, str]] = {
    "invalid_request_error": "invalid_request",
    "authentication_error": "key_rejected",
    "billing_error": "spend_limit",
    "permission_error": "not_permitted",
    "not_found_error": "not_permitted",
    "request_too_large": "invalid_request",
    "rate_limit_error": "rate_limited",
    "timeout_error": "timeout",
    "api_error": "server_error",
    "overloaded_error": "overloaded",
}
"""The provider's types of errors."""
BY_STATUS: Final[Mapping[int, str]] = {
    400: "invalid_request", 401: "key_rejected", 402: "spend_limit", 403: "not_permitted",
    404: "not_permitted", 408: "timeout", 413: "invalid_request", 422: "invalid_request",
    429: "rate_limited", 504: "timeout", 529: "overloaded",
}  # fmt: skip
RETRYABLE: Final = frozenset(
    {"rate_limited", "overloaded", "server_error", "connection", "timeout", "cut_off"}
)
SAID: Final[Mapping[str, str]] = {
    "rate_limited": "The provider limits how much may be asked for at the moment.",
    "overloaded": "The provider's models are overloaded at the moment.",
    "server_error": "The provider has a fault at the moment.",
    "timeout": "The provider took too long to answer.",
    "connection": "The provider could not be reached.",
    "cut_off": "The provider's answer could not be read to its end.",
    "invalid_request": "The provider refused the request.",
    "key_rejected": "The provider does not accept the API key.",
    "spend_limit": "The provider says that the account has no credit left, or reached its limit.",
    "not_permitted": "The API key's account may not use the model `{model}`.",
}
QUOTED: Final = frozenset({"invalid_request", "not_permitted", "spend_limit"})
_BROKE: Final = ("spend_limit", "credit_balance", "insufficient_credit", "billing")
_BROKE_WORDS: Final = ("credit balance", "spend limit", "spending limit", "usage limits")


def error_of_status(
    status: int,
    body: object,
    headers: httpx2.Headers,
    *,
    tokens: Tokens,
    model: str,
    api_key: str,
) -> ModelError:
    """The error of an answer with a status other than success."""
    kind, cause, message = _parts(body)
    if 300 <= status < 400:  # noqa: PLR2004 - redirects.
        detail = "The provider's address leads somewhere else. Check the address in the settings."
        return ModelError("connection", detail, retryable=False, tokens=tokens)
    code = BY_STATUS.get(status) or ("server_error" if status >= 500 else BY_TYPE.get(kind, ""))  # noqa: PLR2004
    code = _of_money(cause, message) or code or "invalid_request"
    if status == 409:  # noqa: PLR2004 - the same idempotency key is under way.
        code = "server_error"
    return _error(code, message, tokens, model, api_key, _wait(headers))


def error_of_body(data: str, tokens: Tokens, api_key: str) -> ModelError:
    """The error of an event in the middle of a stream."""
    try:
        body = msgspec.json.decode(data)
    except msgspec.MsgspecError:
        body = None
    kind, cause, message = _parts(body)
    code = _of_money(cause, message) or BY_TYPE.get(kind, "server_error")
    return _error(code, message, tokens, "", api_key, None)


def error_of_exception(error: BaseException, tokens: Tokens) -> ModelError:
    """The error of a connection that failed, before or in the middle of an answer."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and len(chain) < LONGEST_CHAIN:
        chain.append(cause)
    code = "connection"
    if any(isinstance(one, UnicodeDecodeError) for one in chain):
        code = "cut_off"
    elif not any(isinstance(one, _NEVER_CONNECTED) for one in chain) and any(
        isinstance(one, (httpx2.TimeoutException, TimeoutError)) for one in chain
    ):
        code = "timeout"
    return ModelError(code, SAID[code], retryable=True, tokens=tokens)


_NEVER_CONNECTED: Final = (httpx2.PoolTimeout, httpx2.ConnectTimeout)


def _error(
    code: str, message: str, tokens: Tokens, model: str, api_key: str, wait: float | None
) -> ModelError:
    detail = SAID[code].format(model=model)
    if code in QUOTED and message:
        said = Redactor([api_key]).text(" ".join(message.split()))[:LONGEST_QUOTE]
        detail = f"{detail} It says: {said}"
    return ModelError(
        code,
        detail,
        retryable=code in RETRYABLE,
        retry_after_seconds=wait if code in RETRYABLE else None,
        tokens=tokens,
    )


def _parts(body: object) -> tuple[str, str, str]:
    """Type, cause and message of the provider's error body, as far as they are there."""
    error: Any = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", "", ""
    details = error.get("details")
    cause = details.get("error_code") if isinstance(details, dict) else ""
    return str(error.get("type") or ""), str(cause or ""), str(error.get("message") or "")


def _of_money(cause: str, message: str) -> str:
    if any(word in cause for word in _BROKE):
        return "spend_limit"
    lower = message.lower()
    return "spend_limit" if any(words in lower for words in _BROKE_WORDS) else ""


def _wait(headers: httpx2.Headers) -> float | None:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT) if seconds >= 0 else None
