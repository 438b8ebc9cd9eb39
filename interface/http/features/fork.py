"""Beginning another feature from a checkpoint, and comparing any two versions.

Invariant: both only read the feature they begin from; its log is not touched.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from litestar import Response, get, post
from litestar.params import JSONBody
from msgspec import Struct

from application.delivery.diff import ChangedText, ComparedText
from application.delivery.download import markdown_of
from application.delivery.stored_files import read_all_stored
from application.ports import Accepted
from domain import commands as c
from domain import events as e
from domain.runs import Tokens
from domain.status import Agent, Step
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted
from interface.http.account.signed_in import actor_of, caller_of
from interface.http.middleware import correlation_id
from interface.http.preconditions import PreconditionsDependency, etag, idempotency_of
from interface.http.requests.body import JsonRequest
from interface.http.requests.parameters import FeatureId, FromVersion, ToVersion, With
from interface.http.responses.as_of import AsOf, FeatureSnapshot, load_snapshot, read_past
from interface.http.services import Services, of
from interface.limits import Rate
from projections.feature import WrittenPart
from projections.past import Past
from projections.run import Outcome, RunRow

T = TypeVar("T")


class Side(StrEnum):
    """Which of the two a run led to."""

    FROM = "from"
    TO = "to"


class Place(Struct, frozen=True):
    """One side of a comparison."""

    id: UUID
    version: int


class RunBetween(Struct, frozen=True):
    """A run that one side has and the other has not."""

    side: Side
    id: UUID
    step: Step
    agent: Agent
    model: str
    prompt_sha256: str
    outcome: Outcome
    version: int
    """Of the event that announced it, in its side's feature."""
    tokens: Tokens
    cost_usd: Decimal


class Difference(Struct, frozen=True):
    """What is not the same in two versions."""

    begin: Place
    end: Place
    deliverables: tuple[ChangedText, ...]
    files: tuple[ChangedText, ...]
    runs: tuple[RunBetween, ...]
    tokens: Tokens
    """Of these runs together."""
    cost_usd: Decimal


@post(
    "/features/{feature_id:str}/fork",
    status_code=201,
    summary="Fork from a checkpoint",
    guards=[Counted(Rate.CREATE, by_address=Rate.CREATE_BY_ADDRESS)],
)
async def fork_feature(
    request: JsonRequest,
    feature_id: FeatureId,
    data: JSONBody[c.ForkFeature],
    terms: PreconditionsDependency,
) -> Response[Accepted]:
    """A new feature that begins with the history up to there; no approval is inherited."""
    services, caller = of(request.app.state), caller_of(request)
    answer = await services.features.fork(
        feature_id,
        services.new_id(),
        data,
        tenant_id=caller.tenant_id,
        actor=actor_of(caller),
        correlation_id=correlation_id(request.state, services.new_id),
        if_match=terms.if_match,
        idempotency=idempotency_of(request, terms, data),
    )
    headers = {"ETag": etag(answer.version), "Location": f"/api/features/{answer.id}"}
    return Response(answer, status_code=201, headers=headers)


@get(
    "/features/{feature_id:str}/diff",
    summary="What changed between two versions",
    guards=[Counted(Rate.SEARCH)],
)
async def diff_features(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    from_version: FromVersion,
    to_version: ToVersion = None,
    other: With = None,
) -> Difference:
    """Deliverables and files as unified diffs, and the agent runs between; also across forks."""
    begin = await load_snapshot(services, tenant_id, feature_id, AsOf(from_version))
    other_id = feature_id if other is None else other
    end = await load_snapshot(services, tenant_id, other_id, AsOf(to_version))
    return await difference(services, tenant_id, begin, end)


async def difference(
    services: Services, tenant_id: UUID, begin: FeatureSnapshot, end: FeatureSnapshot
) -> Difference:
    """The difference between two versions. Raises as the ports do."""
    runs = await _runs(services, tenant_id, begin, end)
    return Difference(
        begin=Place(begin.row.id, begin.row.version),
        end=Place(end.row.id, end.row.version),
        deliverables=await _documents(services, tenant_id, begin, end),
        files=await _files(services, tenant_id, begin, end),
        runs=runs,
        tokens=sum((run.tokens for run in runs), Tokens()),
        cost_usd=sum((run.cost_usd for run in runs), Decimal(0)),
    )


async def _documents(
    services: Services, tenant_id: UUID, begin: FeatureSnapshot, end: FeatureSnapshot
) -> tuple[ChangedText, ...]:
    before, after = _pages(begin), _pages(end)

    async def read(
        names: tuple[str, ...],
    ) -> tuple[dict[str, ComparedText], dict[str, ComparedText]]:
        return (
            await _texts(services, tenant_id, begin.row.id, _only(before, names)),
            await _texts(services, tenant_id, end.row.id, _only(after, names)),
        )

    old, new = ({n: page.content_sha256 for n, page in x.items()} for x in (before, after))
    return await services.comparisons.changes(tenant_id, old, new, read)


def _pages(seen: FeatureSnapshot) -> dict[str, WrittenPart]:
    written = seen.row.deliverables
    named = ((f"{name}.md", getattr(written, name)) for name in written.__struct_fields__)
    return {name: page for name, page in named if page}


def _only(every: Mapping[str, T], names: tuple[str, ...]) -> dict[str, T]:
    return {name: every[name] for name in names if name in every}


async def _texts(
    services: Services, tenant_id: UUID, feature_id: UUID, pages: Mapping[str, WrittenPart]
) -> dict[str, ComparedText]:
    versions = {page.version for page in pages.values()}
    found = await services.features.texts(tenant_id, feature_id, versions)
    return {
        name: ComparedText(page.content_sha256, markdown_of(found[page.version].event).encode())
        for name, page in pages.items()
        if page.version in found
    }


async def _files(
    services: Services, tenant_id: UUID, begin: FeatureSnapshot, end: FeatureSnapshot
) -> tuple[ChangedText, ...]:
    before = await _written(services, tenant_id, begin)
    after = await _written(services, tenant_id, end)

    async def side(
        seen: FeatureSnapshot, files: Mapping[str, e.FileWritten]
    ) -> dict[str, ComparedText]:
        wanted = files.values()
        bodies = await read_all_stored(services.artifacts, tenant_id, seen.row.id, wanted)
        return {
            path: ComparedText(file.sha256, body)
            for (path, file), body in zip(files.items(), bodies, strict=True)
        }

    async def read(
        names: tuple[str, ...],
    ) -> tuple[dict[str, ComparedText], dict[str, ComparedText]]:
        return await side(begin, _only(before, names)), await side(end, _only(after, names))

    old, new = ({path: file.sha256 for path, file in x.items()} for x in (before, after))
    return await services.comparisons.changes(tenant_id, old, new, read)


async def _written(
    services: Services, tenant_id: UUID, seen: FeatureSnapshot
) -> dict[str, e.FileWritten]:
    version = seen.row.files_version
    if version is None:
        return {}
    found = await services.features.texts(tenant_id, seen.row.id, {version})
    event = found[version].event
    files = event.files if isinstance(event, e.ImplementationCompleted) else ()
    return {file.path: file for file in files}


async def _runs(
    services: Services, tenant_id: UUID, begin: FeatureSnapshot, end: FeatureSnapshot
) -> tuple[RunBetween, ...]:
    """The runs of either side since the last version that both have in common."""
    if begin.row.id == end.row.id:
        side = Side.TO if begin.row.version <= end.row.version else Side.FROM
        older, newer = sorted((begin, end), key=lambda seen: seen.row.version)
        past = await _past(services, tenant_id, newer)
        return _since(side, past, older.row.version)
    found: list[RunBetween] = []
    for side, seen, across in ((Side.FROM, begin, end), (Side.TO, end, begin)):
        origin = across.row.forked_from
        common = origin.version if origin and origin.id == seen.row.id else 0
        past = await _past(services, tenant_id, seen)
        found += _since(side, past, common)
    return tuple(found)


async def _past(services: Services, tenant_id: UUID, seen: FeatureSnapshot) -> Past:
    if seen.past is not None:
        return seen.past
    return await read_past(services, tenant_id, seen.row.id, AsOf(seen.row.version))


def _since(side: Side, past: Past, version: int) -> tuple[RunBetween, ...]:
    return tuple(_between(side, run) for run in past.runs if run.version > version)


def _between(side: Side, run: RunRow) -> RunBetween:
    return RunBetween(
        side,
        run.id,
        run.step,
        run.agent,
        run.model,
        run.prompt_sha256,
        run.outcome,
        run.version,
        run.tokens,
        run.cost_usd,
    )


HANDLERS = (fork_feature, diff_features)
