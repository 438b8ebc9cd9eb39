"""What the read models and the log answer about features.

Invariant: an id of another tenant and an id of nothing get the same answer; both are looked up
under the caller's tenant only.
"""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from application.artifact_keys import artifact_key
from domain.errors import NotFound
from domain.status import Status
from interface.http.asking import (
    Cursor,
    FeatureId,
    Limit,
    MinVersion,
    cursor_at,
    etag,
    place_of,
)
from interface.http.body import JsonRequest
from interface.http.flow import Ending, Flow, Put
from interface.http.problems import Fault, refuse, wait
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
from interface.http.streams import open_pipe
from interface.http.views import feature_view, files_of, message_view, texts_needed
from projections.feature import FeatureRow

Words = Annotated[
    str | None, QueryParameter(max_length=200, description="Words of the title, in any case.")
]

DOWNLOAD_SECONDS: Final = 15 * 60.0


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
    return FeaturePage(found.items, found.next_cursor)


@get("/features/{feature_id:uuid}", summary="One feature, whole")
async def read_feature(
    request: JsonRequest, feature_id: FeatureId, min_version: MinVersion = None
) -> Response[FeatureView]:
    """Deliverables, recommendation, status, actions, files and cost."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    row = await _row(services, tenant_id, feature_id, min_version)
    texts = await services.features.texts(tenant_id, feature_id, texts_needed(row))
    return _at(row, feature_view(row, texts))


@get("/features/{feature_id:uuid}/messages", summary="The conversation")
async def list_messages(
    request: JsonRequest,
    feature_id: FeatureId,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[MessagePage]:
    """What was said, oldest first; going back hides what came later."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    row = await _row(services, tenant_id, feature_id, min_version)
    said = await services.reads.messages(tenant_id, feature_id, limit=limit, cursor=cursor)
    versions = {message.version for message in said.items}
    texts = await services.features.texts(tenant_id, feature_id, versions)
    views = (message_view(message, texts) for message in said.items)
    return _at(row, MessagePage(tuple(view for view in views if view), said.next_cursor))


@get("/features/{feature_id:uuid}/checkpoints", summary="Places to go back to")
async def list_checkpoints(
    request: JsonRequest,
    feature_id: FeatureId,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[CheckpointPage]:
    """Every version that `replay` takes, oldest first."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    row = await _row(services, tenant_id, feature_id, min_version)
    found = await services.reads.checkpoints(tenant_id, feature_id, limit=limit, cursor=cursor)
    return _at(row, CheckpointPage(found.items, found.next_cursor))


@get("/features/{feature_id:uuid}/runs", summary="What agents did")
async def list_runs(
    request: JsonRequest,
    feature_id: FeatureId,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[RunPage]:
    """Every agent run, oldest first, with what it used and what came of it."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    row = await _row(services, tenant_id, feature_id, min_version)
    found = await services.reads.runs(tenant_id, feature_id, limit=limit, cursor=cursor)
    return _at(row, RunPage(found.items, found.next_cursor))


@get("/features/{feature_id:uuid}/files", summary="Generated files")
async def list_files(
    request: JsonRequest,
    feature_id: FeatureId,
    min_version: MinVersion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[FilePage]:
    """The files of the implementation that counts now, by path."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    row = await _row(services, tenant_id, feature_id, min_version)
    made = await _files(services, tenant_id, row)
    after = place_of(cursor)
    shown = tuple(made[after : after + limit])
    more = after + limit < len(made)
    return _at(row, FilePage(shown, cursor_at(after + limit) if more else None))


@get(
    "/features/{feature_id:uuid}/files/{path:path}",
    summary="One generated file",
    media_type="text/plain",
)
async def read_file(
    request: JsonRequest, feature_id: FeatureId, path: FromPath[str]
) -> Response[bytes]:
    """The file's bytes, checked against its hash. Text is sent as plain text, never as a page."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    row = await _row(services, tenant_id, feature_id, None)
    wanted = path.removeprefix("/")
    found = next((f for f in await _files(services, tenant_id, row) if f.path == wanted), None)
    if found is None:
        raise NotFound
    body = await services.artifacts.get(artifact_key(tenant_id, feature_id, found.sha256))
    headers = {
        "ETag": f'"{found.sha256}"',
        "Content-Disposition": "attachment; filename*=UTF-8''"
        + quote(wanted.rpartition("/")[2], safe=""),
    }
    kind = "text/plain" if _is_text(body) else "application/octet-stream"
    return Response(body, media_type=kind, headers=headers)


@get(
    "/features/{feature_id:uuid}/download",
    summary="The zip",
    media_type="application/zip",
)
async def download(request: JsonRequest, feature_id: FeatureId) -> Response[bytes]:
    """The source code, streamed: the same bytes every time."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id

    async def produce(put: Put) -> None:
        async with aclosing(services.archive(tenant_id, feature_id)) as zipped:
            async for chunk in zipped:
                await put(chunk)

    headers = {"Content-Disposition": f'attachment; filename="feature-{feature_id}.zip"'}
    pipe = open_pipe(services, tenant_id, produce)
    await pipe.begun()
    ending = Ending(seconds=DOWNLOAD_SECONDS)
    return Flow(pipe, ending, media_type="application/zip", headers=headers)


async def _row(
    services: Services, tenant_id: UUID, feature_id: UUID, min_version: int | None
) -> FeatureRow:
    """The feature's row. Raises NotFound; 503 while the read models have not heard of it yet."""
    known = await services.features.load(tenant_id, feature_id)
    if known.version == 0 or known.status is Status.DELETED:
        raise NotFound
    # What the log has not got is not worth waiting for.
    wanted = None if min_version is None else min(min_version, known.version)
    row = await services.reads.feature(tenant_id, feature_id, min_version=wanted)
    if row is None:
        raise wait("unavailable", 1, "The feature is being prepared for reading. Try again.")
    return row


async def _files(services: Services, tenant_id: UUID, row: FeatureRow) -> Sequence[FileItem]:
    version = row.files_version
    if version is None:
        return ()
    texts = await services.features.texts(tenant_id, row.id, {version})
    return files_of(texts.get(version))


def _at(row: FeatureRow, body: Any) -> Response[Any]:  # noqa: ANN401 - any view.
    return Response(body, headers={"ETag": etag(row.version)})


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
    download,
)
