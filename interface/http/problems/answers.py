"""Which refusals each route may answer with, for the API document.

Invariant: a code that a route answers with is listed here, under its status; the fuzzing of the API
compares what it gets. Some codes follow from a route's shape, the rest stand in a table.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from litestar.handlers import HTTPRouteHandler

from interface.http.problems.table import PROBLEMS

ANYWHERE: Final = ("invalid_request", "internal_error", "unavailable")
"""A header may be out of order wherever one is sent."""
SIGNED_IN: Final = ("unauthenticated", "too_many_requests")
"""Everywhere under `/api`."""
SAME_SITE: Final = ("cross_site", "not_found", "too_many_requests")
"""Everywhere under `/auth`, which is not there with a foreign issuer."""
WITH_BODY: Final = ("invalid_body", "request_timeout", "too_large", "unsupported_media_type")
COMMAND: Final = ("not_found", "not_now", "version_conflict", "key_reused")
"""What takes `If-Match` and `Idempotency-Key`."""
WORKING: Final = ("api_key_missing",)
"""What sets agents to work."""

OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "confirm_brief": (*WORKING, "empty_brief"),
    "revise_brief": (*WORKING, "empty_brief"),
    "read_brief": ("empty_brief",),
    "approve": (*WORKING, "content_changed", "proposal_pending"),
    "request_rewrite": (*WORKING, "content_changed", "unknown_parts"),
    "edit_document": (*WORKING, "content_changed", "faulty_document", "nothing_changed"),
    "retry_feature": (*WORKING, "no_such_checkpoint"),
    "replay_feature": (*WORKING, "no_such_checkpoint"),
    "post_message": WORKING,
    "fork_feature": ("no_such_checkpoint",),
    "estimate_cost": ("not_now", "no_such_checkpoint", "content_changed"),
    "preview_change": ("not_now", "empty_brief", "artifact_lost"),
    "read_reason": ("not_now", "artifact_lost"),
    "read_standing": ("not_now", "artifact_lost"),
    "diff_features": ("no_such_version", "artifact_lost"),
    "read_file": ("artifact_lost",),
    "download": ("not_now", "artifact_lost", "range_not_satisfiable"),
    "letter": ("not_now", "artifact_lost"),
    "store_api_key": ("api_key_rejected",),
    "sign_up": ("email_invalid", "password_refused", "email_taken"),
    "log_in": ("wrong_credentials",),
    "refresh": ("session_ended",),
    "reset": ("reset_refused", "password_refused"),
}
"""By the route's name, what its shape does not tell."""


def refusals_of(handler: HTTPRouteHandler, path: str) -> Mapping[int, list[str]]:
    """The codes of a route's refusals by their status."""
    found: dict[int, list[str]] = {}
    for code in dict.fromkeys(_codes(handler, path)):
        found.setdefault(PROBLEMS[code].status, []).append(code)
    return dict(sorted(found.items()))


def _codes(handler: HTTPRouteHandler, path: str) -> Iterator[str]:
    takes = handler.parsed_fn_signature.parameters
    if path.startswith("/api/"):
        yield from SIGNED_IN
    if path.startswith("/auth/"):
        yield from SAME_SITE
    if "_id}" in path:
        yield "not_found"
    if "moment" in takes:
        yield "no_such_version"
    if "terms" in takes:
        yield from COMMAND
    if handler.parsed_data_field is not None:
        yield from WITH_BODY
    yield from OWN.get(handler.handler_name, ())
    yield from ANYWHERE
