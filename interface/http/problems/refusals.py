"""From exceptions to problems: the one place where words of the domain get HTTP numbers.

Invariant: what is not a known refusal becomes a 500 that tells nothing but the request id; its
cause goes to the log, whole.
"""

import math
from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec.structs import replace

from application.features import KeyReused, VersionMismatch
from application.identity.account_ports import AccountRefused
from application.identity.api_keys import KeyRejected
from application.identity.rate_limit import TooOften
from application.ports import (
    ArtifactDamaged,
    ArtifactMissing,
    Diverged,
    Groundless,
    ReceiptExists,
    Unavailable,
    Unreadable,
)
from domain.errors import ContentChanged, FaultyDocument, NotFound, NotNow, ProposalPending, Refused
from domain.lifecycle import actions_at
from interface.http.problems.table import (
    BY_STATUS,
    MEDIA_TYPE,
    Fault,
    HttpProblem,
    Problem,
    problem,
)

log = structlog.get_logger(__name__)
TOLD: Final = ("allow", "Content-Range")
"""Headers of an exception that belong into its answer."""
RETRY_AFTER_SECONDS: Final = 2
UPGRADE_SECONDS: Final = 30
"""When to come back to what another version of this program has to answer."""
INTERNAL: Final = 500
MOST_FAULTS: Final = 100
"""Of a document: so many are told at once."""


def problem_of(error: BaseException) -> Problem:
    """The problem that tells a client about this exception."""
    match error:
        case HttpProblem():
            return error.problem
        case NotNow(status=status, due=due, stopped=stopped):
            said = problem("not_now", str(error))
            if status is None:
                return said
            actions = actions_at(status, due=due, stopped=stopped)
            return replace(said, feature_status=str(status), actions=actions)
        case ContentChanged(current_sha256=current):
            return replace(problem("content_changed", str(error)), current_sha256=current)
        case ProposalPending(version=version):
            return replace(problem("proposal_pending", str(error)), proposal_version=version)
        case FaultyDocument(faults=faults):
            shown = tuple(Fault(pointer, said) for pointer, said in faults[:MOST_FAULTS])
            return problem("faulty_document", errors=shown)
        case NotFound():
            # Not its own words: an id of nothing, of a stranger, and of what was deleted are one.
            return problem("not_found")
        case Refused():
            return problem(error.code, str(error))
        case VersionMismatch(current_version=current):
            return replace(problem("version_conflict", str(error)), current_version=current)
        case KeyReused():
            return problem("key_reused", str(error))
        case AccountRefused():
            seconds = getattr(error, "retry_after_seconds", None)
            said = problem(error.code, str(error))
            return said if seconds is None else replace(said, retry_after_seconds=_up(seconds))
        case TooOften(retry_after_seconds=seconds):
            return replace(
                problem("too_many_requests", str(error)), retry_after_seconds=_up(seconds)
            )
        case Unavailable(dependency=dependency):
            said = problem("unavailable", f"{dependency} cannot be reached at the moment.")
            return replace(said, retry_after_seconds=RETRY_AFTER_SECONDS)
        case Unreadable(why=why):
            said = problem(str(why), str(error))
            if said.status == INTERNAL:
                return said
            return replace(said, retry_after_seconds=UPGRADE_SECONDS)
        case Diverged() | Groundless():
            said = problem("unavailable", "The log was set back meanwhile. Try again.")
            return replace(said, retry_after_seconds=1)
        case ReceiptExists():
            said = problem("unavailable", "The same request is being answered. Try again.")
            return replace(said, retry_after_seconds=1)
        case KeyRejected():
            return problem("api_key_rejected", str(error))
        case ArtifactMissing() | ArtifactDamaged():
            return problem("artifact_lost")
        case ValidationException():
            return _invalid(error)
        case HTTPException():
            return problem(BY_STATUS.get(error.status_code, _code(error.status_code)))
        case _:
            return problem("internal_error", "Something went wrong here; the operator can see it.")


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The answer to a request that ended in this exception."""
    said = problem_of(error)
    request_id = getattr(request.state, "request_id", "")
    if said.status == INTERNAL:
        log.error("request_crashed", exc_info=error, request_id=request_id)
    return respond(replace(said, instance=request.scope["path"], request_id=request_id), error)


def respond(said: Problem, error: BaseException | None = None) -> Response[Problem]:
    """The response that carries a problem."""
    headers = {"Cache-Control": "no-store"}
    given = getattr(error, "headers", None) or {}
    headers |= {name.title(): given[name] for name in TOLD if name in given}
    if said.retry_after_seconds is not None:
        headers["Retry-After"] = str(said.retry_after_seconds)
    if said.code == "unauthenticated":
        headers["WWW-Authenticate"] = "Bearer"
    return Response(said, status_code=said.status, media_type=MEDIA_TYPE, headers=headers)


def _invalid(error: ValidationException) -> Problem:
    """What the framework found wrong with parameters; bodies are checked by `body`."""
    found = error.extra if isinstance(error.extra, list) else []
    faults = tuple(
        Fault(str(entry.get("key", "")), str(entry.get("message", ""))) for entry in found
    )
    if any(fault.pointer == "data" for fault in faults):
        return problem("invalid_body", errors=(Fault("", "A JSON body is required"),))
    return problem("invalid_request", errors=faults)


def _code(status: int) -> str:
    return "invalid_request" if status < INTERNAL else "internal_error"


def _up(seconds: float) -> int:
    return max(1, math.ceil(seconds))
