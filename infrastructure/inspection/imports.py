"""Whether what a script imports exists: a file of the project, Node itself, or a planned package.

Invariant: only what is written as a plain text counts; an import of a computed name is not judged.
"""

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from application.agents.inspection import StaticFinding
from application.agents.output import FULL_CODE
from infrastructure.inspection.syntax import LANGUAGES, SCRIPTS, parsed, suffix

ENDINGS: Final = ("ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs", "json", "d.ts")
COMPILED: Final = {"js": ("ts", "tsx"), "jsx": ("tsx",), "mjs": ("mts",), "cjs": ("cts",)}
"""An import names what a file becomes; the project holds what it is made from."""

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
_CALLS: Final = frozenset({"require", "import"})


def import_findings(
    path: str, content: str, files: Collection[str], packages: Sequence[str]
) -> Iterator[StaticFinding]:
    """Imports that lead nowhere, or to a package that the plan does not name."""
    language = LANGUAGES[suffix(path)]
    if language not in SCRIPTS:
        return
    allowed = {package_name(package) for package in packages}
    for line, wanted in _imports(content, language):
        if wanted.startswith(("./", "../")) or wanted in {".", ".."}:
            if not _resolves(path, wanted, files):
                message = f"It imports `{wanted}`, which is no file of the project."
                yield StaticFinding(path, line, "unresolved_import", message)
        elif wanted.startswith(("/", "http:", "https:", "data:", "file:")):
            message = f"It imports `{wanted}`, which is outside the project."
            yield StaticFinding(path, line, "unresolved_import", message)
        elif not _is_node(wanted) and not wanted.startswith("#"):
            name = package_name(wanted)
            if name not in allowed:
                message = f"It imports the package `{name}`, which the plan does not name."
                yield StaticFinding(path, line, "unplanned_package", message)


def package_name(wanted: str) -> str:
    """The package that an import or a line of a plan names, without its version and inner path."""
    word = wanted.strip().split(" ")[0].strip("`'\",;:")
    parts = word.split("/")
    name = "/".join(parts[:2]) if word.startswith("@") else parts[0]
    return name[:1] + name[1:].partition("@")[0]


def _is_node(wanted: str) -> bool:
    return wanted.startswith(FULL_CODE.built_in) or wanted.split("/", maxsplit=1)[0] in NODE


def _imports(content: str, language: str) -> Iterator[tuple[int, str]]:
    root = parsed(content, language)
    if root is None:
        return
    for kind in ("import_statement", "export_statement"):
        for node in root.find_all(kind=kind):
            source = node.field("source")
            if source is not None and (text := _TEXT.match(source.text())):
                yield node.range().start.line + 1, text.group(1)
    for node in root.find_all(kind="call_expression"):
        called, given = node.field("function"), node.field("arguments")
        if called is None or given is None or called.text() not in _CALLS:
            continue
        first = next((child for child in given.children() if child.is_named()), None)
        if first is not None and (text := _TEXT.match(first.text())):
            yield node.range().start.line + 1, text.group(1)


def _resolves(path: str, wanted: str, files: Collection[str]) -> bool:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), wanted.partition("?")[0]))
    if target.startswith(".."):
        return False
    stem, _, ending = target.rpartition(".")
    made_from = [f"{stem}.{source}" for source in COMPILED.get(ending, ())]
    inside = [f"{target}/index.{e}" if target != "." else f"index.{e}" for e in ENDINGS]
    return any(
        place in files
        for place in (target, *made_from, *(f"{target}.{e}" for e in ENDINGS), *inside)
    )
