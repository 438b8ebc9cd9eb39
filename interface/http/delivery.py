"""What a finished feature is taken away as: a zip that proves itself, or a history for git.

Invariant: a refusal comes before the first byte; the same version gives the same bytes every time.
"""

from collections.abc import Mapping
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from litestar import Response, get
from litestar.params import QueryParameter

from interface.http.asking import FeatureId
from interface.http.body import JsonRequest
from interface.http.flow import Ending, Flow, Put
from interface.http.moments import AsOf, look
from interface.http.rates import Counted
from interface.http.services import of
from interface.http.session_end import while_session_lasts
from interface.http.signed_in import caller_of
from interface.http.streams import open_pipe
from interface.limits import Rate, Room

DOWNLOAD_SECONDS: Final = 15 * 60.0


class DownloadFormat(StrEnum):
    """What a download is."""

    ZIP = "zip"
    GIT = "git"


class Form(NamedTuple):
    """How a format is sent."""

    media_type: str
    suffix: str


FORMS: Final[Mapping[DownloadFormat, Form]] = {
    DownloadFormat.ZIP: Form("application/zip", "zip"),
    DownloadFormat.GIT: Form("application/x-git-bundle", "bundle"),
}

Wanted = Annotated[
    DownloadFormat,
    QueryParameter(
        name="format",
        description="`zip`: the files. `git`: a bundle for `git clone`, one commit per checkpoint.",
    ),
]


@get(
    "/features/{feature_id:uuid}/download",
    summary="The code, with what proves it",
    media_type="application/zip",
    guards=[Counted(Rate.DOWNLOAD)],
)
async def download(
    request: JsonRequest,
    feature_id: FeatureId,
    moment: AsOf,
    form: Wanted = DownloadFormat.ZIP,
) -> Response[bytes]:
    """The source code, streamed: the same bytes every time; also as it was."""
    services, tenant_id = of(request.app.state), caller_of(request).tenant_id
    version = None
    if not moment.is_present:
        version = (await look(services, tenant_id, feature_id, moment)).row.version
    made = services.bundle if form is DownloadFormat.GIT else services.archive

    async def produce(put: Put) -> None:
        async with aclosing(made(tenant_id, feature_id, version)) as chunks:
            async for chunk in chunks:
                await put(chunk)

    media_type, suffix = FORMS[form]
    name = f"feature-{feature_id}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    pipe = open_pipe(request, Room.FILE, while_session_lasts(request, produce))
    await pipe.begun()
    ending = Ending(seconds=DOWNLOAD_SECONDS)
    return Flow(pipe, ending, media_type=media_type, headers=headers)


HANDLERS = (download,)
