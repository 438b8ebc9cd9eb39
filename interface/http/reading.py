"""What the read models and the log answer about features.

Invariant: an id of another tenant and an id of nothing get the same answer; both are looked up
under the caller's tenant only.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from application.stored_files import read_stored
from domain import events as e
from domain.errors import NotFound
from domain.status import Status
from interface.http.asking import (
    Cursor,
    FeatureId,
    Limit,
    MinVersion,
)
from interface.http.body import JsonRequest
from interface.http.moments import AsOf, Seen, look, page_of
from interface.http.problems import Fault, refuse
from interface.http.services import Services, of
from interface.http.shapes import (
    CheckpointPage,
    FeaturePage,
    FeatureView,
    FileItem,
    FilePage,
    MessagePage,
    RunPage,
)
from interface.http.signed_in import caller_of
from interface.http.views import feature_view, message_view, texts_needed, written_of

Words = Annotated[
    str | None, QueryParameter(max_length=200, description="Words of the title, in any case.")
]


@get("/features", summary="The dashboard")
async def list_features(
    request: JsonRequest,
    status: FromQuery[Status | None] = None,
    q: Words = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> FeaturePage:
    """All features, newest first."""
    if q is not None and "\x00" in q:
        raise refuse("invalid_request", errors=(Fault("q", "Holds a NUL"),))
    tenant_id = caller_of(request).tenant_id
    found = await of(request.app.state).reads.features(
        tenant_id, status=status, q=q or "", limit=limit, cursor=cursor
    )
    return FeaturePage(found.items, found.next_cursor, found.unread)


@get("/features/{feature_id:uuid}", summary="One feature, whole")
async def read_feature(
    request: JsonRequest, feature_id: FeatureId, moment: AsOf, min_version: MinVersion = None
) -> Response[FeatureView]:
    """Deliverables, recommendation, status, actions, files and cost: now, or as they were."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    seen = await look(services, tenant_id, feature_id, moment, min_version)
    texts, forks = await asyncio.gather(
        services.features.texts(tenant_id, feature_id, texts_needed(seen.row)),
        services.reads.forks(tenant_id, feature_id),
    )
    return seen.answer(feature_view(seen, texts, forks.items))


@get("/features/{feature_id:uuid}/messages", summary="The conversation")
async def list_messages(
    request: JsonRequest,
    feature_id: FeatureId,
    moment: AsOf,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[MessagePage]:
    """What was said, oldest first; going back hides what came later."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    seen = await look(services, tenant_id, feature_id, moment, min_version)
    if seen.past is None:
        said = await services.reads.messages(tenant_id, feature_id, limit=limit, cursor=cursor)
    else:
        said = page_of(seen.past.messages, limit, cursor)
    versions = {message.version for message in said.items}
    texts = await services.features.texts(tenant_id, feature_id, versions)
    views = (message_view(message, texts) for message in said.items)
    return seen.answer(MessagePage(tuple(view for view in views if view), said.next_cursor))


@get("/features/{feature_id:uuid}/checkpoints", summary="Places to go back to")
async def list_checkpoints(
    request: JsonRequest,
    feature_id: FeatureId,
    moment: AsOf,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[CheckpointPage]:
    """Every version that `replay` takes, oldest first."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    seen = await look(services, tenant_id, feature_id, moment, min_version)
    if seen.past is None:
        found = await services.reads.checkpoints(tenant_id, feature_id, limit=limit, cursor=cursor)
    else:
        found = page_of(seen.past.feature.checkpoints, limit, cursor)
    return seen.answer(CheckpointPage(found.items, found.next_cursor))


@get("/features/{feature_id:uuid}/runs", summary="What agents did")
async def list_runs(
    request: JsonRequest,
    feature_id: FeatureId,
    moment: AsOf,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[RunPage]:
    """Every agent run, oldest first, with what it used and what came of it."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    seen = await look(services, tenant_id, feature_id, moment, min_version)
    if seen.past is None:
        found = await services.reads.runs(tenant_id, feature_id, limit=limit, cursor=cursor)
    else:
        found = page_of(seen.past.runs, limit, cursor)
    return seen.answer(RunPage(found.items, found.next_cursor))


@get("/features/{feature_id:uuid}/files", summary="Generated files")
async def list_files(
    request: JsonRequest,
    feature_id: FeatureId,
    moment: AsOf,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[FilePage]:
    """The files of the implementation that counts now, by path."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    seen = await look(services, tenant_id, feature_id, moment, min_version)
    made = page_of(await _files(services, tenant_id, seen), limit, cursor)
    items = tuple(FileItem(file.path, file.size, file.sha256) for file in made.items)
    return seen.answer(FilePage(items, made.next_cursor))


@get(
    "/features/{feature_id:uuid}/files/{path:path}",
    summary="One generated file",
    media_type="text/plain",
)
async def read_file(
    request: JsonRequest, feature_id: FeatureId, path: FromPath[str], moment: AsOf
) -> Response[bytes]:
    """The file's bytes, checked against its hash. Text is sent as plain text, never as a page."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    seen = await look(services, tenant_id, feature_id, moment)
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


async def _files(services: Services, tenant_id: UUID, seen: Seen) -> Sequence[e.FileWritten]:
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


HANDLERS = (
    list_features,
    read_feature,
    list_messages,
    list_checkpoints,
    list_runs,
    list_files,
    read_file,
)
