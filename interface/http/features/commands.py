"""What a person asks of a feature: one route for each command of the domain.

Invariant: a body is the domain's own command struct; nothing is decided here.
"""

from uuid import UUID

from litestar import Response, delete, patch, post
from litestar.params import JSONBody
from msgspec.structs import replace

from application.ports import Accepted
from domain import commands as c
from interface.http.account.rates import Counted
from interface.http.preconditions import (
    Preconditions,
    PreconditionsDependency,
    accepted,
    carry_out,
    etag,
)
from interface.http.requests.body import JsonRequest
from interface.http.requests.parameters import FeatureId
from interface.http.services import of
from interface.limits import Rate


@post(
    "/features",
    status_code=201,
    summary="Begin a feature",
    guards=[Counted(Rate.CREATE, by_address=Rate.CREATE_BY_ADDRESS)],
)
async def create_feature(
    request: JsonRequest, data: JSONBody[c.CreateFeature], terms: PreconditionsDependency
) -> Response[Accepted]:
    """A feature in `drafting`."""
    feature_id = of(request.app.state).new_id()
    answer = await carry_out(request, replace(terms, if_match=None), feature_id, data)
    headers = {"ETag": etag(answer.version), "Location": f"/api/features/{answer.id}"}
    return Response(answer, status_code=201, headers=headers)


@patch(
    "/features/{feature_id:str}",
    status_code=202,
    summary="Rename",
    guards=[Counted(Rate.RENAME)],
)
async def rename_feature(
    request: JsonRequest,
    feature_id: FeatureId,
    data: JSONBody[c.RenameFeature],
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """Another title."""
    return accepted(await carry_out(request, terms, feature_id, data))


@delete(
    "/features/{feature_id:str}",
    status_code=202,
    summary="Delete for good",
    guards=[Counted(Rate.DECIDE)],
)
async def delete_feature(
    request: JsonRequest,
    feature_id: FeatureId,
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """Gone from every view; its content is unreadable for ever, its files are removed."""
    return accepted(await carry_out(request, terms, feature_id, c.DeleteFeature()))


@post(
    "/features/{feature_id:str}/brief",
    status_code=202,
    summary="Confirm the brief",
    guards=[Counted(Rate.DECIDE)],
)
async def confirm_brief(
    request: JsonRequest,
    feature_id: FeatureId,
    data: JSONBody[c.ConfirmBrief],
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """The spec agent starts."""
    return await _working(request, terms, feature_id, data)


@post(
    "/features/{feature_id:str}/revise",
    status_code=202,
    summary="Revise the brief",
    guards=[Counted(Rate.DECIDE)],
)
async def revise_brief(
    request: JsonRequest,
    feature_id: FeatureId,
    data: JSONBody[c.ReviseBrief],
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """At any gate: written anew from this brief. Done or failed: the next round begins."""
    return await _working(request, terms, feature_id, data)


@post(
    "/features/{feature_id:str}/approve",
    status_code=202,
    summary="Approve at a gate",
    guards=[Counted(Rate.DECIDE)],
)
async def approve(
    request: JsonRequest,
    feature_id: FeatureId,
    data: JSONBody[c.Approve],
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """Approves exactly the content with this hash, whatever was recommended."""
    return await _working(request, terms, feature_id, data)


@post(
    "/features/{feature_id:str}/retry",
    status_code=202,
    summary="Try again after a failure",
    guards=[Counted(Rate.DECIDE)],
)
async def retry_feature(
    request: JsonRequest,
    feature_id: FeatureId,
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """Back to the last good checkpoint, and on from there."""
    return await _working(request, terms, feature_id, c.RetryFeature())


@post(
    "/features/{feature_id:str}/replay",
    status_code=202,
    summary="Go back to a checkpoint",
    guards=[Counted(Rate.DECIDE)],
)
async def replay_feature(
    request: JsonRequest,
    feature_id: FeatureId,
    data: JSONBody[c.ReplayFeature],
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """Appends one event; nothing is deleted, nothing recorded is paid for again."""
    return await _working(request, terms, feature_id, data)


@post(
    "/features/{feature_id:str}/stop",
    status_code=202,
    summary="Stop the agents",
    guards=[Counted(Rate.DECIDE)],
)
async def stop_work(
    request: JsonRequest,
    feature_id: FeatureId,
    data: JSONBody[c.StopWork],
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """What runs is cut off, what is due waits; nothing is paid for until work is resumed."""
    return accepted(await carry_out(request, terms, feature_id, data))


@post(
    "/features/{feature_id:str}/resume",
    status_code=202,
    summary="Let the agents go on",
    guards=[Counted(Rate.DECIDE)],
)
async def resume_work(
    request: JsonRequest,
    feature_id: FeatureId,
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """The steps that were stopped are due again; accepted files and documents stand."""
    return await _working(request, terms, feature_id, c.ResumeWork())


async def _working(
    request: JsonRequest, terms: Preconditions, feature_id: UUID, command: c.FeatureCommand
) -> Response[Accepted]:
    """Carry out a command after which agents work."""
    answer = await carry_out(request, terms, feature_id, command, sets_agents_to_work=True)
    return accepted(answer)


HANDLERS = (
    create_feature,
    rename_feature,
    delete_feature,
    confirm_brief,
    revise_brief,
    approve,
    retry_feature,
    replay_feature,
    stop_work,
    resume_work,
)
