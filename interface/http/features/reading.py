"""What the read models and the log answer about features.

Invariant: an id of another tenant and an id of nothing get the same answer; both are looked up
under the caller's tenant only.
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import quote
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath, FromQuery

from application.delivery.stored_files import read_stored
from domain import events as e
from domain.errors import NotFound
from domain.status import Status
from interface.http.account.given import OfServices, OfTenant
from interface.http.requests.cursors import Listing
from interface.http.requests.parameters import Cursor, FeatureId, Limit, MinVersion, TitleWords
from interface.http.responses.as_of import (
    AsOf,
    AsOfDependency,
    FeatureSnapshot,
    load_snapshot,
    page_of,
)
from interface.http.responses.structs import (
    CheckpointPage,
    FeaturePage,
    FeatureView,
    FileItem,
    FilePage,
    MessagePage,
    RunPage,
)
from interface.http.responses.views import (
    feature_view,
    message_view,
    reading_order,
    run_item,
    texts_needed,
    written_of,
)
from interface.http.services import Services
from projections.dashboard import DashboardRow
from projections.store import Page


@get("/features", summary="The dashboard")
async def list_features(
    services: OfServices,
    tenant_id: OfTenant,
    status: FromQuery[Status | None] = None,
    q: TitleWords = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> FeaturePage:
    """All features, newest first."""
    listing = services.cursors.of(tenant_id, "features", status, q or "")
    after = listing.after(cursor)
    found = await services.reads.features(
        tenant_id, status=status, q=q or "", limit=limit, after=UUID(after) if after else None
    )
    return FeaturePage(found.items, _goes_on(listing, found), found.unread)


@get("/features/{feature_id:str}", summary="One feature, whole")
async def read_feature(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    moment: AsOfDependency,
    min_version: MinVersion = None,
) -> Response[FeatureView]:
    """Deliverables, recommendation, status, actions, files and cost: now, or as they were."""
    seen = await load_snapshot(services, tenant_id, feature_id, moment, min_version, row_only=True)
    texts, forks = await asyncio.gather(
        services.features.texts(tenant_id, feature_id, texts_needed(seen.row)),
        services.reads.forks(tenant_id, feature_id),
    )
    gives_undecided = services.not_passed is not None
    return seen.answer(feature_view(seen, texts, forks.items, gives_undecided=gives_undecided))


@get("/features/{feature_id:str}/messages", summary="The conversation")
async def list_messages(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    moment: AsOfDependency,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[MessagePage]:
    """What was said, oldest first; going back hides what came later."""
    seen = await load_snapshot(services, tenant_id, feature_id, moment, min_version)
    listing = _of(services, tenant_id, "messages", feature_id, moment)
    after = int(listing.after(cursor) or 0)
    if seen.past is None:
        said = await services.reads.messages(tenant_id, feature_id, limit=limit, after=after)
    else:
        said = page_of([row for row in seen.past.messages if row.version > after], limit)
    versions = {message.version for message in said.items}
    texts = await services.features.texts(tenant_id, feature_id, versions)
    views = (message_view(message, texts) for message in said.items)
    more = listing.cursor(said.items[-1].version) if said.more else None
    return seen.answer(MessagePage(tuple(view for view in views if view), more))


@get("/features/{feature_id:str}/checkpoints", summary="Places to go back to")
async def list_checkpoints(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    moment: AsOfDependency,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[CheckpointPage]:
    """Every version that `replay` takes, oldest first."""
    seen = await load_snapshot(services, tenant_id, feature_id, moment, min_version, row_only=True)
    listing = _of(services, tenant_id, "checkpoints", feature_id, moment)
    after = int(listing.after(cursor) or 0)
    marks = seen.row.checkpoints
    found = page_of([mark for mark in marks if mark.version > after], limit)
    more = listing.cursor(found.items[-1].version) if found.more else None
    return seen.answer(CheckpointPage(found.items, more))


@get("/features/{feature_id:str}/runs", summary="What agents did")
async def list_runs(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    moment: AsOfDependency,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[RunPage]:
    """Every agent run, oldest first, with what it used and what came of it."""
    seen = await load_snapshot(services, tenant_id, feature_id, moment, min_version)
    listing = _of(services, tenant_id, "runs", feature_id, moment)
    after = int(listing.after(cursor) or 0)
    if seen.past is None:
        found = await services.reads.runs(tenant_id, feature_id, limit=limit, after=after)
    else:
        found = page_of([run for run in seen.past.runs if run.version > after], limit)
    more = listing.cursor(found.items[-1].version) if found.more else None
    return seen.answer(RunPage(tuple(map(run_item, found.items)), more))


@get("/features/{feature_id:str}/files", summary="Generated files")
async def list_files(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    moment: AsOfDependency,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[FilePage]:
    """The files of the implementation that counts now: `README.md`, then by path."""
    seen = await load_snapshot(services, tenant_id, feature_id, moment, min_version, row_only=True)
    listing = _of(services, tenant_id, "files", feature_id, moment)
    after = listing.after(cursor) or ""
    files = await _files(services, tenant_id, seen)
    made = page_of(
        [file for file in files if not after or reading_order(file.path) > reading_order(after)],
        limit,
    )
    items = tuple(FileItem(file.path, file.size, file.sha256) for file in made.items)
    return seen.answer(FilePage(items, listing.cursor(items[-1].path) if made.more else None))


@get(
    "/features/{feature_id:str}/files/{path:path}",
    summary="One generated file",
    media_type="text/plain",
)
async def read_file(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    path: FromPath[str],
    moment: AsOfDependency,
) -> Response[bytes]:
    """The file's bytes, checked against its hash. Text is sent as plain text, never as a page."""
    seen = await load_snapshot(services, tenant_id, feature_id, moment, row_only=True)
    wanted = path.removeprefix("/")
    found = next((f for f in await _files(services, tenant_id, seen) if f.path == wanted), None)
    if found is None:
        raise NotFound
    body = await read_stored(services.artifacts, tenant_id, feature_id, found)
    headers = {
        **seen.headers,
        "ETag": f'"{found.sha256}"',
        "Content-Disposition": "attachment; filename*=UTF-8''"
        + quote(wanted.rpartition("/")[2], safe=""),
    }
    kind = "text/plain" if _is_text(body) else "application/octet-stream"
    return Response(body, media_type=kind, headers=headers)


def _of(services: Services, tenant_id: UUID, name: str, feature_id: UUID, moment: AsOf) -> Listing:
    """A list of one feature, now or as it was."""
    return services.cursors.of(tenant_id, name, feature_id, moment)


async def _files(
    services: Services, tenant_id: UUID, seen: FeatureSnapshot
) -> Sequence[e.FileWritten]:
    version = seen.row.files_version
    if version is None:
        return ()
    texts = await services.features.texts(tenant_id, seen.row.id, {version})
    return written_of(texts.get(version))


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\x00" not in body


def _goes_on(listing: Listing, found: Page[DashboardRow]) -> str | None:
    """Where a list, newest first, goes on, also behind a feature that cannot be read here."""
    if not found.more:
        return None
    return listing.cursor(min([*(row.id for row in found.items[-1:]), *found.unread[-1:]]))


HANDLERS = (
    list_features,
    read_feature,
    list_messages,
    list_checkpoints,
    list_runs,
    list_files,
    read_file,
)
