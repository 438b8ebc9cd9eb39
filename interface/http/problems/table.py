"""What every error looks like (RFC 9457), and the one table of their codes.

Invariant: an answer of 400 or above has a code of `PROBLEMS`, with the status that stands there.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

MEDIA_TYPE: Final = "application/problem+json"


class ProblemKind(NamedTuple):
    """A kind of problem."""

    status: int
    title: str
    help: str
    """What it means and what to do, for the reader of `/problems/<code>`."""


class Fault(Struct, frozen=True):
    """Where a request is wrong."""

    pointer: str
    """JSON pointer into the body, or the name of the parameter or header."""
    detail: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error, as RFC 9457 has it. `code` is stable; texts may change."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str = ""
    """The path that was asked for."""
    request_id: str = ""
    """Say this when you ask for help."""
    errors: tuple[Fault, ...] = ()
    feature_status: str | None = None
    """Where the feature stands."""
    actions: tuple[str, ...] | None = None
    """What is possible there instead."""
    current_version: int | None = None
    """The version that `If-Match` should have named."""
    current_sha256: str | None = None
    """The hash of the content as it is now; null if there is none."""
    proposal_version: int | None = None
    """The version of the reply that proposes the changed brief."""
    retry_after_seconds: int | None = None
    """As in the header `Retry-After`."""


class HttpProblem(Exception):
    """A request is answered with a problem."""

    def __init__(self, problem: Problem, *, headers: Mapping[str, str] = {}) -> None:
        """Take the problem, and what its answer's headers say beside it."""
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers


PROBLEMS: Final[Mapping[str, ProblemKind]] = {
    "invalid_body": ProblemKind(
        400,
        "The body is not valid",
        "The body is not valid JSON, or not what this route takes. `errors` says where.",
    ),
    "invalid_request": ProblemKind(
        400,
        "The request is not valid",
        "A query parameter, a header or the path is not valid. `errors` says which.",
    ),
    "email_invalid": ProblemKind(
        400,
        "That is no e-mail address",
        "Write the address plainly, such as ann@example.org: without a name, quotes or accents.",
    ),
    "password_refused": ProblemKind(
        400,
        "The password cannot be used",
        "A password has at least 12 characters and at most 1,024 bytes, and is not one that is "
        "guessed early. Take three or more words that do not belong together.",
    ),
    "reset_refused": ProblemKind(
        400,
        "The link is not good any more",
        "Links are good for an hour, and once. Ask for a new one.",
    ),
    "api_key_rejected": ProblemKind(
        400,
        "The provider rejects this key",
        "The model's provider was asked and did not accept the key. Nothing was stored.",
    ),
    "unauthenticated": ProblemKind(
        401,
        "Sign in first",
        "The request needs a good access token: `Authorization: Bearer <token>`.",
    ),
    "wrong_credentials": ProblemKind(
        401, "Not signed in", "The e-mail address or the password is not right."
    ),
    "session_ended": ProblemKind(
        401,
        "The session has ended",
        "The refresh token is missing, unknown, expired, or was used before. Sign in again.",
    ),
    "cross_site": ProblemKind(
        403,
        "Not from here",
        "Routes that use the cookie answer only to pages of this service's own address.",
    ),
    "not_found": ProblemKind(
        404, "Not found", "There is nothing here, or nothing that you may see. Check the id."
    ),
    "no_such_version": ProblemKind(
        404,
        "The feature has no such version",
        "Versions count from 1 to the present one, in the header `ETag` of every answer; "
        "a time must not be before the first.",
    ),
    "method_not_allowed": ProblemKind(
        405, "Not with this method", "The header `Allow` says which methods this route takes."
    ),
    "not_acceptable": ProblemKind(
        406,
        "Not in that form",
        "The header `Accept` asks for a form that this route does not have.",
    ),
    "request_timeout": ProblemKind(408, "The request took too long", "Send it again."),
    "not_now": ProblemKind(
        409,
        "Not possible now",
        "The feature is at a stage where that is not possible. `feature_status` says which, "
        "`actions` what is possible.",
    ),
    "content_changed": ProblemKind(
        409,
        "The content has changed",
        "What was approved is not what is there now. Read it again, then approve the new hash.",
    ),
    "no_such_checkpoint": ProblemKind(
        409,
        "No such checkpoint",
        "GET the feature's checkpoints and choose the version of one of them.",
    ),
    "proposal_pending": ProblemKind(
        409,
        "A changed brief is proposed",
        "In the conversation at the gate a changed brief is proposed, and approving would leave it "
        "out. Take it with `revise`, or approve with `proposal_put_aside` set to "
        "`proposal_version`.",
    ),
    "unknown_parts": ProblemKind(
        422,
        "No such part of the document",
        "A comment names an id, a path or a name that the document at the gate does not have. "
        "GET `documents/{gate}` and take one that stands there, or leave `target` empty.",
    ),
    "nothing_changed": ProblemKind(
        422,
        "Nothing is changed",
        "The edited document reads as the one that stands there. Nothing was recorded.",
    ),
    "faulty_document": ProblemKind(
        422,
        "The document does not pass the checks",
        "It is checked as what an agent writes is. `errors` says what is wrong, each with its "
        "place; nothing was recorded. Mend it and send it again.",
    ),
    "empty_brief": ProblemKind(
        422,
        "The brief is empty",
        "There is no letter and no number in it. Write what the software should do.",
    ),
    "api_key_missing": ProblemKind(
        409,
        "An API key is needed first",
        "Store your Anthropic API key with `PUT /api/settings/api-key`, then send this again.",
    ),
    "email_taken": ProblemKind(
        409, "There is such an account", "Sign in, or ask for a new password."
    ),
    "superseded": ProblemKind(
        409, "Something newer came first", "Read the feature again; it has moved on."
    ),
    "step_failed": ProblemKind(
        409,
        "The assistant could not answer",
        "Nothing is lost, and it is not tried again by itself. `detail` says why; once that is "
        "mended, send the message again.",
    ),
    "set_back": ProblemKind(
        409,
        "The service was set back",
        "It was restored to an earlier state, and what this was about is not in it. Read the "
        "feature again; what is missing has to be said or decided again.",
    ),
    "version_conflict": ProblemKind(
        412,
        "The feature has changed",
        "`If-Match` names another version than `current_version`. Read, then decide again.",
    ),
    "too_large": ProblemKind(
        413,
        "Too large",
        "A body has at most 256 KiB; a brief has at most 40,000 characters, a message 20,000. "
        "Nothing was taken: make it shorter, or split it, then send it again.",
    ),
    "unsupported_media_type": ProblemKind(
        415, "Not JSON", "Bodies are JSON: `Content-Type: application/json`."
    ),
    "range_not_satisfiable": ProblemKind(
        416,
        "No such bytes",
        "`Range` asks for bytes behind the end. The header `Content-Range` says where that is.",
    ),
    "head_too_large": ProblemKind(
        431, "The head is too large", "A request has at most 64 KiB of address and 100 headers."
    ),
    "key_reused": ProblemKind(
        422,
        "The idempotency key was used for something else",
        "An `Idempotency-Key` stands for one request for 24 hours. Use a new one.",
    ),
    "too_many_requests": ProblemKind(
        429,
        "Too many requests",
        "Nothing was done. `detail` says what there was too much of; wait as long as `Retry-After` "
        "says, then send the same again.",
    ),
    "internal_error": ProblemKind(
        500,
        "Something went wrong here",
        "The fault is ours. The operator finds it in the log by `request_id`.",
    ),
    "event_damaged": ProblemKind(
        500,
        "Part of the feature cannot be read",
        "Something of its log is not what was recorded, or does not open. `detail` names it; the "
        "operator can tell more by `log verify`. Other features go on.",
    ),
    "artifact_lost": ProblemKind(
        500,
        "A stored file cannot be read",
        "The file is missing, or not what was stored. The operator finds it in the log.",
    ),
    "newer_version": ProblemKind(
        503,
        "Written by a newer version",
        "A newer version of this service wrote to the feature, and this process is not replaced "
        "yet. Nothing is lost: try again once the update is through. Other features go on.",
    ),
    "key_not_given": ProblemKind(
        503,
        "The feature cannot be opened here",
        "It is sealed under a master key that this process was not given. Nothing is lost; the "
        "operator has to give the key. Other features go on.",
    ),
    "unavailable": ProblemKind(
        503,
        "Not available at the moment",
        "Something this service needs does not answer. Nothing was half done; try again.",
    ),
}

BY_STATUS: Final[Mapping[int, str]] = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "cross_site",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    431: "head_too_large",
    503: "unavailable",
}
"""The code for a refusal that comes from the framework, which has a status only."""


def problem(code: str, detail: str = "", *, errors: tuple[Fault, ...] = ()) -> Problem:
    """A problem of this code; without a detail, with the kind's own words."""
    kind = PROBLEMS[code]
    return Problem(
        type=f"/problems/{code}",
        title=kind.title,
        status=kind.status,
        detail=detail or kind.help,
        code=code,
        errors=errors,
    )


def refuse(code: str, detail: str = "", *, errors: tuple[Fault, ...] = ()) -> HttpProblem:
    """The exception that answers with this problem."""
    return HttpProblem(problem(code, detail, errors=errors))


def wait(code: str, seconds: float, detail: str = "") -> HttpProblem:
    """The exception that answers with this problem, to be tried again after so many seconds."""
    whole = max(1, int(seconds) + (seconds > int(seconds)))
    return HttpProblem(replace(problem(code, detail), retry_after_seconds=whole))
