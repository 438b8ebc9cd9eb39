"""Functions whose body does nothing of what their name and parameters promise.

Invariant: what is sure is refused: a function that takes things, uses none of them and does
nothing or gives a fixed value; one that gives an empty value where a promise of data is declared.
Where an empty body may be meant (a null object, an override, a callback, a double in a test), it is
a note at most.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from application.agents.inspection import StaticFinding
from infrastructure.inspection.syntax import nodes

if TYPE_CHECKING:
    from ast_grep_py import SgNode

FUNCTIONS: Final = (
    "function_declaration", "generator_function_declaration", "method_definition",
    "arrow_function", "function_expression",
)  # fmt: skip
_DECLARED: Final = frozenset({"function_declaration", "generator_function_declaration"})
_FIXED: Final = frozenset(
    {"string", "number", "true", "false", "null", "undefined", "string_fragment", "escape_sequence",
     "array", "object", "pair", "property_identifier", "template_string",
     "parenthesized_expression", "as_expression", "satisfies_expression", "unary_expression",
     "non_null_expression"}
)  # fmt: skip
_TYPES: Final = frozenset(
    {"type_identifier", "predefined_type", "array_type", "generic_type", "type_annotation",
     "literal_type", "union_type", "object_type", "nested_type_identifier", "type_arguments"}
)  # fmt: skip
_RESOLVED: Final = re.compile(r"^(?:Promise\.resolve|Object\.freeze)$")
_LOGS: Final = re.compile(r"^(?:console|logger|log|this\.(?:logger|log))\b")
_EMPTY_ON_PURPOSE: Final = re.compile(
    r"noop|no[-_ ]?op\b|nothing|ignore|intention|deliberate|on purpose|empty|unused|not needed|"
    r"null|dummy|mock|fake|stub|silent|default|abstract|fallback|base|never|disabled|swallow|"
    r"subclass|overrid|optional|do not|don't|best effort|safe|identity|memory",
    re.IGNORECASE,
)
_DOUBLES: Final = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|__mocks__|mocks?|fixtures?|fakes?|stubs?|examples?|bench\w*)"
    r"/|\.(?:test|spec|mock|stories|d)\.[a-z]+$|[._-](?:mock|fake|stub)s?\.",
    re.IGNORECASE,
)
_WHAT_TO_DO: Final = "write what it is there for, or say in a comment why it does nothing"
_LONGEST: Final = 300
"""Characters of a body that can be a stub."""
MOST_FINDINGS: Final = 10
"""Per file."""


class _Body(NamedTuple):
    """What a function's body comes to, if it does nothing."""

    what: str
    empty: bool
    """Whether there is no statement at all."""
    said: str
    """The comments in it."""


def stub_findings(path: str, root: "SgNode") -> Iterator[StaticFinding]:
    """Functions that do nothing."""
    if _DOUBLES.search(path):
        return
    told = 0
    for kind in FUNCTIONS:
        for node in nodes(root, kind):
            found = _judged(path, node, kind)
            if found is not None and told < MOST_FINDINGS:
                told += 1
                yield found


def _judged(path: str, node: "SgNode", kind: str) -> StaticFinding | None:
    body = node.field("body")
    if body is None or body.range().end.index - body.range().start.index > _LONGEST:
        return None
    name = _name(node, kind)
    trivial = _trivial(body) if name else None
    if trivial is None or _meant(node, kind, name, trivial):
        return None
    promised = _promises_data(node)
    taken = _parameters(node)
    unused = bool(taken) and not (set(taken) & _names(body))
    error = unused or (promised and kind != "method_definition") or _is_bare(kind, trivial)
    if not (error or (trivial.empty and _is_exported(node))):
        return None
    line = node.range().start.line + 1
    return StaticFinding(
        path, line, "stub", f"`{name}` {trivial.what}: {_WHAT_TO_DO}.", error=error
    )


def _is_bare(kind: str, body: _Body) -> bool:
    """Whether a declared function has no statement, and a comment stands for them or nothing."""
    return body.empty and kind in _DECLARED


def _name(node: "SgNode", kind: str) -> str:
    """The name a function is declared under; empty for what is handed on."""
    named = node.field("name")
    if named is not None:
        return named.text()
    parent = node.parent()
    if kind in {"arrow_function", "function_expression"} and parent is not None:
        if parent.kind() == "variable_declarator":
            found = parent.field("name")
            return found.text() if found is not None else ""
        if parent.kind() in {"public_field_definition", "field_definition"}:
            found = parent.field("name") or parent.field("property")
            return found.text() if found is not None else ""
        if parent.kind() == "assignment_expression":
            left = parent.field("left")
            return left.text() if left is not None and "." in left.text() else ""
    return "default" if parent is not None and parent.kind() == "export_statement" else ""


def _meant(node: "SgNode", kind: str, name: str, body: _Body) -> bool:
    """Whether doing nothing may be what is wanted here."""
    if _EMPTY_ON_PURPOSE.search(name) or _EMPTY_ON_PURPOSE.search(body.said):
        return True
    if kind != "method_definition":
        return False
    if name == "constructor" or node.text().startswith(
        ("get ", "static get ", "set ", "override ")
    ):
        return True
    owner = node.parent()
    owner = owner.parent() if owner is not None else None
    if owner is None or not owner.kind().startswith(("class", "abstract_class")):
        return True
    head = owner.text()[:_LONGEST].partition("{")[0]
    return bool(
        _EMPTY_ON_PURPOSE.search(head)
        or " extends " in head
        or " implements " in head
        or owner.kind().startswith("abstract")
    )


def _promises_data(node: "SgNode") -> bool:
    """Whether a promise of something is declared, and nothing is waited for."""
    declared = node.field("return_type")
    said = declared.text().replace(" ", "") if declared is not None else ""
    if said:
        return said.startswith(":Promise<") and not said.startswith(
            (":Promise<void>", ":Promise<undefined>", ":Promise<boolean>")
        )
    return node.text().startswith("async ") and _is_exported(node)


def _is_exported(node: "SgNode") -> bool:
    around = node.parent()
    while around is not None and around.kind() in {"variable_declarator", "lexical_declaration"}:
        around = around.parent()
    return around is not None and around.kind() == "export_statement"


def _parameters(node: "SgNode") -> list[str]:
    """Names that the function takes; those that begin with `_` are said to be unused."""
    given = node.field("parameters") or node.field("parameter")
    if given is None:
        return []
    if given.kind() == "identifier":
        return [given.text()] if not given.text().startswith("_") else []
    found: list[str] = []
    for one in given.children():
        if not one.is_named() or one.kind() == "comment":
            continue
        pattern = one.field("pattern") or one
        if pattern.kind() == "this":
            continue
        if any(child.kind() == "accessibility_modifier" for child in one.children()):
            continue
        found += _names(pattern) or []
    return [name for name in found if not name.startswith("_")]


def _names(node: "SgNode") -> set[str]:
    """The names that stand in a part of the code."""
    if node.kind() == "identifier":
        return {node.text()}
    kinds = ("identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern")
    return {found.text() for kind in kinds for found in nodes(node, kind)}


def _trivial(body: "SgNode") -> _Body | None:
    """What the body comes to; None if it does something."""
    if body.kind() != "statement_block":
        return _Body("gives a fixed value", empty=False, said="") if _is_fixed(body) else None
    inside = [child for child in body.children() if child.is_named()]
    said = " ".join(child.text() for child in inside if child.kind() == "comment")
    statements = [child for child in inside if child.kind() not in {"comment", "empty_statement"}]
    if not statements:
        what = "holds a comment in place of code" if said else "has an empty body"
        return _Body(what, empty=True, said=said)
    *before, last = statements
    if not all(_is_log(one) for one in before):
        return None
    if _is_log(last):
        return _Body("only writes a line to the log", empty=False, said=said)
    if last.kind() == "return_statement":
        values = [child for child in last.children() if child.is_named()]
        if not values:
            return _Body("returns at once", empty=True, said=said)
        if _is_fixed(values[0]):
            return _Body("gives a fixed value", empty=False, said=said)
    return None


def _is_log(statement: "SgNode") -> bool:
    call = statement.child(0) if statement.kind() == "expression_statement" else None
    if call is None or call.kind() != "call_expression":
        return False
    called, given = call.field("function"), call.field("arguments")
    return (
        called is not None
        and given is not None
        and bool(_LOGS.match(called.text()))
        and all(_is_fixed(one) for one in given.children() if one.is_named())
    )


def _is_fixed(value: "SgNode") -> bool:
    """Whether nothing of what is known at the time goes into a value."""
    kind = value.kind()
    if kind in {"await_expression", "call_expression"}:
        return _is_resolved(value)
    if kind == "identifier":
        return value.text() == "undefined"
    if kind not in _FIXED:
        return False
    return all(
        _is_fixed(child)
        for child in value.children()
        if child.is_named() and child.kind() not in _TYPES
    )


def _is_resolved(value: "SgNode") -> bool:
    if value.kind() == "await_expression":
        inner = next((child for child in value.children() if child.is_named()), None)
        return inner is not None and _is_fixed(inner)
    called, given = value.field("function"), value.field("arguments")
    return (
        called is not None
        and given is not None
        and bool(_RESOLVED.match(called.text()))
        and all(_is_fixed(child) for child in given.children() if child.is_named())
    )
