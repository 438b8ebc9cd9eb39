"""Whether a file is what its name says: TypeScript, JavaScript, CSS, HTML, YAML, JSON.

Invariant: a parser that panics is a finding. The parser's library panics, past `Exception`, at a
language it does not know; so languages are named here only, and the panic is caught all the same.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from application.agents.checks.lexing import RegionKind, regions
from application.agents.inspection import StaticFinding
from infrastructure.inspection.relaxed import COMMENTED, relaxed

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
_BARE_MARK: Final = re.compile(r"^\s*[&>]")
"""What people write in markup as it is, and browsers read."""
_ADVANCED: Final = frozenset({"css", "html"})
"""Languages whose grammar here is older than what browsers read: an error may be the parser's."""


def suffix(path: str) -> str:
    """The kind of a file by its name, in lower case; empty without one."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def syntax_findings(path: str, content: str, root: "SgNode | None") -> Iterator[StaticFinding]:
    """Where the file cannot be parsed; at most a few places.

    Args:
        path: The file, of a kind that `LANGUAGES` names.
        content: Its text.
        root: Its tree, as `tree_of` gives it.
    """
    language = LANGUAGES[suffix(path)]
    if _depth(content) > DEEPEST:
        yield _finding(path, 1, f"it nests deeper than {DEEPEST} brackets")
    elif language == "json":
        yield from _json(path, relaxed(content) if COMMENTED.search(path) else content)
    elif root is None:
        yield StaticFinding(path, 1, "unreadable", "The parser cannot read this file.")
    else:
        yield from _tree(path, content, language, root)


def tree_of(path: str, content: str) -> "SgNode | None":
    """The syntax tree of a file; None where there is none or the parser gives up."""
    language = LANGUAGES.get(suffix(path))
    if language is None or language == "json" or _depth(content) > DEEPEST:
        return None
    return parsed(content, language)


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


def structure_of(path: str, content: str, root: "SgNode") -> "SgNode":
    """The tree that checks of structure read: one grammar for all scripts.

    JavaScript is read as TypeScript with markup, which knows all of its kinds; where that does not
    fit, its own tree is taken.
    """
    if LANGUAGES[suffix(path)] != "javascript":
        return root
    wider = parsed(content, "tsx")
    return root if wider is None or wider.find(kind="ERROR") is not None else wider


def nodes(node: "SgNode", kind: str) -> "Sequence[SgNode]":
    """All nodes of a kind in a part of a tree; none where its language knows no such kind."""
    try:
        return node.find_all(kind=kind)
    except RuntimeError:
        return ()


def _tree(path: str, content: str, language: str, root: "SgNode") -> Iterator[StaticFinding]:
    wrong = [
        (node.range().start.line + 1, f"near `{_shown(node.text())}`")
        for node in _errors(root)
        if language not in {"html", "tsx"} or not _BARE_MARK.match(node.text())
    ]
    absent = [
        (node.range().start.line + 1, f"`{node.kind()}` is missing")
        for node in root.find_all(regex="^$")
        if node.kind() not in _EMPTY_BY_NATURE
    ]
    unsure = language in _ADVANCED and _is_whole(content, language)
    for line, what in sorted({*wrong, *absent})[:MOST_FINDINGS]:
        yield _finding(path, line, what, error=not unsure)


def _is_whole(content: str, language: str) -> bool:
    """Whether brackets and tags end: then newer words of a language may be all that is wrong."""
    if language == "html":
        return content.count("<") == content.count(">")
    depth = 0
    for region in regions("a.css", content):
        if region.part is RegionKind.CODE:
            for found in _BRACKET.finditer(region.text):
                depth += 1 if found.group() in "([{" else -1
                if depth < 0:
                    return False
    return depth == 0


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


def _finding(path: str, line: int, what: str, *, error: bool = True) -> StaticFinding:
    said = f"The file cannot be parsed: {what}."
    return StaticFinding(path, line, "syntax", said, error=error)


def _shown(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")[:60]
