"""What a script hands to others, and whether others ask it for something else.

Invariant: only what is certain is told. A module whose exports cannot be listed (CommonJS, a star
from outside the project, a file that is not written yet) is asked for nothing.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from application.agents.inspection import StaticFinding
from infrastructure.inspection.resolving import resolved
from infrastructure.inspection.syntax import nodes

if TYPE_CHECKING:
    from ast_grep_py import SgNode

_COMMON_JS: Final = re.compile(r"\bmodule\.exports\b|\bexports\.\w|\bexport =|\bexports\[")
_QUOTED: Final = re.compile(r"""^["'`]([^"'`$]*)["'`]$""")
_NAMED: Final = frozenset({"identifier", "type_identifier", "property_identifier", "string"})
MOST_SHOWN: Final = 8
"""Names that a message lists."""
MOST_FINDINGS: Final = 10
"""Per file."""


class Arity(NamedTuple):
    """How many arguments a function takes."""

    least: int
    most: int | None
    """None where there is no limit."""


class FunctionShape(NamedTuple):
    """How a function is called."""

    arity: Arity
    takes: tuple[str, ...]
    """The types of its parameters in words, empty where none is said; without the rest."""
    returns: str
    """Its type in words; empty where none is said."""
    waits: bool
    """Whether it is `async`."""


class Exports(NamedTuple):
    """What a script exports."""

    names: frozenset[str]
    stars: tuple[str, ...]
    """Modules all of whose names are handed on."""
    open: bool
    """Whether there may be others."""
    functions: Mapping[str, FunctionShape]


class AskedName(NamedTuple):
    """A name that a script wants of another module."""

    line: int
    module: str
    name: str
    local: str
    """What it is called here."""


def exports_of(content: str, root: "SgNode") -> Exports:
    """The names that a script exports."""
    names: set[str] = set()
    stars: list[str] = []
    functions: dict[str, FunctionShape] = {}
    overloaded = {
        name.text()
        for node in nodes(root, "function_signature")
        if (name := node.field("name")) is not None
    }
    for node in nodes(root, "export_statement"):
        source = node.field("source")
        for child in node.children():
            kind = child.kind()
            if kind == "default":
                names.add("default")
            elif kind == "*" and source is not None:
                stars.append(_unquoted(source.text()))
            elif kind == "namespace_export":
                names.update(_unquoted(c.text()) for c in child.children() if c.kind() in _NAMED)
            elif kind == "export_clause":
                names.update(given for _, given in specified_names(child))
            elif child.is_named():
                names.update(declared_names(child))
                functions.update(_functions(child, overloaded))
    is_open = bool(_COMMON_JS.search(content)) or root.find(kind="ERROR") is not None
    return Exports(frozenset(names), tuple(stars), is_open or not content.strip(), functions)


def _unquoted(text: str) -> str:
    found = _QUOTED.match(text)
    return found.group(1) if found else text


def specified_names(clause: "SgNode") -> Iterator[tuple[str, str]]:
    """The names of a clause `{ a, b as c }`: each as the script has it, and as it is exported."""
    for one in nodes(clause, "export_specifier"):
        name = one.field("name")
        if name is not None:
            given = one.field("alias") or name
            yield _unquoted(name.text()), _unquoted(given.text())


def declared_names(node: "SgNode") -> Iterator[str]:
    """Names that a declaration brings."""
    if node.kind() in {"lexical_declaration", "variable_declaration"}:
        for one in node.children():
            if one.kind() == "variable_declarator" and (name := one.field("name")) is not None:
                if name.kind() == "identifier":
                    yield name.text()
                else:
                    for kind in ("shorthand_property_identifier_pattern", "identifier"):
                        yield from (found.text() for found in nodes(name, kind))
        return
    named = node.field("name")
    if named is not None:
        yield _unquoted(named.text())
    elif node.kind() in {"ambient_declaration", "import_alias"}:
        for child in node.children():
            if child.kind() in _NAMED:
                yield child.text()
                break
            if child.is_named():
                yield from declared_names(child)


def _functions(node: "SgNode", overloaded: set[str]) -> Iterator[tuple[str, FunctionShape]]:
    if node.kind() == "function_declaration":
        named, function = node.field("name"), node
    elif node.kind() == "lexical_declaration":
        one = next((c for c in node.children() if c.kind() == "variable_declarator"), None)
        named, value = (one.field("name"), one.field("value")) if one is not None else (None, None)
        if value is None or value.kind() != "arrow_function" or one is None or one.field("type"):
            return
        function = value
    else:
        return
    if named is not None and named.text() not in overloaded and function.field("parameters"):
        yield named.text(), shape_of(function)


def shape_of(function: "SgNode") -> FunctionShape:
    """How a function, or the type of one, is called."""
    given, returned = function.field("parameters"), function.field("return_type")
    listed = given.children() if given is not None else []
    takes: list[str] = []
    least, limited = 0, True
    for one in listed:
        if not one.is_named() or one.kind() == "comment":
            continue
        pattern = one.field("pattern") or one
        if pattern.kind() == "this":
            continue
        if "rest_pattern" in {pattern.kind(), one.kind()}:
            limited = False
            continue
        takes.append(_typed(one.field("type")))
        optional = one.kind() in {"optional_parameter", "assignment_pattern"} or one.field("value")
        if not optional:
            least = len(takes)
    return FunctionShape(
        Arity(least, len(takes) if limited else None),
        tuple(takes),
        _typed(returned),
        any(child.kind() == "async" for child in function.children()),
    )


def _typed(annotation: "SgNode | None") -> str:
    """The words of a type; empty where none is said."""
    return " ".join(annotation.text().lstrip(":").split()) if annotation is not None else ""


def asked(root: "SgNode") -> Iterator[AskedName]:
    """The names that a script wants of other modules."""
    for node in nodes(root, "import_statement"):
        source = node.field("source")
        if source is None:
            continue
        module, line = _unquoted(source.text()), node.range().start.line + 1
        for clause in node.children():
            if clause.kind() != "import_clause":
                continue
            for child in clause.children():
                if child.kind() == "identifier":
                    yield AskedName(line, module, "default", child.text())
            for one in nodes(clause, "import_specifier"):
                name, alias = one.field("name"), one.field("alias")
                if name is not None:
                    at = one.range().start.line + 1
                    yield AskedName(at, module, _unquoted(name.text()), (alias or name).text())
    for node in nodes(root, "export_statement"):
        source = node.field("source")
        if source is None:
            continue
        for one in nodes(node, "export_specifier"):
            name = one.field("name")
            if name is not None:
                at = one.range().start.line + 1
                yield AskedName(at, _unquoted(source.text()), _unquoted(name.text()), "")
    yield from _taken_apart(root)


def _taken_apart(root: "SgNode") -> Iterator[AskedName]:
    """`const { a } = await import("./x")`, and the same with `require`."""
    for pattern in nodes(root, "object_pattern"):
        holder = pattern.parent()
        value = holder.field("value") if holder is not None else None
        if value is None:
            continue
        if value.kind() == "await_expression":
            value = next((child for child in value.children() if child.is_named()), value)
        called, given = value.field("function"), value.field("arguments")
        if called is None or given is None or called.text() not in {"require", "import"}:
            continue
        first = next((child for child in given.children() if child.is_named()), None)
        module = _QUOTED.match(first.text()) if first is not None else None
        if module is None:
            continue
        for child in pattern.children():
            key = child.field("key") if child.kind() == "pair_pattern" else child
            if key is not None and key.kind().endswith(("identifier", "identifier_pattern")):
                local = child.field("value") or child
                yield AskedName(
                    child.range().start.line + 1, module.group(1), key.text(), local.text()
                )


def export_findings(
    trees: Mapping[str, "SgNode"], files: Mapping[str, str], exports: Mapping[str, Exports]
) -> Iterator[StaticFinding]:
    """Names that are asked of a file which does not export them, and calls of the wrong size.

    Args:
        trees: The scripts that ask.
        files: All files.
        exports: What scripts export.
    """
    reachable: dict[str, frozenset[str] | None] = {}
    for path, root in trees.items():
        told = 0
        sized: dict[str, tuple[AskedName, Arity]] = {}
        for one in asked(root):
            target = resolved(path, one.module, files)
            if target is None or target not in exports:
                continue
            if target not in reachable:
                reachable[target] = all_names(target, exports, files)
            names = reachable[target]
            if names is None:
                continue
            if one.name not in names:
                told += 1
                if told <= MOST_FINDINGS:
                    yield StaticFinding(
                        path, one.line, "missing_export", _not_there(one, target, names)
                    )
            elif one.local and (shape := exports[target].functions.get(one.name)):
                sized[one.local] = one, shape.arity
        if sized and path.endswith(("ts", "tsx")):
            yield from _calls(path, root, sized)


def _not_there(one: AskedName, target: str, names: frozenset[str]) -> str:
    what = "a default" if one.name == "default" else f"`{one.name}`"
    listed = ", ".join(f"`{name}`" for name in sorted(names)[:MOST_SHOWN]) or "nothing"
    return (
        f"It imports {what} from `{one.module}`, but `{target}` does not export it (it exports "
        f"{listed}): export it there, or import what is there."
    )


def all_names(
    path: str, exports: Mapping[str, Exports], files: Mapping[str, str]
) -> frozenset[str] | None:
    """The names of a module with those it hands on; None where they cannot be known."""
    names: set[str] = set()
    seen = {path}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        own = exports.get(current)
        if own is None or own.open:
            return None
        names |= own.names if current == path else own.names - {"default"}
        for star in own.stars:
            target = resolved(current, star, files)
            if target is None:
                return None
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return frozenset(names)


def _calls(
    path: str, root: "SgNode", sized: Mapping[str, tuple[AskedName, Arity]]
) -> Iterator[StaticFinding]:
    """Calls of imported functions with too few or too many arguments."""
    own = _own_names(root)
    for call in nodes(root, "call_expression"):
        called, given = call.field("function"), call.field("arguments")
        if called is None or given is None or called.kind() != "identifier":
            continue
        name = called.text()
        if name not in sized or name in own or given.kind() != "arguments":
            continue
        passed = [c for c in given.children() if c.is_named() and c.kind() != "comment"]
        if any(c.kind() == "spread_element" for c in passed):
            continue
        one, arity = sized[name]
        if len(passed) < arity.least or (arity.most is not None and len(passed) > arity.most):
            takes = f"{arity.least}" if arity.least == arity.most else _span(arity)
            yield StaticFinding(
                path, call.range().start.line + 1, "wrong_arguments",
                f"It calls `{name}` of `{one.module}` with {len(passed)} arguments, which takes "
                f"{takes}: make the call and the function agree.",
            )  # fmt: skip


def _span(arity: Arity) -> str:
    return f"at least {arity.least}" if arity.most is None else f"{arity.least} to {arity.most}"


def _own_names(root: "SgNode") -> set[str]:
    """Names that something else in the file may have too."""
    found: set[str] = set()
    for kind in ("variable_declarator", "function_declaration", "required_parameter",
                 "optional_parameter"):  # fmt: skip
        for node in nodes(root, kind):
            own = node.field("name") or node.field("pattern")
            if own is None:
                continue
            if own.kind() == "identifier":
                found.add(own.text())
            else:
                found.update(one.text() for one in nodes(own, "identifier"))
                found.update(
                    one.text() for one in nodes(own, "shorthand_property_identifier_pattern")
                )
    return found
