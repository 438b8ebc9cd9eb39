"""Whether a file is what its name says: TypeScript, JavaScript, CSS, HTML, YAML, JSON.

Invariant: a parser that panics is a finding. The parser's library panics, past `Exception`, at a
language it does not know; so languages are named here only, and the panic is caught all the same.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from application.agents.inspection import StaticFinding

if TYPE_CHECKING:
    from ast_grep_py import SgNode

LANGUAGES: Final[Mapping[str, str]] = {
    "ts": "typescript", "mts": "typescript", "cts": "typescript", "tsx": "tsx",
    "js": "javascript", "mjs": "javascript", "cjs": "javascript", "jsx": "javascript",
    "css": "css", "html": "html", "htm": "html", "yml": "yaml", "yaml": "yaml", "json": "json",
}  # fmt: skip
SCRIPTS: Final = frozenset({"typescript", "tsx", "javascript"})
MOST_FINDINGS: Final = 5
"""Per file: one fault brings others with it."""
DEEPEST: Final = 400
"""Brackets inside brackets: more is no program, and wears out readers."""

_EMPTY_BY_NATURE: Final = frozenset({"raw_text", "program", "document", "stylesheet", "stream"})
_BRACKET: Final = re.compile(r"[(\[{}\])]")
_COMMENTED: Final = re.compile(r"(^|/)tsconfig[^/]*\.json$")


def suffix(path: str) -> str:
    """The kind of a file by its name, in lower case; empty without one."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def syntax_findings(path: str, content: str) -> Iterator[StaticFinding]:
    """Where the file cannot be parsed; at most a few places."""
    language = LANGUAGES[suffix(path)]
    if _depth(content) > DEEPEST:
        yield _finding(path, 1, f"it nests deeper than {DEEPEST} brackets")
    elif language == "json" and not _COMMENTED.search(path):
        yield from _json(path, content)
    else:
        yield from _tree(path, content, language)


def parsed(content: str, language: str) -> "SgNode | None":
    """The root of the syntax tree; None if the parser gives up."""
    from ast_grep_py import SgRoot  # noqa: PLC0415 - 20 MB that only workers need.

    try:
        return SgRoot(content, language).root()
    except BaseException as panic:
        # A panic of the Rust library is no Exception; what stops a process still stops it.
        if isinstance(panic, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise
        return None


def _tree(path: str, content: str, language: str) -> Iterator[StaticFinding]:
    root = parsed(content, language)
    if root is None:
        yield StaticFinding(path, 1, "unreadable", "The parser cannot read this file.")
        return
    wrong = [
        (node.range().start.line + 1, f"near `{_shown(node.text())}`") for node in _errors(root)
    ]
    absent = [
        (node.range().start.line + 1, f"`{node.kind()}` is missing")
        for node in root.find_all(regex="^$")
        if node.kind() not in _EMPTY_BY_NATURE
    ]
    for line, what in sorted({*wrong, *absent})[:MOST_FINDINGS]:
        yield _finding(path, line, what)


def _errors(root: "SgNode") -> "list[SgNode]":
    """Parts that the grammar cannot place; the root itself if nothing fits."""
    found = list(root.find_all(kind="ERROR"))
    return [root, *found] if root.kind() == "ERROR" and not found else found


def _json(path: str, content: str) -> Iterator[StaticFinding]:
    try:
        json.loads(content)
    except json.JSONDecodeError as wrong:
        yield _finding(path, wrong.lineno, wrong.msg.lower())
    except (RecursionError, ValueError):
        yield _finding(path, 1, "it cannot be read")


def _depth(content: str) -> int:
    """How deep brackets stand inside brackets, roughly: those in texts count too."""
    depth = deepest = 0
    for found in _BRACKET.finditer(content):
        depth += 1 if found.group() in "([{" else -1
        deepest = max(deepest, depth)
    return deepest


def _finding(path: str, line: int, what: str) -> StaticFinding:
    return StaticFinding(path, line, "syntax", f"The file cannot be parsed: {what}.")


def _shown(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")[:60]
