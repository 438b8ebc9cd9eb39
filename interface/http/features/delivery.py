"""What a finished feature is taken away as: a zip that proves itself, or a history for git.

Invariant: a refusal comes before the first byte; the same version gives the same bytes every time,
under the same entity tag, so that a download that was cut off goes on where it was.
"""

from collections.abc import Mapping
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated, Final, NamedTuple
from urllib.parse import quote

from litestar import Response, get
from litestar.params import QueryParameter

from application.delivery.names import file_name
from interface.http.account.given import OfServices, OfTenant
from interface.http.account.rates import Counted
from interface.http.middleware import asks_for_head
from interface.http.requests.body import JsonRequest
from interface.http.requests.parameters import FeatureId, IfNoneMatch, IfRange, Range
from interface.http.requests.ranges import RangeRequest, Sending, within
from interface.http.responses.as_of import AsOfDependency, load_snapshot
from interface.http.streaming.session_end import while_session_lasts
from interface.http.streaming.streaming import Ending, Put, StreamedResponse
from interface.http.streaming.streams import open_pipe
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


NotPassed = Annotated[
    bool,
    QueryParameter(
        description="Also take the zip of code whose reviews came to no verdict: it did not pass, "
        "and says so. Only where `failure.download` of the feature is true.",
    ),
]


@get(
    "/features/{feature_id:str}/download",
    summary="The code, with what proves it",
    media_type="application/zip",
    guards=[Counted(Rate.DOWNLOAD)],
)
async def download(
    request: JsonRequest,
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    moment: AsOfDependency,
    form: Wanted = DownloadFormat.ZIP,
    not_passed: NotPassed = False,  # noqa: FBT002 - by name, from the query.
    unless: IfNoneMatch = None,
    range_: Range = None,
    if_still: IfRange = None,
) -> Response[bytes]:
    """The source code, streamed: the same bytes every time; also as it was, and in part."""
    version = None
    if not moment.is_present:
        version = (await load_snapshot(services, tenant_id, feature_id, moment)).row.version
    made = services.bundle if form is DownloadFormat.GIT else services.archive
    if not_passed and form is DownloadFormat.ZIP and services.not_passed:
        made = services.not_passed
    asked = RangeRequest(asks_for_head(request.scope), unless, range_, if_still)
    settled: list[Sending] = []
    names: list[str] = []

    async def produce(put: Put) -> None:
        parcel = await made(tenant_id, feature_id, version)
        names.append(parcel.called)
        sending = await asked.settle(parcel, services.lengths)
        settled.append(sending)
        if sending.bare:
            return
        async with aclosing(services.lengths.noting(parcel)) as chunks:
            async for chunk in within(chunks, sending.span):
                await put(chunk)

    media_type, suffix = FORMS[form]
    pipe = open_pipe(request, Room.FILE, while_session_lasts(request, produce))
    await pipe.begun()
    (sending,) = settled
    ending = "-not-passed" if not_passed else ""
    plain = f"feature-{feature_id}{ending}.{suffix}"
    called = f"{file_name(names[0], ending)}.{suffix}"
    headers = {**sending.headers, "Content-Disposition": attachment(called, plain)}
    if sending.bare:
        return Response(b"", status_code=sending.status, media_type=media_type, headers=headers)
    end = Ending(seconds=DOWNLOAD_SECONDS)
    return StreamedResponse(
        pipe, end, media_type=media_type, headers=headers, status_code=sending.status
    )


class LetterFormat(StrEnum):
    """What the letter is sent as."""

    MD = "md"
    HTML = "html"


LETTERS: Final[Mapping[LetterFormat, str]] = {
    LetterFormat.MD: "text/markdown",
    LetterFormat.HTML: "text/html",
}

WantedLetter = Annotated[
    LetterFormat,
    QueryParameter(
        name="format", description="`md`: text. `html`: a page to print, without scripts."
    ),
]


@get(
    "/features/{feature_id:str}/letter",
    summary="A page for whoever will run it",
    media_type="text/markdown",
    guards=[Counted(Rate.DOWNLOAD)],
)
async def letter(
    services: OfServices,
    tenant_id: OfTenant,
    feature_id: FeatureId,
    moment: AsOfDependency,
    form: WantedLetter = LetterFormat.MD,
) -> Response[bytes]:
    """What the finished code is, needs and costs, and whom to ask; also as it was."""
    version = None
    if not moment.is_present:
        version = (await load_snapshot(services, tenant_id, feature_id, moment)).row.version
    called, body = await services.letter(tenant_id, feature_id, form, version)
    plain = f"feature-{feature_id}-letter.{form}"
    named = {"Content-Disposition": attachment(f"{file_name(called, '-letter')}.{form}", plain)}
    return Response(body, media_type=LETTERS[form], headers=named)


def attachment(name: str, plain: str) -> str:
    """The header that names a file in any script (RFC 6266), and in ASCII for old clients."""
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


HANDLERS = (download, letter)
