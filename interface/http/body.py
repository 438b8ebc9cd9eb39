"""How a body is read: strict JSON, straight into the struct that the handler asks for.

Invariant: a body of whatever bytes ends in that struct or in a 400, 413 or 415 problem; and no
text that comes in holds a NUL or half a surrogate pair, which stores and encoders cannot take.
"""

import asyncio
import re
from typing import Any, Final

import msgspec
from litestar import Request

from interface.http.problems import Fault, HttpProblem, refuse
from interface.limits import BODY_SECONDS

_AT: Final = " - at `$"
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class JsonRequest(Request[Any, Any, Any]):
    """A request whose body is decoded strictly."""

    async def body(self) -> bytes:
        """The bytes, if they come in time. Raises HttpProblem."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await super().body()
        except TimeoutError:
            raise refuse("request_timeout") from None

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
        raise _refused(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise refuse("invalid_body", "The body is not valid JSON.") from None
    except RecursionError:
        raise refuse("invalid_body", "The body is nested too deeply.") from None
    for name in value.__struct_fields__:
        text = getattr(value, name)
        if isinstance(text, str) and ("\x00" in text or _SURROGATE.search(text)):
            fault = Fault(f"/{name}", "Holds a character that no text may hold")
            raise refuse("invalid_body", errors=(fault,))
    return value


def _refused(message: str) -> HttpProblem:
    detail, at, path = message.rpartition(_AT)
    if not at or not path.endswith("`"):
        detail, path = message, ""
    parent = _pointer(path.removesuffix("`"))
    named = _UNKNOWN.match(detail) or _MISSING.match(detail)
    pointer = f"{parent}/{_escape(named[1])}" if named else parent
    return refuse("invalid_body", errors=(Fault(pointer[:200], detail[:300]),))


def _pointer(path: str) -> str:
    """A JSON pointer from msgspec's path, such as `.items[0].name`."""
    parts = _STEP.findall(path)
    return "".join(f"/{_escape(name or index)}" for name, index in parts)


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
