"""Whether what a script imports exists: a file of the project, Node itself, or a planned package.

Invariant: only what is written as a plain text counts; an import of a computed name is not judged.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from application.agents.inspection import StaticFinding
from application.agents.output import FULL_CODE
from infrastructure.inspection.resolving import is_relative, resolved
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

NODE: Final = frozenset(
    (  # noqa: SIM905 - fifty names are read better as words.
        "assert async_hooks buffer child_process cluster console constants crypto dgram "
        "diagnostics_channel dns domain events fs http http2 https inspector module net os path "
        "perf_hooks process punycode querystring readline repl stream string_decoder sys timers "
        "tls trace_events tty url util v8 vm wasi worker_threads zlib"
    ).split()
)
"""Modules of Node 24 that may be imported without `node:`."""

_TEXT: Final = re.compile(r"""^["'`]([^"'`$]*)["'`]$""")
_CALLS: Final = frozenset(
    {"require", "import", "require.resolve", "import.meta.resolve", "jest.mock", "vi.mock",
     "mock.module"}
)  # fmt: skip


def import_findings(
    path: str,
    root: "SgNode",
    files: Collection[str],
    packages: Sequence[str],
    declared: Collection[str] | None = None,
) -> Iterator[StaticFinding]:
    """Imports that lead nowhere, or to a package that nobody planned or declared.

    Args:
        path: Where the script stands.
        root: Its syntax tree.
        files: All files of the project.
        packages: What the plan allows.
        declared: What the nearest `package.json` names; None where there is none to read.
    """  # fmt: skip
    allowed = {package_name(package) for package in packages}
    for line, wanted in imports(root):
        if is_relative(wanted):
            if resolved(path, wanted, files) is None and not _is_asset(wanted):
                message = (
                    f"It imports `{wanted}`, which is no file of the project: import a file that "
                    "is there, or write it if the plan has it."
                )
                yield StaticFinding(path, line, "unresolved_import", message)
        elif wanted.startswith(("/", "http:", "https:", "data:", "file:")):
            message = f"It imports `{wanted}`, which is outside the project."
            yield StaticFinding(path, line, "unresolved_import", message)
        elif not _is_node(wanted) and not wanted.startswith("#"):
            name = package_name(wanted)
            if name not in allowed:
                message = f"It imports the package `{name}`, which the plan does not name."
                yield StaticFinding(path, line, "unplanned_package", message)
            elif declared is not None and not {name, types_of(name)} & set(declared):
                message = (
                    f"It imports the package `{name}`, which `{FULL_CODE.declaration}` does not "
                    "name: add it to its dependencies."
                )
                yield StaticFinding(path, line, "missing_package", message)


def neighbours(files: dict[str, str], paths: tuple[str, ...]) -> list[str]:
    """Files that import one of `paths`, or that one of these imports, in order; without them."""
    wanted = set(paths)
    found = set[str]()
    for path, imported in _edges(files):
        if path in wanted:
            found.add(imported)
        if imported in wanted:
            found.add(path)
    return sorted(found - wanted)


def _edges(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Which file imports which."""
    for path, content in files.items():
        if LANGUAGES.get(suffix(path)) not in SCRIPTS:
            continue
        tree = tree_of(path, content)
        if tree is None:
            continue
        for _, imported in imports(structure_of(path, content, tree)):
            if (target := resolved(path, imported, files)) is not None:
                yield path, target


def types_of(package: str) -> str:
    """The package that declares the types of another."""
    return "@types/" + package.removeprefix("@").replace("/", "__")


def package_name(wanted: str) -> str:
    """The package that an import or a line of a plan names, without its version and inner path."""
    word = wanted.strip().split(" ")[0].strip("`'\",;:")
    parts = word.split("/")
    name = "/".join(parts[:2]) if word.startswith("@") else parts[0]
    return name[:1] + name[1:].partition("@")[0]


def _is_node(wanted: str) -> bool:
    return wanted.startswith(FULL_CODE.built_in) or wanted.split("/", maxsplit=1)[0] in NODE


def _is_asset(wanted: str) -> bool:
    """Whether a bundler is asked for what it makes itself."""
    return wanted.startswith("./$types") or "?" in wanted


def imports(root: "SgNode") -> Iterator[tuple[int, str]]:
    """What a script imports, in any form, with the line."""
    for kind in ("import_statement", "export_statement"):
        for node in nodes(root, kind):
            source = node.field("source")
            if source is None:
                clause = next(
                    (c for c in node.children() if c.kind() == "import_require_clause"), None
                )
                source = clause.find(kind="string") if clause is not None else None
            if source is not None and (text := _TEXT.match(source.text())):
                yield node.range().start.line + 1, text.group(1)
    for node in nodes(root, "call_expression"):
        called, given = node.field("function"), node.field("arguments")
        if called is None or given is None or called.text() not in _CALLS:
            continue
        first = next((child for child in given.children() if child.is_named()), None)
        if first is not None and (text := _TEXT.match(first.text())):
            yield node.range().start.line + 1, text.group(1)
