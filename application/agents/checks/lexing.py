"""Which parts of a file are code, which are comments, and which are text for people.

Invariant: the parts follow each other without a gap, and reading takes time in proportion to the
text. It is no parser: where a language is not known, or a bracket of it is misread, a part may be
taken for another, so what rests on it says "looks like".
"""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple


class RegionKind(Enum):
    """What a stretch of a file is."""

    CODE = "code"
    COMMENT = "comment"
    TEXT = "text"
    """A string, a template, or prose of a file that people read."""


class Region(NamedTuple):
    """A stretch of one kind."""

    part: RegionKind
    line: int
    """Of its beginning; 1 for the first."""
    text: str

    def said(self) -> str:
        """The words of a comment, without its marks, in single spaces."""
        return " ".join(
            line.strip().lstrip("/*#-!;<{ ").rstrip("*/>-}; ").strip()
            for line in self.text.splitlines()
        ).strip()


_SLASHES: Final = r"(?P<comment>//[^\n]*|/\*(?s:.*?)(?:\*/|\Z))"
_STRINGS: Final = (
    r"(?P<text>'(?:[^'\\\n]|\\(?s:.))*+'?|\"(?:[^\"\\\n]|\\(?s:.))*+\"?|`(?:[^`\\]|\\(?s:.))*+`?)"
)
_SCRIPT: Final = re.compile(rf"{_SLASHES}|{_STRINGS}|(?P<slash>/)|(?P<code>[^/'\"`]++)")
_LITERAL: Final = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*+\])++/")
_STYLE: Final = re.compile(
    r"(?P<comment>/\*(?s:.*?)(?:\*/|\Z))"
    r"|(?P<text>'(?:[^'\\\n]|\\(?s:.))*+'?|\"(?:[^\"\\\n]|\\(?s:.))*+\"?)"
    r"|(?P<rest>[^/'\"]++|.)"
)
_SQL: Final = re.compile(
    r"(?P<comment>--[^\n]*|/\*(?s:.*?)(?:\*/|\Z))"
    r"|(?P<text>'[^']*+'?|\"[^\"\n]*+\"?)"
    r"|(?P<rest>[^-/'\"]++|.)"
)
_HASH: Final = re.compile(
    r"(?P<comment>#[^\n]*)"
    r"|(?P<text>'(?:[^'\\\n]|\\.)*+'?|\"(?:[^\"\\\n]|\\.)*+\"?)"
    r"|(?P<rest>[^#'\"]++)"
)
_MARKUP: Final = re.compile(r"(?P<comment><!--(?s:.*?)(?:-->|\Z))|(?P<text>[^<]++|<)")
_LANGUAGES: Final[Mapping[str, re.Pattern[str]]] = {
    **dict.fromkeys(
        ("ts", "mts", "cts", "tsx", "js", "mjs", "cjs", "jsx", "svelte", "vue", "java", "go",
         "rs", "c", "h", "cpp", "cs", "kt", "swift", "php", "jsonc", "prisma", "proto"),
        _SCRIPT,
    ),
    **dict.fromkeys(("css", "scss", "less"), _STYLE),
    "sql": _SQL,
    **dict.fromkeys(("py", "rb", "sh", "yml", "yaml", "toml", "dockerfile", "env", "ini"), _HASH),
    **dict.fromkeys(("html", "htm", "xml", "svg"), _MARKUP),
}  # fmt: skip
_LOOK_BACK: Final = 60
"""Characters before a slash that say what it is."""
_WORD: Final = re.compile(r"\b[a-z]{2,6}$")
_BEFORE_LITERAL: Final = frozenset("(,=:[!&|?{};+-*%~^<>")
_WORDS_BEFORE: Final = frozenset(
    {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do"}
)
CODE: Final = frozenset(_LANGUAGES) - {"html", "htm", "xml", "svg"}
"""Endings of files in which what is neither comment nor string is code."""

SCRIPTS: Final = frozenset(kind for kind, pattern in _LANGUAGES.items() if pattern is _SCRIPT)


def ending(path: str) -> str:
    """The kind of a file by its name, in lower case; the whole name where there is no dot."""
    name = path.rpartition("/")[2].lower()
    return name.rpartition(".")[2]


def regions(path: str, content: str) -> Iterator[Region]:
    """The parts of a file in their order. Of a kind that is not known, all of it is text."""
    pattern = _LANGUAGES.get(ending(path))
    if pattern is None:
        yield Region(RegionKind.TEXT, 1, content)
    elif pattern is _SCRIPT:
        yield from _script(content)
    else:
        line = 1
        for found in pattern.finditer(content):
            text = found.group()
            yield Region(_PARTS.get(found.lastgroup or "", RegionKind.CODE), line, text)
            line += text.count("\n")


_PARTS: Final = {"comment": RegionKind.COMMENT, "text": RegionKind.TEXT}


def _script(content: str) -> Iterator[Region]:
    """Script code: a slash may begin an expression, which depends on what stands before it."""
    place, line, began = 0, 1, 1
    code: list[str] = []
    while found := _SCRIPT.match(content, place):
        kind, text = found.lastgroup or "", found.group()
        if kind == "slash" and _expects_value(content[max(0, place - _LOOK_BACK) : place]):
            literal = _LITERAL.match(content, place)
            text = literal.group() if literal else text
        if kind in _PARTS:
            if code:
                yield Region(RegionKind.CODE, began, "".join(code))
                code = []
            yield Region(_PARTS[kind], line, text)
        else:
            if not code:
                began = line
            code.append(text)
        place = found.start() + len(text)
        line += text.count("\n")
    if code:
        yield Region(RegionKind.CODE, began, "".join(code))


def _expects_value(before: str) -> bool:
    """Whether a slash after this begins a regular expression, and does not divide."""
    before = before.rstrip()
    return (
        not before
        or before[-1] in _BEFORE_LITERAL
        or bool((word := _WORD.search(before)) and word.group() in _WORDS_BEFORE)
    )


def comments(path: str, content: str) -> Iterator[Region]:
    """The comments of a file; line comments that follow each other stand alone."""
    return (region for region in regions(path, content) if region.part is RegionKind.COMMENT)
