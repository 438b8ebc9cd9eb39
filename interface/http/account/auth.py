"""Signing up, in, out and again. The refresh token lives in a cookie that only this host can set.

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

from application.identity.account_ports import Client, SignedIn
from application.identity.accounts import Accounts
from application.identity.devices import DEVICE_LIFE, LONGEST_COOKIE
from interface.http.account.signed_in import address_of
from interface.http.problems.table import refuse
from interface.http.requests.body import JsonRequest
from interface.http.services import of

COOKIE: Final = "__Host-bp_refresh"
"""The prefix keeps other hosts of the same domain, and plain HTTP, from setting it (RFC 6265bis,
section 4.1.3.2); it asks for the path `/`."""
OLD_COOKIE: Final = "bp_refresh"
"""As it was called, with the path `/auth`: what was given in it is taken, and replaced."""
DEVICE_COOKIE: Final = "__Host-bp_device"
"""By which a device is known on which somebody signed in (`application.identity.devices`)."""
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


async def built_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """With a foreign issuer there is nothing here, whatever is sent."""
    if of(connection.app.state).accounts is None:
        raise NotFoundException


async def same_site(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse pages of other origins. Clients that are no browsers send neither header."""
    services = of(connection.app.state)
    site = connection.headers.get("sec-fetch-site")
    origin = connection.headers.get("origin")
    if site in ("same-origin", "none", None) and (
        origin is None or origin in _own_origins(services.settings)
    ):
        return
    services.security.note("cross_site_refused", address=address_of(connection))
    raise refuse("cross_site")


@post("/signup", status_code=201, summary="Make an account")
async def sign_up(request: JsonRequest, data: JSONBody[NewAccount]) -> Response[TokenAnswer]:
    """An account with a tenant of its own; signed in at once."""
    signed_in = await _accounts(request).sign_up(data.email, data.password, _client(request))
    return _answer(signed_in, 201)


@post("/login", status_code=200, summary="Sign in")
async def log_in(request: JsonRequest, data: JSONBody[Credentials]) -> Response[TokenAnswer]:
    """An access token, a refresh token in a cookie, and one by which this device is known."""
    signed_in = await _accounts(request).log_in(data.email, data.password, _client(request))
    return _answer(signed_in)


@post("/refresh", status_code=200, summary="A new access token")
async def refresh(request: JsonRequest) -> Response[TokenAnswer]:
    """Exchanges the cookie's refresh token; an old one ends the whole family."""
    token, is_prefixed = _token(request)
    signed_in = await _accounts(request).refresh(
        token, is_prefixed=is_prefixed, address=address_of(request)
    )
    return _answer(signed_in, forget_old=OLD_COOKIE in request.cookies)


@post("/logout", status_code=204, summary="Sign out")
async def log_out(request: JsonRequest) -> Response[None]:
    """Ends the session of the cookie, its access tokens and streams; without one, nothing."""
    token, _ = _token(request)
    if token:
        await _accounts(request).log_out(token)
    cookies = [_cookie(COOKIE, "", 0)]
    if OLD_COOKIE in request.cookies:
        cookies.append(_cookie(OLD_COOKIE, "", 0, path="/auth"))
    return Response(None, status_code=204, cookies=cookies)


@post("/password/forgot", status_code=202, summary="Ask for a new password")
async def forgot(request: JsonRequest, data: JSONBody[Forgotten]) -> Response[bytes]:
    """Sends a link, if there is such an account. The answer does not tell."""
    await _accounts(request).forgot(data.email, _client(request))
    return Response(b"", status_code=202, media_type="text/plain")


@post("/password/reset", status_code=202, summary="Set a new password")
async def reset(request: JsonRequest, data: JSONBody[NewPasswordByLink]) -> Response[bytes]:
    """Sets the password with a link's token, once, and ends all sessions."""
    device = await _accounts(request).reset(data.token, data.password, _client(request))
    return Response(b"", status_code=202, media_type="text/plain", cookies=[_device(device)])


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


def _client(request: JsonRequest) -> Client:
    device = request.cookies.get(DEVICE_COOKIE, "")
    return Client(address_of(request), device if len(device) <= LONGEST_COOKIE else "")


def _token(request: JsonRequest) -> tuple[str, bool]:
    """The refresh token, empty if there is none, and whether only this host can have set it."""
    is_prefixed = COOKIE in request.cookies or OLD_COOKIE not in request.cookies
    token = request.cookies.get(COOKIE if is_prefixed else OLD_COOKIE, "")
    return token if len(token) <= LARGEST_TOKEN else "", is_prefixed


def _answer(
    signed_in: SignedIn, status: int = 200, *, forget_old: bool = False
) -> Response[TokenAnswer]:
    access = signed_in.access
    body = TokenAnswer(access.token, "Bearer", access.expires_in)
    cookies = [_cookie(OLD_COOKIE, "", 0, path="/auth")] if forget_old else []
    if signed_in.device:
        cookies.append(_device(signed_in.device))
    cookies.append(_cookie(COOKIE, signed_in.session.token, COOKIE_SECONDS))
    return Response(body, status_code=status, cookies=cookies)


def _device(value: str) -> Cookie:
    return _cookie(DEVICE_COOKIE, value, int(DEVICE_LIFE.total_seconds()))


def _cookie(name: str, value: str, seconds: int, *, path: str = "/") -> Cookie:
    return Cookie(
        name,
        path=path,
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
    guards=[built_in, same_site],
    tags=["Signing in"],
)
