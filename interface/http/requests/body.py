"""How a body is read: strict JSON, straight into the struct that the handler asks for.

Invariant: a body of whatever bytes ends in that struct or in a 400, 413 or 415 problem; and no
text that comes in holds a NUL or half a surrogate pair, which stores and encoders cannot take.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from domain.commands import Unfit
from interface.http.problems.table import Fault, HttpProblem, refuse
from interface.limits import BODY_SECONDS

_AT: Final = " - at `$"
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_LENGTH: Final = re.compile(r"Expected `str` of length (<=|>=) (\d+)")
_NEVER: Final = re.compile("[\x00\ud800-\udfff]")


class JsonRequest(Request[Any, Any, Any]):
    """A request whose body is decoded strictly."""

    async def body(self) -> bytes:
        """The bytes, if they come in time. Raises HttpProblem."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await super().body()
        except TimeoutError:
            raise refuse("request_timeout") from None
        except InternalServerException:
            # What the framework calls a client that left before its body was whole.
            raise refuse("request_timeout", "The request ended before its body did.") from None

    async def json(self) -> Any:  # noqa: ANN401 - the handler's own type.
        """The body as the type of the handler's `data`. Raises HttpProblem."""
        if self.content_type[0].lower() != "application/json":
            raise refuse("unsupported_media_type")
        field = self.route_handler.parsed_data_field
        return decode(await self.body(), field.annotation if field else Any)


def decode(raw: bytes, kind: Any) -> Any:  # noqa: ANN401 - any struct.
    """Decode a body. Raises HttpProblem."""
    try:
        value = msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _refused(error, raw) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise refuse("invalid_body", "The body is not valid JSON.") from None
    except RecursionError:
        raise refuse("invalid_body", "The body is nested too deeply.") from None
    for pointer, text in _texts(msgspec.to_builtins(value)):
        if _NEVER.search(text):
            fault = Fault(pointer, "Holds a character that no text may hold")
            raise refuse("invalid_body", errors=(fault,))
    return value


def _texts(value: object, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, however deep, with its JSON pointer."""
    match value:
        case str():
            yield pointer, value
        case dict():
            for name, inner in value.items():
                yield from _texts(inner, f"{pointer}/{_escape(str(name))}")
        case list() | tuple():
            for place, inner in enumerate(value):
                yield from _texts(inner, f"{pointer}/{place}")
        case _:
            return


def _refused(error: msgspec.ValidationError, raw: bytes) -> HttpProblem:
    message, said = str(error), ""
    detail, at, path = message.rpartition(_AT)
    if not at or not path.endswith("`"):
        detail, path = message, ""
    parent = _pointer(path.removesuffix("`"))
    field = _UNKNOWN.match(detail) or _MISSING.match(detail)
    name = error.__cause__.field if isinstance(error.__cause__, Unfit) else field and field[1]
    pointer = f"{parent}/{_escape(name)}" if name else parent
    if (length := _LENGTH.fullmatch(detail)) is not None:
        most = "most" if length[1] == "<=" else "least"
        detail = f"Takes at {most} {int(length[2]):,} characters"
        if length[1] == "<=" and (text := _text_at(raw, path)):
            detail = f"{detail}, and this has {len(text):,}. Make it shorter, or split it"
            said = f"{detail}. Nothing of it was taken."
    return refuse("invalid_body", said, errors=(Fault(pointer[:200], detail[:300]),))


def _text_at(raw: bytes, path: str) -> str:
    """The text at msgspec's path in a body; empty if there is none, or not just there."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""  # What follows it is no better.
    for name, index in _STEP.findall(path.removesuffix("`")):
        try:
            value = value[int(index) if index else name]
        except (KeyError, IndexError, TypeError, ValueError):
            return ""
    return value if isinstance(value, str) else ""


def _pointer(path: str) -> str:
    """A JSON pointer from msgspec's path, such as `.items[0].name`."""
    parts = _STEP.findall(path)
    return "".join(f"/{_escape(name or index)}" for name, index in parts)


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
