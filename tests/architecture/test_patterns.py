"""No pattern of ours takes longer than in proportion to the text it reads.

`backtracking.py` says how that is found. Every pattern has a name at the top of its module, so that
none is missed.
"""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ast_grep_py import SgRoot

from tests.architecture.backtracking import growth
from tests.architecture.pages import PROJECT, name_of, tree_of
from tests.architecture.test_modules import MODULES

OURS = "reads files of this project only, on the machine of whoever develops it"
ALLOWED = {
    "interface/cli/generate/documents.py:_MARKS": OURS,
    "interface/cli/generate/rights.py:_GRANT": OURS,
    **dict.fromkeys(
        (
            "application/agents/checks/lexing.py:_STYLE",
            "application/agents/checks/lexing.py:_HASH",
            "infrastructure/inspection/relaxed.py:_COMMENTS",
            "infrastructure/inspection/relaxed.py:_COMMAS",
        ),
        "takes every place it begins at, so each character is read once; tests/growth tries it",
    ),
    "infrastructure/inspection/notes.py:NOTES": "reads 600 characters of a node, 2,000 of a line",
    "application/agents/checks/titles.py:_EACH": "reads some hundred characters in front of a text",
    "interface/http/static_files.py:_INLINE": "reads the web app's own files, once at the start",
}
"""Patterns that may backtrack, and why."""

CUT_SHORT = frozenset(
    {
        "application/agents/checks/negation.py",
        "application/agents/told.py",
        "application/agents/weakness.py",
    }
)
"""Their patterns are many words of data, and read some thousand characters at most: to prove more
of them here takes minutes. `tests/growth` tries what they take."""

MADE_OF_LITERALS = {
    "infrastructure/observability/redaction.py": "the operator's own secrets, each escaped",
}
"""Where a pattern is made while the program runs, and of what."""

ONE_START = {"match", "fullmatch"}
FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


class Found(NamedTuple):
    """A pattern, and how it is used."""

    name: str
    pattern: re.Pattern[Any]
    searching: bool = True
    whole: bool = False


def _patterns(value: object, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 4 and isinstance(value, Mapping):
        for item in value.values():
            yield from _patterns(item, depth + 1)
    elif depth < 4 and isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _patterns(item, depth + 1)
    elif depth < 4 and hasattr(value, "__struct_fields__") and not isinstance(value, type):
        for field in value.__struct_fields__:
            yield from _patterns(getattr(value, field), depth + 1)


def _trees() -> dict[Path, ast.Module]:
    return {path: tree_of(path) for path in MODULES}


TREES = _trees()


def _uses() -> Mapping[tuple[str, str], set[str]]:
    """For each name, the methods that are called of it; a private one is its module's own."""
    uses: dict[tuple[str, str], set[str]] = defaultdict(set)
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(value=ast.Name(id=name) | ast.Attribute(attr=name), attr=method):
                    uses[_home(path, name), name].add(method)
                case _:
                    pass
    return uses


def _home(path: Path, name: str) -> str:
    return name_of(path) if name.startswith("_") else ""


def _module(path: Path) -> Any:
    return importlib.import_module(
        name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    )


def _ours() -> Iterator[Found]:
    uses, seen = _uses(), set()
    for path, tree in TREES.items():
        if path.name == "__main__.py" or name_of(path) in CUT_SHORT:
            continue
        for name, value in vars(_module(path)).items():
            for pattern in _patterns(value):
                if id(pattern) in seen:
                    continue
                seen.add(id(pattern))
                how = uses.get((_home(path, name), name), set()) if pattern is value else set()
                one_start = bool(how) and how <= ONE_START
                yield Found(
                    f"{name_of(path)}:{name}",
                    pattern,
                    searching=not one_start,
                    whole=how == {"fullmatch"},
                )
        for node in ast.walk(tree):
            match node:
                case ast.keyword(arg="pattern", value=ast.Constant(value=text)):
                    yield Found(f"{name_of(path)}:{node.lineno}", re.compile(text))
                case _:
                    pass


def _web() -> Iterator[Found]:
    for path in sorted((PROJECT / "interface" / "web" / "src").rglob("*")):
        if path.suffix not in {".ts", ".svelte"}:
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".svelte":
            text = "\n".join(re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL))
        for node in SgRoot(text, "typescript").root().find_all(kind="regex"):
            body, _, marks = node.text()[1:].rpartition("/")
            flags = sum(
                flag
                for mark, flag in (("i", re.IGNORECASE), ("m", re.MULTILINE), ("s", re.DOTALL))
                if mark in marks
            )
            # What Python spells otherwise: named groups, and classes by their Unicode name.
            body = re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", body)
            body = re.sub(r"\\[pP]\{[^}]*\}", r"\\w", body)
            yield Found(f"{name_of(path)}: {node.text()}", re.compile(body, flags))


def _refused(found: Iterable[Found]) -> dict[str, str]:
    refused = {}
    for one in found:
        why = growth(one.pattern, searching=one.searching, whole=one.whole)
        if why is not None:
            refused[one.name] = f"{why.kind} over {why.text!r}: {str(one.pattern.pattern)[:80]}"
    return refused


def test_no_pattern_backtracks_without_bound() -> None:
    found = list(_ours())
    assert len(found) > 100
    refused = _refused(found)
    assert {name: why for name, why in refused.items() if name not in ALLOWED} == {}
    assert ALLOWED.keys() <= refused.keys(), "an exception that is not needed any more"


def test_no_pattern_of_the_web_app_does() -> None:
    found = list(_web())
    assert found
    assert _refused(found) == {}


def test_a_pattern_is_compiled_once_under_a_name() -> None:
    stray = []
    for path, tree in TREES.items():
        named = {
            node
            for statement in tree.body
            if isinstance(statement, ast.Assign | ast.AnnAssign)
            for node in ast.walk(statement)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=what)):
                    compiled = what == "compile" and (
                        node in named or name_of(path) in MADE_OF_LITERALS
                    )
                    if not compiled and what != "escape":
                        stray.append(f"{name_of(path)}:{node.lineno}")
                case _:
                    pass
    assert stray == []


S1 = r"^\s*(?:#{1,6}\s+(?P<hash>.+?)|\*\*(?P<bold>[^*]+?)\*\*:?)\s*#*\s*$"
"""The one that hung the service: `# a`, then blanks, then `x`."""


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        (S1, "polynomial"),
        (r"(a+)+$", "exponential"),
        (r"(a*)*b", "exponential"),
        (r"(?:a?b?)*c", "exponential"),
        (r"(a|aa)+$", "exponential"),
        (r"(?:\w+\s?)+$", "exponential"),
        (r"^(\w+|\d+)*$", "exponential"),
        (r"(?:x{1,64})+y", "exponential"),
        (r"\s*\s*$", "polynomial"),
        (r"\s+x", "polynomial"),
        (r"\s++x", "polynomial"),
        (r"\([^)]*\)", "polynomial"),
        (r"\s*[,;]\s*", "polynomial"),
        (r"\w+@\w+", "polynomial"),
        (r"a.*b", "polynomial"),
        (r"a(?:.*b)?", "polynomial"),
        (r"(.*?,){5}x", "polynomial"),
        (r"[\w-]{0,40}[\w-]{0,40}x", "polynomial"),
        (r"[\w-]{1,5000}x", "polynomial"),
        (r"<(?=\s*/?\s*input\b)", "polynomial"),
        (r"(?=(.*))x", "polynomial"),
        (r"<a\b.*?</a>", "polynomial"),
        (r"(['\"]).*?\1x", "polynomial"),
        (r"\beyJ[\w-]{6,}\.", "polynomial"),
        (r"(?i:\S+\s*)*k", "exponential"),
        (rb"(?:\x00+)+\x01", "exponential"),
    ],
)
def test_what_backtracks_is_refused(pattern: str | bytes, kind: str) -> None:
    found = growth(re.compile(pattern))
    assert found is not None
    assert found.kind == kind
    assert found.text


@pytest.mark.parametrize(
    "pattern",
    [
        r"\s+",
        r"[a-z]+(?:-[a-z]+)?",
        r"(?<!\s)\s+x",
        r"^\s+x",
        r"^\s*+x",
        r"x(?=\s*y)",
        r"<(?=\s*+(?:/\s*+)?input\b)",
        r"(?<!\\)(?:\\\\)*\\u0000",
        r"\b\w+\b",
        r"^#{1,6} (.*)$",
        r"(?<=[.!?])\s+(?=\S)",
        r"\([^()]*\)",
        r"`{3,}",
        r"^[^:]+:\d+$",
        r"[\w-]{1,200}x",
        r"(?s)BEGIN.*?(?:END|\Z)",
        r"\beyJ[\w-]{6,}(\.[\w-]*)?",
        r"(?i)token\W[a-z]{8,}",
        rb"v1:(\d{1,18})",
    ],
)
def test_what_does_not_is_taken(pattern: str | bytes) -> None:
    assert growth(re.compile(pattern)) is None


def test_a_match_that_begins_in_one_place_may_begin_with_a_repetition() -> None:
    assert growth(re.compile(r"\w+@\w+"), searching=False) is None
    assert growth(re.compile(r"\w+\.?\w+"), searching=False, whole=True) is not None
