"""Which settings the code reads from its environment, by its syntax tree, and that each is named.

Invariant: a setting that is read in a way that can be seen, directly, taken apart, through another
name or through a helper that takes the name, stands in the example of settings.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from application.agents.inspection import StaticFinding
from infrastructure.inspection.contract_tests import is_test
from infrastructure.inspection.syntax import nodes

if TYPE_CHECKING:
    from ast_grep_py import SgNode

EXAMPLE: Final = ".env.example"
_ENVIRONMENT: Final = "process.env"
_OWN: Final = frozenset({"NODE_ENV"})
"""Settings that are the platform's own."""
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,60}")
_HELPERS: Final = frozenset({"function_declaration", "variable_declarator"})
"""What gives a function its name."""
_QUOTED: Final = re.compile(r"[\"'`]([A-Z][A-Z0-9_]{1,60})[\"'`]")
_DIRECT: Final = re.compile(r"process\.env(?:\.|\[[\"'])([A-Z][A-Z0-9_]{0,60})\b")
"""How the check of the stack sees settings, whatever else is there."""
_NAMED: Final = re.compile(r"^#? ?(?:export )?([A-Z][A-Z0-9_]{0,60})=", re.MULTILINE)


def settings_read(root: "SgNode") -> Iterator[tuple[str, int]]:
    """Names of settings, each with the line where it is read."""
    sources = {_ENVIRONMENT, *_other_names(root)}
    for member in nodes(root, "member_expression"):
        if _of(member, "object") in sources:
            yield from _named(member, _of(member, "property"))
    for taken in nodes(root, "subscript_expression"):
        if _of(taken, "object") not in sources:
            continue
        index = _of(taken, "index")
        if quoted := _QUOTED.fullmatch(index):
            yield from _named(taken, quoted[1])
        elif index.isidentifier():
            yield from _by_helper(root, taken)
    for declared in nodes(root, "variable_declarator"):
        pattern = declared.field("name")
        if pattern is None or pattern.kind() != "object_pattern":
            continue
        if _of(declared, "value") in sources:
            yield from _taken_apart(pattern)


def _other_names(root: "SgNode") -> Iterator[str]:
    """Variables and parameters that stand for the whole environment."""
    for kind, value in (
        ("variable_declarator", "value"),
        ("required_parameter", "value"),
        ("optional_parameter", "value"),
    ):
        for one in nodes(root, kind):
            name = _of(one, "name") or _of(one, "pattern")
            if name.isidentifier() and _of(one, value) == _ENVIRONMENT:
                yield name


def _taken_apart(pattern: "SgNode") -> Iterator[tuple[str, int]]:
    for part in pattern.children():
        key = part.field("key")
        if key is None and part.kind() == "object_assignment_pattern":
            key = part.field("left")
        yield from _named(part, (key or part).text())


def _by_helper(root: "SgNode", taken: "SgNode") -> Iterator[tuple[str, int]]:
    """Names that are handed to the function in which a setting is read by a parameter."""
    helper = next((one for one in taken.ancestors() if one.kind() in _HELPERS), None)
    name = _of(helper, "name") if helper is not None else ""
    for call in nodes(root, "call_expression") if name else ():
        given = call.field("arguments")
        if _of(call, "function") == name and given is not None:
            found = _QUOTED.match(given.text()[1:].lstrip())
            if found:
                yield from _named(call, found[1])


def _named(node: "SgNode", name: str) -> Iterator[tuple[str, int]]:
    if _NAME.fullmatch(name) and name not in _OWN:
        yield name, node.range().start.line + 1


def _of(node: "SgNode", field: str) -> str:
    found = node.field(field)
    return found.text() if found is not None else ""


def settings_findings(
    scripts: "Mapping[str, SgNode]", files: Mapping[str, str]
) -> Iterator[StaticFinding]:
    """Settings that are read and named nowhere; none where there is no example, as in parts."""
    if not files.get(EXAMPLE, "").strip():
        return
    named = set(_NAMED.findall(files[EXAMPLE]))
    for path, root in scripts.items():
        if is_test(path):
            continue
        direct = set(_DIRECT.findall(files[path]))
        for name, line in settings_read(root):
            if name not in named | direct:
                named.add(name)
                said = f"Name the setting `{name}` in `{EXAMPLE}`: it is read here."
                yield StaticFinding(path, line, "stack", said)
