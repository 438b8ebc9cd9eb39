"""Every other path: the web app's files, or, where it was not built, one plain page that says so.

Invariant: only files that were there at the start are served, from memory, by their exact path;
and a page runs no script and no style but those whose hashes its policy names.
"""

import base64
import gzip
import hashlib
import html
import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from litestar import HttpMethod, Response, route
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

from interface.http.problems.table import PROBLEMS
from interface.http.requests.body import JsonRequest
from interface.http.services import HttpSettings

WELCOME: Final = Path(__file__).with_name("welcome.html")
NEVER_A_PAGE: Final = ("/api/", "/auth/", "/_app/", "/.well-known/", "/health/")
COMPRESS_ABOVE_BYTES: Final = 1_000
DEMO_NOTE: Final = (
    "<p><strong>This service runs with its demo model.</strong> It follows a script and answers "
    "every brief with the same kind of small program. Nothing leaves this machine.</p>"
)

mimetypes.add_type("text/javascript", ".js")

_INLINE: Final = re.compile(rb"<(script|style)(?![^>]*\bsrc=)[^>]*>(.*?)</\1>", re.DOTALL)


class Asset(Struct, frozen=True):
    """A file in memory."""

    body: bytes
    zipped: bytes | None
    etag: str
    media_type: str
    headers: dict[str, str]


def load(settings: HttpSettings) -> Mapping[str, Asset]:
    """All files by path. `/` is the start page; other paths of the web app fall back to it."""
    if settings.web is None or not (settings.web / "index.html").is_file():
        note = DEMO_NOTE if settings.demo_model else ""
        page = WELCOME.read_text().replace("<!-- demo -->", note)
        page = page.replace("{{public_url}}", html.escape(settings.public_url.rstrip("/")))
        return {"/": _asset("index.html", page.encode())}
    assets = {}
    for file in sorted(settings.web.rglob("*")):
        if file.is_file() and file.suffix not in (".br", ".gz", ".map"):
            path = "/" + file.relative_to(settings.web).as_posix()
            assets[path] = _asset(path, _told(file, settings))
    return {**assets, "/": assets["/index.html"]}


@route(
    ["/", "/{path:path}"],
    http_method=[
        HttpMethod.GET,
        HttpMethod.POST,
        HttpMethod.PUT,
        HttpMethod.PATCH,
        HttpMethod.DELETE,
        HttpMethod.OPTIONS,
    ],
    include_in_schema=False,
    status_code=200,
)
async def page(request: JsonRequest) -> Response[bytes]:
    """A file of the web app, or its start page for the paths that it routes itself."""
    assets: Mapping[str, Asset] = request.app.state.assets
    path = request.scope["path"]
    found = assets.get(path) or assets.get(f"{path.rstrip('/')}.html")
    if found is None and not (path + "/").startswith(NEVER_A_PAGE) and _wants_page(request):
        found = assets.get("/200.html") or assets["/"]
    if found is None or request.method != "GET":
        raise NotFoundException
    headers = {"ETag": found.etag, "Vary": "Accept-Encoding", **found.headers}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    body = found.body
    if found.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = found.zipped, "gzip"
    return Response(body, media_type=found.media_type, headers=headers)


@route("/problems/{code:str}", http_method=[HttpMethod.GET], include_in_schema=False)
async def problem_page(code: FromPath[str]) -> Response[str]:
    """What a problem's `type` leads to: what it means, and what to do."""
    kind = PROBLEMS.get(code)
    if kind is None:
        raise NotFoundException
    text = f"{kind.title} ({kind.status})\n\n{kind.help}\n"
    return Response(text, media_type="text/plain")


def _wants_page(request: JsonRequest) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _told(file: Path, settings: HttpSettings) -> bytes:
    """A file's bytes; a page is told whether a demo model may answer, and calls it so."""
    body = file.read_bytes()
    if file.suffix == ".html" and settings.demo_model:
        return body.replace(b'data-model="anthropic"', b'data-model="demo"', 1)
    return body


def _asset(path: str, body: bytes) -> Asset:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    immutable = path.startswith("/_app/immutable/")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if immutable else "no-cache",
        "Content-Security-Policy": _policy(body) if kind == "text/html" else "default-src 'none'",
    }
    squeezed = gzip.compress(body, 9, mtime=0) if len(body) > COMPRESS_ABOVE_BYTES else None
    small = squeezed if squeezed is not None and len(squeezed) < len(body) else None
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Asset(body, small, etag, kind, headers)


def _policy(page_bytes: bytes) -> str:
    """The policy of a page: this origin's files, and its own inline parts by their hashes."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for tag, text in _INLINE.findall(page_bytes):
        digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
        hashes[tag.decode()].append(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *hashes["script"]]),
            " ".join(["style-src 'self'", *hashes["style"]]),
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )
