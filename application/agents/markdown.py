"""Text of agents inside Markdown: readable, and unable to be anything but text.

Invariant: escaped text opens no element, holds no line break and no character that cannot be seen;
a fence is longer than any run of backticks inside it.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

_SPECIAL: Final = str.maketrans({sign: f"\\{sign}" for sign in "\\`*<[]|~"})
_SOMETIMES: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])|&(?=#?\w{1,31};)")
"""Special by what stands beside it: `_` outside words, and what begins a character reference."""
_LEADING: Final = re.compile(r"^([#>+=-]|\d{1,9}(?=[.)]))")
_JOINERS: Final = frozenset("\u200c\u200d")
"""Invisible, yet part of how some scripts and emoji are written."""
_TICKS: Final = re.compile(r"`{3,}")

CLIPPED_AT: Final = 60
"""Characters."""

LANGUAGES: Final = {
    "ts": "ts", "tsx": "tsx", "js": "js", "mjs": "js", "cjs": "js", "json": "json", "sql": "sql",
    "css": "css", "html": "html", "md": "markdown", "yml": "yaml", "yaml": "yaml",
}  # fmt: skip


def inline(text: str) -> str:
    """Text as one line of Markdown that shows exactly these words."""
    escaped = _SOMETIMES.sub(lambda m: f"\\{m[0]}", _visible(text).translate(_SPECIAL))
    return _LEADING.sub(lambda m: f"{m[1]}\\" if m[1].isdigit() else f"\\{m[1]}", escaped)


def code(text: str) -> str:
    """A short text as code inside a line, such as a path."""
    seen = _visible(text)
    if "``" in seen:
        return inline(seen)
    return f"`` {seen} ``" if "`" in seen else f"`{seen}`"


def _visible(text: str) -> str:
    """One line, in which a sign stands for each character that cannot be seen."""
    flat = " ".join(text.split())
    if flat.isprintable():
        return flat
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if c not in _JOINERS and unicodedata.category(c) in {"Cc", "Cf", "Cs"}
        else c
        for c in flat
    )


def fenced(content: str, path: str = "") -> str:
    """A whole file as a code block."""
    longest = max((len(run) for run in _TICKS.findall(content)), default=2)
    fence = "`" * max(3, longest + 1)
    language = LANGUAGES.get(path.rpartition(".")[2].lower(), "text")
    body = content if content.endswith("\n") or not content else f"{content}\n"
    return f"{fence}{language}\n{body}{fence}"


def clipped(text: str) -> str:
    """A text on one short line, for a sentence that only has to say which one is meant."""
    return text if len(text) <= CLIPPED_AT else f"{text[: CLIPPED_AT - 3]}…"


def bullets(items: Iterable[str]) -> str:
    """A list of items that are Markdown already."""
    return "\n".join(f"- {item}" for item in items)


def ids(idents: Sequence[str]) -> str:
    """Ids in a row, or a dash."""
    return ", ".join(inline(ident) for ident in idents) or "—"


def section(heading: str, body: str) -> str:
    """A section, or nothing if its body is empty."""
    return f"## {heading}\n\n{body}" if body else ""


def page(title: str, *parts: str) -> str:
    """A document of its non-empty parts."""
    return "\n\n".join([f"# {inline(title)}", *(part for part in parts if part)]) + "\n"
