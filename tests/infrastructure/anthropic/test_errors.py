"""Each way in which a provider, a gateway or somebody in between refuses has its own true cause."""

import json
from typing import Any

import httpx2
import pytest

from application.agents.failures import CODES
from application.ports import ModelError
from domain.runs import Tokens
from infrastructure.anthropic import causes, errors

KEY = "sk-ant-api03-canary-0123456789abcdef"
PAGE = "<!DOCTYPE html><html><head><title>Attention Required!</title></head></html>"


def told(kind: str, message: str = "No.", **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **more}}


def error_of(status: int, body: object, **headers: str) -> ModelError:
    return errors.error_of_status(
        status, body, httpx2.Headers(headers), tokens=Tokens(), model="claude-x", api_key=KEY
    )


INVALID = "invalid_request_error"
LONG = [
    (400, told(INVALID, "prompt is too long: 210343 tokens > 200000 maximum")),
    (
        400,
        told(
            INVALID,
            "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, "
            "decrease input length or `max_tokens` and try again",
        ),
    ),
    (400, {"message": "Input is too long for requested model."}),
    (400, {"error": {"message": "This model's maximum context length is 200000 tokens.",
                     "code": "context_length_exceeded"}}),
    (400, told(INVALID, "The request exceeds the maximum size of 32 MB")),
    (413, told("request_too_large", "Request exceeds the maximum size")),
    (413, PAGE),
    (413, None),
    (422, {"detail": "Prompt too large: too many tokens."}),
]  # fmt: skip
REGION = [
    (403, told("forbidden", "Request not allowed")),
    (403, told("permission_error", "Claude is not available in your region.")),
    (
        400,
        told(INVALID, "Claude is not supported in this country"),
    ),
    (
        403,
        {"error": {"code": "unsupported_country_region_territory", "message": "Not supported."}},
    ),
    (451, PAGE),
]
DISABLED = [
    (400, told(INVALID, "This organization has been disabled.")),
    (400, {"message": "organization disabled"}),
    (403, told("permission_error", "Your account has been suspended.")),
    (401, told("authentication_error", "The workspace is archived.")),
]
ELSEWHERE = [
    (403, PAGE),
    (401, PAGE),
    (404, PAGE),
    (405, PAGE),
    (407, None),
    (403, "RBAC: access denied"),
    (404, {"detail": "Not Found"}),
    (404, "404 page not found"),
    (400, "<html><h1>400 The plain HTTP request was sent to HTTPS port</h1></html>"),
]
KEYS = [
    (401, told("authentication_error", "invalid x-api-key")),
    (401, None),
    (400, told("authentication_error", "invalid x-api-key")),
    (400, {"error": "API key is invalid"}),
    (403, told("permission_error", "This API key has expired.")),
]
MONEY = [
    (402, None),
    (400, told(INVALID, "Your credit balance is too low to access the Anthropic API.")),
    (429, told("rate_limit_error", "No.", details={"error_code": "enforced_spend_limit_reached"})),
    (429, told("rate_limit_error", "Extra usage is required for long context requests.")),
    (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your quota."}}),
]
MODEL = [
    (404, told("not_found_error", "model: claude-x")),
    (404, {"error": {"message": "The model `claude-x` does not exist"}}),
    (400, told(INVALID, "The model claude-x has reached its end of life.")),
]
LIMITED = [
    (429, PAGE),
    (429, told("rate_limit_error", "This request would exceed 30,000 input tokens per minute.")),
    (429, {"message": "Too many tokens, please wait before trying again."}),
]
BUSY = [(529, None), (529, told("overloaded_error")), (500, told("overloaded_error"))]
FAULTY = [
    (500, None),
    (502, PAGE),
    (503, "{broken"),
    (520, PAGE),
    (500, told("api_error")),
    (409, None),
]
SLOW = [(504, PAGE), (408, None), (524, PAGE)]
REFUSED = [
    (400, told(INVALID, "max_tokens: 200000 > 128000, which is the maximum allowed number of "
                        "output tokens for claude-x")),
    (400, told(INVALID, "messages.3.content: thinking blocks cannot be modified")),
    (422, None),
    (400, told(INVALID, "Web search is disabled for your organization.")),
]  # fmt: skip
PERMITTED = [
    (403, told("permission_error", "Your API key may not use this model.")),
    (400, told(INVALID, "This credential is only authorized for use with another product.")),
]
BY_CODE = {
    "input_too_long": LONG,
    "region_refused": REGION,
    "account_disabled": DISABLED,
    "not_the_provider": ELSEWHERE,
    "key_rejected": KEYS,
    "spend_limit": MONEY,
    "model_not_found": MODEL,
    "rate_limited": LIMITED,
    "overloaded": BUSY,
    "server_error": FAULTY,
    "timeout": SLOW,
    "invalid_request": REFUSED,
    "not_permitted": PERMITTED,
}
CASES = [(code, *case) for code, cases in BY_CODE.items() for case in cases]


@pytest.mark.parametrize(("code", "status", "body"), CASES)
def test_every_refusal_has_its_true_cause(code: str, status: int, body: object) -> None:
    error = error_of(status, body)
    assert error.code == code
    assert error.retryable is (code in errors.RETRYABLE)
    assert KEY not in str(error)


@pytest.mark.parametrize(
    ("code", "body"),
    [(code, body) for code, status, body in CASES if isinstance(body, dict) and status < 500
     and "type" in body and body["error"]["type"] != "forbidden"],
)  # fmt: skip
def test_in_the_middle_of_a_stream_the_same_words_mean_the_same(code: str, body: object) -> None:
    assert errors.error_of_body(json.dumps(body), Tokens(), "claude-x", KEY).code == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ('{"error": {"code": 401, "message": "No auth"}}', "key_rejected"),
        ('{"error": {"status": "429", "message": "Slow down"}}', "rate_limited"),
        ('{"error": "boom"}', "server_error"),
        ("{}", "server_error"),
        ("no JSON", "server_error"),
        ("[" * 100_000, "server_error"),
        ('{"error": {"type": 7, "message": null, "details": "x", "code": [1]}}', "server_error"),
    ],
)
def test_an_error_without_the_providers_shape_is_read_as_far_as_it_goes(
    data: str, code: str
) -> None:
    assert errors.error_of_body(data, Tokens(), "claude-x", KEY).code == code


def test_every_code_is_explained_and_only_what_may_pass_is_tried_again() -> None:
    named = {*errors.BY_TYPE.values(), *errors.VAGUE.values(), *errors.BY_STATUS.values()}
    named |= {cause.code for cause in causes.CAUSES} | errors.QUOTED | errors.RETRYABLE
    assert named <= set(errors.SAID) <= set(CODES)
    assert all(cause.hides_behind <= set(errors.SAID) for cause in causes.CAUSES)
    again = {code for code, advice in CODES.items() if advice.again}
    assert again & set(errors.SAID) == errors.RETRYABLE


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("259200", 259_200.0),
        ("Sun, 29 Nov 2026 04:00:00 GMT", 7_200.0),
        ("Sun, 29 Nov 2026 01:00:00 GMT", 0.0),
        ("inf", errors.LONGEST_WAIT),
        ("nan", None),
        ("-1", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_pause_is_a_number_or_a_date(said: str, seconds: float | None) -> None:
    error = error_of(429, None, **{"retry-after": said, "date": "Sun, 29 Nov 2026 02:00:00 GMT"})
    assert error.retry_after_seconds == seconds
