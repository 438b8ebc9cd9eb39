"""Where exports, routes, tables and tests stand in files, and which of them each names.

Invariant: as of every reading here, nothing is run, and what is not written out has no piece.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from application.delivery.structure import Piece, PieceKind, Structure, piece_id
from domain.documents import Plan, PlannedRoute
from infrastructure.inspection.contract_tests import is_test
from infrastructure.inspection.exports import asked, declared_names, specified_names
from infrastructure.inspection.imports import imports
from infrastructure.inspection.resolving import resolved
from infrastructure.inspection.routes import (
    answered,
    called,
    ends,
    fits,
    is_of_pages,
    segments_of,
)
from infrastructure.inspection.schema import is_statement
from infrastructure.inspection.sql_tokens import Token, statements
from infrastructure.inspection.syntax import (
    LANGUAGES,
    SCRIPTS,
    nodes,
    structure_of,
    suffix,
    tree_of,
)

if TYPE_CHECKING:
    from ast_grep_py import SgNode

_CASE: Final = re.compile(r"^(?:test|it|specify|Deno\.test|bun\.test)\b")
_SUITE: Final = re.compile(r"^(?:describe|suite|context)\b")
_NAMES: Final = ("identifier", "type_identifier", "shorthand_property_identifier")
_LONGEST_TITLE: Final = 400
_MADE: Final = frozenset({"create", "alter"})
_BETWEEN: Final = frozenset({"if", "not", "exists", "only"})


class _Span(NamedTuple):
    first: int
    last: int


class _Used(NamedTuple):
    """What a node names."""

    names: set[str]
    routes: set[str]
    """Ids of the planned routes that it calls."""


def pieces_of(files: dict[str, str], plan: Plan | None) -> Structure:
    """What stands where in all files of a feature, tests included."""
    trees = dict(_trees(files))
    tables = [piece for path, text in files.items() for piece in _tables(path, text)]
    planned = plan.routes if plan is not None else ()
    named = {piece.name for piece in tables}
    spans = {path: _exported(root) for path, root in trees.items()}
    exported = [
        Piece(
            PieceKind.EXPORT,
            name,
            path,
            *_span(node),
            _tables_in(node, named),
        )
        for path, found in spans.items()
        if not is_test(path)
        for name, node in found.items()
    ]
    routes = list(_routes(planned, trees))
    known = {piece.id for piece in (*exported, *routes, *tables)}
    tests = [
        piece
        for path, root in trees.items()
        if is_test(path)
        for piece in _cases(path, root, files, planned, known)
    ]
    return Structure((*exported, *routes, *tables, *tests), _imports(trees, files))


def _trees(files: Mapping[str, str]) -> "Iterator[tuple[str, SgNode]]":
    for path, content in files.items():
        if LANGUAGES.get(suffix(path)) in SCRIPTS and content.strip():
            root = tree_of(path, content)
            if root is not None:
                yield path, structure_of(path, content, root)


def _span(node: "SgNode") -> _Span:
    """Its lines, from 1, with the comment that stands right above it."""
    lines = node.range()
    first = lines.start.line
    above = node.prev()
    if above is not None and above.kind() == "comment" and above.range().end.line == first - 1:
        first = above.range().start.line
    # A node that ends with its line feed ends on the line before.
    last = lines.end.line - (lines.end.column == 0 and lines.end.line > first)
    return _Span(first + 1, last + 1)


def _exported(root: "SgNode") -> "dict[str, SgNode]":
    """What a script exports itself, by name, with the node that declares it."""
    local = dict(_declarations(root))
    found: dict[str, SgNode] = {}
    for node in root.children():
        if node.kind() != "export_statement" or node.field("source") is not None:
            continue
        for child in node.children():
            if child.kind() == "default":
                found["default"] = node
            elif child.kind() == "export_clause":
                for own, given in specified_names(child):
                    if own in local:
                        found[given] = local[own]
            elif child.is_named():
                found.update(dict.fromkeys(declared_names(child), node))
    return found


def _declarations(root: "SgNode") -> "Iterator[tuple[str, SgNode]]":
    """The names that a script declares at its top, exported or not."""
    for node in root.children():
        inner = node
        if node.kind() == "export_statement":
            inside = (c for c in node.children() if c.is_named() and c.kind() != "comment")
            inner = next(inside, node)
        for name in declared_names(inner):
            yield name, node


def _tables_in(node: "SgNode", tables: set[str]) -> tuple[str, ...]:
    """The tables that SQL inside a node names, as ids."""
    return tuple(dict.fromkeys(_named_tables(node, tables)))


def _named_tables(node: "SgNode", tables: set[str]) -> Iterator[str]:
    for kind in ("string", "template_string"):
        for text in nodes(node, kind):
            said = text.text()[1:-1]
            if is_statement(said, asked=True):
                words = {
                    token.text
                    for statement in statements(said)
                    for token in statement
                    if token.kind in {"word", "name"}
                }
                for name in sorted(words & tables):
                    yield piece_id(PieceKind.TABLE, "", name)


def _tables(path: str, text: str) -> Iterator[Piece]:
    """Where SQL makes or changes a table, or an index of one."""
    if suffix(path) != "sql":
        return
    for statement in statements(text):
        name = _table_of(statement)
        if name:
            last = statement[-1]
            end = last.line + last.text.count("\n")
            yield Piece(PieceKind.TABLE, name, path, statement[0].line, end)


def _table_of(statement: list[Token]) -> str:
    """The table that a statement makes, changes or indexes; empty of another."""
    words = [token for token in statement if token.kind in {"word", "name"}]
    if len(words) < 3 or not words[0].is_word(*_MADE):  # noqa: PLR2004 - verb, kind and name.
        return ""
    at = next((n for n, token in enumerate(words[:5]) if token.is_word("table", "index")), None)
    if at is None:
        return ""
    if words[at].is_word("index"):
        at = next((n for n, token in enumerate(words) if token.is_word("on")), None)
        if at is None:
            return ""
    rest = [token for token in words[at + 1 :] if not token.is_word(*_BETWEEN)]
    if len(rest) > 1 and rest[0].is_word("public"):
        rest = rest[1:]
    return rest[0].text if rest else ""


def _routes(plan: Sequence[PlannedRoute], trees: "Mapping[str, SgNode]") -> Iterator[Piece]:
    """Where planned routes are registered, of servers only: pages call the same addresses."""
    planned = [(one, segments_of(one.path)) for one in plan]
    for path, root in trees.items():
        if is_test(path) or is_of_pages(path, root.text()):
            continue
        for route in answered(root):
            # A router that is mounted elsewhere is given the beginning of its paths there.
            whole = [one for one, own in planned if fits(route.segments, own)]
            near = whole or [one for one, own in planned if ends(route.segments, own)]
            same = [one for one in near if one.method == route.method]
            for one in same if len(same) == 1 or whole else ():
                name = f"{one.method} {one.path}"
                yield Piece(PieceKind.ROUTE, name, path, route.line, max(route.line, route.last))


def _cases(
    path: str,
    root: "SgNode",
    files: Mapping[str, str],
    plan: Sequence[PlannedRoute],
    known: set[str],
) -> Iterator[Piece]:
    """The tests of a file, each with what it uses, also through functions of the file itself."""
    asks = {
        one.local: piece_id(PieceKind.EXPORT, target, one.name)
        for one in asked(root)
        if one.local and (target := resolved(path, one.module, files)) is not None
    }
    own = dict(_declarations(root))
    planned = [(one, segments_of(one.path)) for one in plan]
    read: dict[str, _Used] = {}
    for call in nodes(root, "call_expression"):
        if not _CASE.match(_callee(call)):
            continue
        title = _title(call)
        if title is None:
            continue
        parts = [_used(call, planned), *_reached(call, own, read, planned)]
        uses = {asks[name] for part in parts for name in part.names if name in asks}
        uses.update(route for part in parts for route in part.routes)
        yield Piece(PieceKind.TEST, title, path, *_span(call), tuple(sorted(uses & known)))


def _callee(call: "SgNode") -> str:
    function = call.field("function")
    return function.text()[:60] if function is not None else ""


def _title(call: "SgNode") -> str | None:
    """What a test is called, behind the titles of its suites; None where it is not written out."""
    own = _first_text(call)
    if own is None:
        return None
    titles = [own]
    around = call.parent()
    while around is not None:
        if around.kind() == "call_expression" and _SUITE.match(_callee(around)):
            titles.append(_first_text(around) or "")
        around = around.parent()
    return " ".join(filter(None, reversed(titles)))[:_LONGEST_TITLE]


def _first_text(call: "SgNode") -> str | None:
    """The text that a call is given first; None where it is something else."""
    given = call.field("arguments")
    listed = given.children() if given is not None else []
    first = next((one for one in listed if one.is_named()), None)
    if first is None or first.kind() not in {"string", "template_string"}:
        return None
    return " ".join(first.text().strip("'\"`").split())


def _named(node: "SgNode") -> set[str]:
    return {one.text() for kind in _NAMES for one in nodes(node, kind)}


def _used(node: "SgNode", planned: Sequence[tuple[PlannedRoute, tuple[str, ...]]]) -> _Used:
    routes = {
        piece_id(PieceKind.ROUTE, "", f"{one.method} {one.path}")
        for asked_route in called(node)
        for one, segments in planned
        if fits(asked_route.segments, segments) and asked_route.method in {"", one.method}
    }
    return _Used(_named(node), routes)


def _reached(
    node: "SgNode",
    own: "Mapping[str, SgNode]",
    read: dict[str, _Used],
    planned: Sequence[tuple[PlannedRoute, tuple[str, ...]]],
) -> list[_Used]:
    """Declarations of the same file that a node uses, directly or through others of them."""
    found: dict[str, _Used] = {}
    waiting = [_named(node)]
    while waiting:
        for name in waiting.pop():
            if name in own and name not in found:
                if name not in read:  # Each is read once, however many tests use it.
                    read[name] = _used(own[name], planned)
                found[name] = read[name]
                waiting.append(read[name].names)
    return list(found.values())


def _imports(trees: "Mapping[str, SgNode]", files: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    direct = {
        path: {
            target
            for _, wanted in imports(root)
            if (target := resolved(path, wanted, files)) is not None
        }
        for path, root in trees.items()
    }
    return {path: tuple(sorted(_closure(path, direct))) for path in trees}


def _closure(path: str, direct: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [path]
    while waiting:
        for target in direct.get(waiting.pop(), ()):
            if target not in found and target != path:
                found.add(target)
                waiting.append(target)
    return found
