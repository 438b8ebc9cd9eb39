"""Signing up, in, out and again. The refresh token lives in a cookie that only `/auth` sees.

Invariant: no route here acts for a page of another origin, and the refresh token is in no body.
"""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from litestar import Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody
from msgspec import Meta, Struct

from application.accounts import Accounts, SessionEnded, SignedIn
from interface.http.body import JsonRequest
from interface.http.problems import refuse
from interface.http.services import of
from interface.http.signed_in import address_of

COOKIE: Final = "bp_refresh"
LARGEST_TOKEN: Final = 512
COOKIE_SECONDS: Final = 30 * 24 * 60 * 60

Email = Annotated[str, Meta(min_length=3, max_length=254)]
NewPassword = Annotated[
    str,
    Meta(min_length=12, max_length=1024, description="12 characters or more, at most 1,024 bytes"),
]


class Secret(Struct, frozen=True, forbid_unknown_fields=True):
    """A body that must not be printed."""

    def __repr__(self) -> str:
        """Say nothing of what is inside."""
        return f"{type(self).__name__}(…)"


class Credentials(Secret, frozen=True):
    """Who signs in."""

    email: Email
    password: Annotated[str, Meta(max_length=1024)]


class NewAccount(Secret, frozen=True):
    """Who signs up."""

    email: Email
    password: NewPassword


class Forgotten(Secret, frozen=True):
    """Whose password is forgotten."""

    email: Email


class NewPasswordByLink(Secret, frozen=True):
    """The token of the link, and the new password."""

    token: Annotated[str, Meta(min_length=1, max_length=LARGEST_TOKEN)]
    password: NewPassword


class TokenAnswer(Struct, frozen=True):
    """An access token for `Authorization: Bearer`; the refresh token comes as a cookie."""

    access_token: str
    token_type: str
    expires_in: int
    """Seconds it is good for."""


class Jwks(Struct, frozen=True):
    """A JSON Web Key Set (RFC 7517)."""

    keys: tuple[dict[str, Any], ...]


async def same_site(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse pages of other origins. Clients that are no browsers send neither header."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise refuse("cross_site")
    origin = connection.headers.get("origin")
    if origin is not None and origin not in _own_origins(of(connection.app.state).settings):
        raise refuse("cross_site")


@post("/signup", status_code=201, summary="Make an account")
async def sign_up(request: JsonRequest, data: JSONBody[NewAccount]) -> Response[TokenAnswer]:
    """An account with a tenant of its own; signed in at once."""
    signed_in = await _accounts(request).sign_up(data.email, data.password, address_of(request))
    return _answer(signed_in, 201)


@post("/login", status_code=200, summary="Sign in")
async def log_in(request: JsonRequest, data: JSONBody[Credentials]) -> Response[TokenAnswer]:
    """An access token, and a refresh token in a cookie."""
    signed_in = await _accounts(request).log_in(data.email, data.password, address_of(request))
    return _answer(signed_in)


@post("/refresh", status_code=200, summary="A new access token")
async def refresh(request: JsonRequest) -> Response[TokenAnswer]:
    """Exchanges the cookie's refresh token; an old one ends the whole family."""
    accounts, token = _accounts(request), request.cookies.get(COOKIE, "")
    if not 0 < len(token) <= LARGEST_TOKEN:
        raise SessionEnded
    return _answer(await accounts.refresh(token))


@post("/logout", status_code=204, summary="Sign out")
async def log_out(request: JsonRequest) -> Response[None]:
    """Ends the session of the cookie; without one, nothing happens."""
    token = request.cookies.get(COOKIE, "")
    accounts = _accounts(request)
    if 0 < len(token) <= LARGEST_TOKEN:
        await accounts.log_out(token)
    return Response(None, status_code=204, cookies=[_cookie("", 0)])


@post("/password/forgot", status_code=202, summary="Ask for a new password")
async def forgot(request: JsonRequest, data: JSONBody[Forgotten]) -> Response[bytes]:
    """Sends a link, if there is such an account. The answer does not tell."""
    await _accounts(request).forgot(data.email, address_of(request))
    return Response(b"", status_code=202, media_type="text/plain")


@post("/password/reset", status_code=202, summary="Set a new password")
async def reset(request: JsonRequest, data: JSONBody[NewPasswordByLink]) -> Response[bytes]:
    """Sets the password with a link's token, once, and ends all sessions."""
    await _accounts(request).reset(data.token, data.password, address_of(request))
    return Response(b"", status_code=202, media_type="text/plain")


@get("/.well-known/jwks.json", summary="Public keys of the built-in identity provider")
async def jwks(request: JsonRequest) -> Response[Jwks]:
    """What access tokens of this service are checked with."""
    accounts = of(request.app.state).accounts
    keys = {"keys": ()} if accounts is None else await accounts.jwks()
    return Response(Jwks(tuple(keys["keys"])), headers={"Cache-Control": "public, max-age=300"})


def _accounts(request: JsonRequest) -> Accounts:
    accounts = of(request.app.state).accounts
    if accounts is None:
        raise NotFoundException
    return accounts


def _answer(signed_in: SignedIn, status: int = 200) -> Response[TokenAnswer]:
    access = signed_in.access
    body = TokenAnswer(access.token, "Bearer", access.expires_in)
    cookie = _cookie(signed_in.session.token, COOKIE_SECONDS)
    return Response(body, status_code=status, cookies=[cookie])


def _cookie(value: str, seconds: int) -> Cookie:
    return Cookie(
        COOKIE,
        path="/auth",
        value=value,
        max_age=seconds,
        httponly=True,
        secure=True,
        samesite="strict",
    )


def _own_origins(settings: Any) -> frozenset[str]:  # noqa: ANN401
    url = urlsplit(settings.public_url)
    origin = f"{url.scheme}://{url.netloc}"
    if url.hostname in ("127.0.0.1", "localhost", "::1"):
        port = f":{url.port}" if url.port else ""
        names = ("127.0.0.1", "localhost", "[::1]")
        return frozenset({origin, *(f"{url.scheme}://{name}{port}" for name in names)})
    return frozenset({origin})


AUTH = Router(
    "/auth",
    route_handlers=[sign_up, log_in, refresh, log_out, forgot, reset],
    guards=[same_site],
    tags=["Signing in"],
)
