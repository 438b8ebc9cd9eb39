"""What went wrong at the provider, as one of the port's codes.

Invariant: a detail says what happened in plain words and holds neither the key nor the prompt: what
the provider says is quoted only where it names a cause that people can act on, and is redacted.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

import httpx2
import msgspec

from application.ports import ModelError
from domain.runs import Tokens
from infrastructure.anthropic.causes import cause_told
from infrastructure.observability.redaction import Redactor

LONGEST_QUOTE: Final = 200
LONGEST_WAIT: Final = 30 * 86_400.0
"""Seconds; whoever is asked to wait longer is told of this."""
LONGEST_CHAIN: Final = 8

BY_TYPE: Final[Mapping[str, str]] = {
    "authentication_error": "key_rejected",
    "billing_error": "spend_limit",
    "permission_error": "not_permitted",
    "not_found_error": "model_not_found",
    "request_too_large": "input_too_long",
    "rate_limit_error": "rate_limited",
    "timeout_error": "timeout",
    "overloaded_error": "overloaded",
}
"""The provider's types of errors, but for those that say no more than the status does."""
VAGUE: Final[Mapping[str, str]] = {
    "invalid_request_error": "invalid_request",
    "api_error": "server_error",
}
"""Types that mean anything on the side of the caller, or of the provider."""
BY_STATUS: Final[Mapping[int, str]] = {
    400: "invalid_request", 401: "key_rejected", 402: "spend_limit", 403: "not_permitted",
    404: "model_not_found", 407: "not_the_provider", 408: "timeout", 409: "server_error",
    413: "input_too_long", 422: "invalid_request", 425: "server_error", 429: "rate_limited",
    451: "region_refused", 504: "timeout", 524: "timeout", 529: "overloaded",
}  # fmt: skip
"""409: the same idempotency key is under way. 425: asked again too early. 524: a gateway's 504."""
NEEDS_WORDS: Final = frozenset({400, 403, 404, 405, 406, 410, 418, 421})
"""Statuses that gateways and addresses that lead elsewhere answer too: without words of an API in
the body, they say nothing about account, model or request."""
RETRYABLE: Final = frozenset(
    {"rate_limited", "overloaded", "server_error", "connection", "timeout", "cut_off"}
)
SAID: Final[Mapping[str, str]] = {
    "rate_limited": "The provider limits how much may be asked for at the moment.",
    "overloaded": "The provider's models are overloaded at the moment.",
    "server_error": "The provider, or a gateway on the way to it, has a fault at the moment.",
    "timeout": "The provider took too long to answer.",
    "connection": "The provider could not be reached.",
    "cut_off": "The provider's answer could not be read to its end.",
    "invalid_request": "The provider refused the request.",
    "input_too_long": "The documents are longer than the model can read at once.",
    "key_rejected": "The provider does not accept the API key.",
    "spend_limit": "The provider says that the account has no credit left, or reached its limit.",
    "not_permitted": "The API key's account may not do this.",
    "model_not_found": (
        "The provider does not know the model{model}, or the key's account may not use it."
    ),
    "account_disabled": "The provider has disabled the account that the API key belongs to.",
    "region_refused": (
        "The provider does not serve requests from the country or network of this service."
    ),
    "not_the_provider": (
        "Something else answered in the provider's place: a proxy, a firewall, or another server "
        "at the address in the settings."
    ),
}
QUOTED: Final = frozenset(
    {
        "account_disabled",
        "input_too_long",
        "invalid_request",
        "model_not_found",
        "not_permitted",
        "region_refused",
        "spend_limit",
    }
)


class Body(NamedTuple):
    """What an error body says, as far as it is there."""

    kind: str = ""
    cause: str = ""
    message: str = ""
    status: int = 0
    """A status that stands in the body, as gateways write it."""

    @property
    def speaks(self) -> bool:
        """Whether an API wrote it."""
        return bool(self.kind or self.message)


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
    if 300 <= status < 400:  # noqa: PLR2004 - redirects.
        detail = "The provider's address leads somewhere else. Check the address in the settings."
        return ModelError("connection", detail, retryable=False, tokens=tokens)
    told = body_of(body)
    code = _code(status, told)
    if not told.speaks and _from_elsewhere(status, body, headers):
        code = "not_the_provider"
    return _error(code, told.message, tokens, model, api_key, wait_of(headers))


def error_of_body(
    data: str, tokens: Tokens, model: str, api_key: str, *, otherwise: str = "server_error"
) -> ModelError:
    """The error of an event in the middle of a stream, or of a body that came with success.

    `otherwise` is the code of what tells no error at all.
    """
    try:
        body = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        body = None
    told = body_of(body)
    code = _code(told.status, told) if told.speaks else otherwise
    return _error(code, told.message, tokens, model, api_key, None)


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


def body_of(body: object) -> Body:
    """What an error body says; `Body()` of what is none.

    The provider's own shape, and those of gateways: the error as a text, or its words beside it.
    """
    if not isinstance(body, dict):
        return Body()
    error: Any = body.get("error")
    if isinstance(error, str):
        return Body(message=error, status=_number(body.get("status")))
    if not isinstance(error, dict):
        said = next((body[name] for name in ("message", "detail") if _is_text(body.get(name))), "")
        return Body(message=said)
    details = error.get("details")
    cause = details.get("error_code") if isinstance(details, dict) else ""
    code = error.get("code")
    return Body(
        kind=str(error.get("type") or ""),
        cause=" ".join(str(one) for one in (cause, code) if one and isinstance(one, str)),
        message=str(error.get("message") or ""),
        status=_number(error.get("status")) or _number(code),
    )


def wait_of(headers: httpx2.Headers) -> float | None:
    """Seconds that an answer asks to wait: a number, or a date by the clock of its sender."""
    said = headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        seconds = _until(said, headers.get("date", ""))
    return min(seconds, LONGEST_WAIT) if seconds >= 0 else None


def _until(then: str, now: str) -> float:
    """Seconds between two dates of HTTP; -1 if either is none."""
    try:
        between = parsedate_to_datetime(then) - parsedate_to_datetime(now)
    except (TypeError, ValueError):
        return -1.0
    return max(0.0, between.total_seconds())


def _code(status: int, told: Body) -> str:
    """The cause that the words name; else the type, where it says something; else the status.

    Args:
        status: Of the answer; 0 in the middle of a stream.
        told: What its body says.
    """
    code = BY_TYPE.get(told.kind) or BY_STATUS.get(status, "")
    if code == "model_not_found" and told.kind not in BY_TYPE and "model" not in told.message:
        code = "not_the_provider"  # Nothing is at that address; a model was not even looked for.
    if not code and status < 500:  # noqa: PLR2004
        code = VAGUE.get(told.kind, "invalid_request" if status else "server_error")
    code = code or "server_error"
    return cause_told(code, told.cause, told.message) or code


def _error(
    code: str, message: str, tokens: Tokens, model: str, api_key: str, wait: float | None
) -> ModelError:
    detail = SAID[code].format(model=f" `{model}`" if model else "")
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


def _from_elsewhere(status: int, body: object, headers: httpx2.Headers) -> bool:
    """Whether a refusal without words of an API is none of the provider's.

    With a status of 5xx it is a gateway's, too, but may pass.
    """
    if status >= 500 or status in _AS_MEANT:  # noqa: PLR2004
        return False
    page = isinstance(body, str) and body.lstrip().startswith("<")
    return page or status in NEEDS_WORDS or "text/html" in headers.get("content-type", "")


_AS_MEANT: Final = frozenset({402, 408, 413, 425, 429, 451})
"""What a gateway that refuses it means as the provider would."""


def _number(value: object) -> int:
    try:
        return int(value) if isinstance(value, int | str) else 0
    except ValueError:
        return 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
