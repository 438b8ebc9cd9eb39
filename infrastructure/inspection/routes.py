"""Addresses: which ones code answers, and which ones tests call.

Invariant: only what is written out is told. An address that is put together at run time is none.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from domain.documents import HttpMethod
from infrastructure.inspection.syntax import nodes

if TYPE_CHECKING:
    from ast_grep_py import SgNode

METHODS: Final = frozenset(method.value.lower() for method in HttpMethod)
_CALLERS: Final = frozenset({*METHODS, "del", "fetch", "inject", "request", "call", "send"})
_LITERAL: Final = re.compile(r"^([\"'`])(/.{0,300})\1$", re.DOTALL)
_WORD: Final = re.compile(r"^[\"'`](\w{3,6})[\"'`]$")
_VARIES: Final = re.compile(r"^(?::\w.*|\{.*\}|\[.*\]|<.*>|\*|.*\$\{.*)$")
_ORIGIN: Final = re.compile(r"^\$\{[^{}]{1,60}\}(?=/)")
_TESTS: Final = re.compile(r"(?:test|it)\b")
_NOTHING: Final = re.compile(r"\b40[45]\b")
_PAGES: Final = re.compile(r"^(?:public|static|assets|client|web)/")
_OF_A_BROWSER: Final = re.compile(r"\b(?:document|window)\.[a-z]|\baxios\b")
_FILE: Final = re.compile(r"\.\w{1,6}$")


class WrittenRoute(NamedTuple):
    """A method and a path as they stand in a script."""

    method: str
    """In capitals; empty where it is not said."""
    segments: tuple[str, ...]
    """Of the path; what varies is empty."""
    line: int
    last: int = 0
    """Where the code that answers ends; 0 where that is not told."""


def segments_of(path: str) -> tuple[str, ...]:
    """A path in parts, without its query; what varies is empty."""
    bare = path.partition("?")[0].partition("#")[0]
    return tuple("" if _VARIES.match(part) else part for part in bare.split("/") if part)


def fits(written: Sequence[str], planned: Sequence[str]) -> bool:
    """Whether two paths may be one; what varies fits everything."""
    return len(written) == len(planned) and all(
        not mine or not other or mine == other for mine, other in zip(written, planned, strict=True)
    )


def ends(written: Sequence[str], planned: Sequence[str]) -> bool:
    """Whether a path may be the end of another, which was given its beginning elsewhere."""
    return len(written) <= len(planned) and fits(written, planned[len(planned) - len(written) :])


def is_of_pages(path: str, text: str) -> bool:
    """Whether a script runs in a browser, or calls servers as one does."""
    return _PAGES.match(path) is not None or _OF_A_BROWSER.search(text) is not None


def answered(root: "SgNode") -> Iterator[WrittenRoute]:
    """Routes that a script registers: calls such as `app.get("/x", …)`, and objects with a path."""
    for call in nodes(root, "call_expression"):
        called, given = call.field("function"), call.field("arguments")
        if called is None or given is None or called.kind() != "member_expression":
            continue
        method = called.text()[-24:].rpartition(".")[2].lower()
        first = next((one for one in given.children() if one.is_named()), None)
        path = _path(first)
        if method in METHODS and path is not None and len(given.children()) > 3:  # noqa: PLR2004 - brackets, path and a handler.
            at = call.range()
            yield WrittenRoute(
                method.upper(), segments_of(path), at.start.line + 1, at.end.line + 1
            )
    yield from _of_objects(root)


def _of_objects(root: "SgNode") -> Iterator[WrittenRoute]:
    """Objects such as `{ method: "GET", path: "/x" }`."""
    for whole in nodes(root, "object"):
        said = {
            key.text().strip("\"'"): pair.field("value")
            for pair in whole.children()
            if pair.kind() == "pair" and (key := pair.field("key")) is not None
        }
        path, verb = _path(said.get("url") or said.get("path")), said.get("method")
        method = _WORD.match(verb.text()) if verb is not None else None
        if path is not None and method is not None and method[1].lower() in METHODS:
            at = whole.range()
            yield WrittenRoute(
                method[1].upper(), segments_of(path), at.start.line + 1, at.end.line + 1
            )


def called(root: "SgNode") -> Iterator[WrittenRoute]:
    """Addresses that a test calls, but those that it expects not to be there."""
    for call in nodes(root, "call_expression"):
        function, given = call.field("function"), call.field("arguments")
        if function is None or given is None:
            continue
        name = function.text()[-24:].rpartition(".")[2].lower()
        if name not in _CALLERS:
            continue
        passed = [one for one in given.children() if one.is_named()][:2]
        path = next((found for one in passed if (found := _path(one)) is not None), None)
        if path is None or _FILE.search(path) or path == "/" or _expects_nothing(call):
            continue
        words = (_WORD.match(one.text()) for one in passed)
        said = next((word[1].lower() for word in words if word), name)
        method = said.upper() if said in METHODS else ""
        yield WrittenRoute(method, segments_of(path), call.range().start.line + 1)
    yield from _of_objects(root)


def _path(node: "SgNode | None") -> str | None:
    """A path that is written out; a beginning such as `${base}` is left out."""
    if node is None or node.kind() not in {"string", "template_string"}:
        return None
    text = node.text()
    if text.startswith("`${"):
        text = "`" + _ORIGIN.sub("", text[1:])
    found = _LITERAL.match(text)
    return found[2] if found else None


def _expects_nothing(call: "SgNode") -> bool:
    """Whether the test around a call expects that there is nothing at an address."""
    around = call.parent()
    while around is not None:
        if around.kind() == "call_expression":
            function = around.field("function")
            if function is not None and _TESTS.match(function.text()):
                return _NOTHING.search(around.text()) is not None
        around = around.parent()
    return False
