"""Whether files keep what the plan says of them: exports and their signatures, routes, tables.

Invariant: what a file surely lacks is told, with what the plan says. A file that is not written yet
stands in for what the plan gives it, so that tests are held to the plan before there is code.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from application.agents.inspection import StaticFinding
from domain.documents import Plan, PlannedExport, PlannedRoute
from infrastructure.inspection.exports import (
    Exports,
    FunctionShape,
    all_names,
    shape_of,
)
from infrastructure.inspection.routes import (
    answered,
    called,
    ends,
    fits,
    is_of_pages,
    segments_of,
)
from infrastructure.inspection.schema import QUERIES, is_statement, query_faults, tables_of
from infrastructure.inspection.syntax import LANGUAGES, SCRIPTS, nodes, parsed, suffix

if TYPE_CHECKING:
    from ast_grep_py import SgNode

_WORDS: Final = re.compile(
    r"^(?:(?:export|declare|abstract|async)\s)*(?:class|interface|type|enum|const|function)\b"
)
_PRIMITIVE: Final = frozenset({"string", "number", "boolean", "bigint", "Date", "Buffer"})
_PUT_IN: Final = re.compile(r"\$\{[^{}]{0,300}\}")
_MAKES: Final = re.compile(r"\bcreate\s(?:\w{1,9}\s){0,2}table\s(?!\$)", re.IGNORECASE)
_MOUNTED: Final = re.compile(r"\.(?:use|register|route)\(|\bprefix\b|\bbasePath\b")
MOST_SHOWN: Final = 8


def signature_findings(plan: Plan) -> Iterator[StaticFinding]:
    """Signatures that are no TypeScript."""
    for one in plan.exports:
        if not _WORDS.match(one.signature) and not _trees(one.signature):
            yield StaticFinding(
                one.path, 1, "signature",
                f"The plan gives `{one.name}` the signature `{one.signature[:200]}`, which is no "
                "TypeScript: write `(name: Type, …): Type` for a function, else its type.",
            )  # fmt: skip


def _trees(signature: str) -> "SgNode | None":
    """A signature as a tree: of a declared function, or of a type."""
    for text in (f"declare function f{signature};", f"declare const f: {signature};"):
        root = parsed(text, "typescript")
        if root is not None and root.find(kind="ERROR") is None and not _lacks(root):
            return root
    return None


def _lacks(root: "SgNode") -> bool:
    return any(node.kind() != "program" for node in root.find_all(regex="^$"))


def _shape(signature: str) -> FunctionShape | None:
    """How the function that a signature describes is called; None of what is no function."""
    root = _trees(signature)
    if root is None:
        return None
    function = root.find(kind="function_signature") or root.find(kind="function_type")
    outermost = function is not None and function.range().start.column <= len("declare const f: ")
    return shape_of(function) if function is not None and outermost else None


def planned_exports(plan: Plan) -> dict[str, Exports]:
    """What scripts will export by the plan; a plan without exports says nothing of any file."""
    if not plan.exports:
        return {}
    found: dict[str, Exports] = {}
    for file in plan.files:
        if LANGUAGES.get(suffix(file.path)) not in SCRIPTS:
            continue
        own = [one for one in plan.exports if one.path == file.path]
        shapes = {one.name: shape for one in own if (shape := _shape(one.signature)) is not None}
        found[file.path] = Exports(
            frozenset(one.name for one in own), (), open=False, functions=shapes
        )
    return found


def export_agreement(
    plan: Plan, exports: Mapping[str, Exports], files: Mapping[str, str]
) -> Iterator[StaticFinding]:
    """Planned exports that a written file lacks or gives another signature."""
    for one in plan.exports:
        if one.path not in exports or not files[one.path].strip():
            continue
        names = all_names(one.path, exports, files)
        if names is None:
            continue
        if one.name not in names:
            listed = ", ".join(f"`{name}`" for name in sorted(names)[:MOST_SHOWN]) or "nothing"
            yield StaticFinding(
                one.path, 1, "planned_export",
                f"By the plan it exports `{one.name}`; it exports {listed}: export "
                f"`{one.name}{_behind(one)}`.",
            )  # fmt: skip
            continue
        real, meant = exports[one.path].functions.get(one.name), _shape(one.signature)
        why = _differs(real, meant) if real is not None and meant is not None else ""
        if why:
            yield StaticFinding(
                one.path, 1, "planned_signature",
                f"`{one.name}` {why}: write it as the plan says, `{one.name}{_behind(one)}`.",
            )  # fmt: skip


def _behind(one: PlannedExport) -> str:
    signature = one.signature[:200]
    return signature if signature.startswith(("(", "<")) else f": {signature}"


def _differs(real: FunctionShape, meant: FunctionShape) -> str:
    """How a function is not called as the plan says; empty if it is."""
    most, planned = real.arity.most, meant.arity.most
    if real.arity.least > meant.arity.least:
        return f"needs {real.arity.least} arguments, and by the plan {meant.arity.least} are enough"
    if most is not None and (planned is None or most < planned):
        return f"takes at most {most} arguments, and by the plan {planned or 'any number'}"
    for number, (mine, other) in enumerate(zip(real.takes, meant.takes, strict=False), start=1):
        if mine != other and {mine, other} <= _PRIMITIVE:
            return f"takes a {mine} as argument {number}, and by the plan a {other}"
    if meant.returns:
        waited = real.waits or real.returns.startswith("Promise")
        if waited and not meant.returns.startswith("Promise"):
            return "gives a promise, and by the plan the value itself"
        if meant.returns.startswith("Promise") and real.returns and not waited:
            return "gives the value itself, and by the plan a promise"
    return ""


def route_agreement(
    plan: Plan, trees: Mapping[str, "SgNode"], tests: Mapping[str, "SgNode"]
) -> Iterator[StaticFinding]:
    """Planned routes that nothing answers; routes that tests call and the plan does not have."""
    if not plan.routes:
        return
    planned = [(one, segments_of(one.path)) for one in plan.routes]
    for path, root in tests.items():
        for call in called(root):
            allowed = [one for one, own in planned if fits(call.segments, own)]
            if not any(call.method in {"", one.method} for one in allowed):
                yield StaticFinding(
                    path, call.line, "unplanned_route",
                    f"It calls `{call.method} /{_shown(call.segments)}`, which the plan does not "
                    f"have: call one of {_listed(plan.routes)}.",
                )  # fmt: skip
    if trees:
        yield from _unanswered(plan, trees)


def _shown(segments: tuple[str, ...]) -> str:
    return "/".join(segment or "…" for segment in segments)


def _listed(routes: tuple[PlannedRoute, ...]) -> str:
    shown = [f"`{one.method} {one.path}`" for one in routes[:MOST_SHOWN]]
    return ", ".join(shown) + (" …" if len(routes) > MOST_SHOWN else "")


def _unanswered(plan: Plan, trees: Mapping[str, "SgNode"]) -> Iterator[StaticFinding]:
    # What runs in a browser calls addresses, in the very words in which servers answer them.
    texts = {path: root.text() for path, root in trees.items()}
    servers = sorted(path for path, text in texts.items() if not is_of_pages(path, text))
    if not servers:
        return
    found = [(path, route) for path in servers for route in answered(trees[path])]
    home = max(servers, key=lambda path: (sum(own == path for own, _ in found), "server" in path))
    text = "\n".join(texts[path] for path in servers)
    # A router that is mounted somewhere is given the beginning of its paths there.
    near = ends if _MOUNTED.search(text) else fits
    planned = [(one, segments_of(one.path)) for one in plan.routes]
    # Where some routes stand as they are planned, the others would stand so, too.
    plain = any(
        route.method == one.method and fits(route.segments, own)
        for one, own in planned
        for _, route in found
    )
    for one, own in planned:
        here = [route for _, route in found if near(route.segments, own)]
        if any(route.method == one.method for route in here):
            continue
        exact = any(len(route.segments) == len(own) for route in here)
        hidden = all(segment in text for segment in own)
        by_method = one.method in text or one.method.lower() in text
        if hidden and by_method and not plain and not exact:
            continue
        yield StaticFinding(
            home, 1, "planned_route",
            f"By the plan the server answers `{one.method} {one.path}`; nothing here does: answer "
            "it as the plan says.",
        )  # fmt: skip


def table_agreement(plan: Plan, sql: Mapping[str, str]) -> Iterator[StaticFinding]:
    """Planned tables and columns that no SQL makes."""
    if not plan.tables or not sql:
        return
    made = tables_of(sql)
    if made is None:
        return
    for table in plan.tables:
        path, columns = made.get(table.name, ("", None))
        if not path:
            yield StaticFinding(
                max(sorted(sql)), 1, "planned_table",
                f"By the plan there is the table `{table.name}`; no CREATE TABLE makes it.",
            )  # fmt: skip
        elif columns is not None:
            absent = [c.name for c in table.columns if c.name not in columns]
            for name in absent:
                yield StaticFinding(
                    path, 1, "planned_table",
                    f"By the plan the table `{table.name}` has the column `{name}`; it is never "
                    "made.",
                )  # fmt: skip


def query_agreement(
    trees: Mapping[str, "SgNode"], sql: Mapping[str, str]
) -> Iterator[StaticFinding]:
    """Tables and columns that statements in scripts name, and no SQL file makes."""
    if any(_MAKES.search(root.text()) for root in trees.values()):
        return  # Then there are tables that no SQL file makes.
    found = [(path, node) for path, root in trees.items() for node in _statements(root)]
    for number, what in query_faults(sql, [_filled(node) for _, node in found]):
        path, node = found[number]
        yield StaticFinding(path, node.range().start.line + 1, "sql", what)


def _statements(root: "SgNode") -> Iterator["SgNode"]:
    for kind in ("string", "template_string"):
        for node in nodes(root, kind):
            if is_statement(node.text()[1:], asked=_is_asked(node)):
                yield node


def _is_asked(node: "SgNode") -> bool:
    """Whether a text is handed to what runs SQL."""
    around = node.parent()
    if around is not None and around.kind() == "arguments":
        around = around.parent()
    called = around.field("function") if around is not None else None
    return called is not None and called.text()[-40:].rpartition(".")[2] in QUERIES


def _filled(node: "SgNode") -> str:
    """A statement with `$1` for whatever is put in when it runs."""
    return _PUT_IN.sub("$1", node.text()[1:-1])
