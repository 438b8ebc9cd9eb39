"""Which file paths agents may write: such as unpack as they are named, on every system.

Invariant: a set of files without refusals has one file per path on systems that ignore case too,
stays inside its folder, and holds nothing that a tool runs by itself when the folder is opened.
Reserved names are those of Windows; the limits leave room for a folder to unpack into.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

MOST_FILES: Final = 2_000
LARGEST_FILE: Final = 1 << 20
"""Bytes."""
LARGEST_SET: Final = 50 << 20
"""Bytes."""
LONGEST_PATH: Final = 240
"""Bytes of UTF-8."""
LONGEST_SEGMENT: Final = 100
DEEPEST: Final = 16

_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\\uff00-\uff0f\uff1a\uff3c\uffe8-\uffff]')
"""Beside what cannot be seen: what Windows refuses, and look-alikes of dots and slashes."""
_HIDDEN: Final = frozenset(
    {
        ".dockerignore", ".editorconfig", ".env.example", ".eslintrc.json", ".gitignore",
        ".gitkeep", ".node-version", ".nvmrc", ".prettierignore", ".prettierrc",
        ".prettierrc.json", ".well-known",
    }
)  # fmt: skip
"""Hidden names that only describe. Others may run code when a folder is opened or installed."""
_GENERATED: Final = frozenset({"node_modules", "__pycache__", "jenkinsfile"})


def refusal(path: str) -> str | None:
    """Why a path may not be written, in plain words; None if it may."""
    if not path or len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        return f"a path has 1 to {LONGEST_PATH} bytes"
    if not path.isprintable() or _FORBIDDEN.search(path):
        return "it holds a character that file systems refuse or that cannot be seen"
    folded = unicodedata.normalize("NFKC", path)
    if unicodedata.normalize("NFC", path) != path:
        return "its letters are not in their composed form"
    if folded != path and any(mark in folded for mark in "./\\:"):
        return "it holds a character that turns into a dot or a slash"
    if path[0] in "/~" or "//" in path or path.endswith("/"):
        return "it is not a path inside the project's folder"
    segments = path.split("/")
    if len(segments) > DEEPEST:
        return f"it is more than {DEEPEST} folders deep"
    return next((why for why in map(_segment, segments) if why), None)


def _segment(segment: str) -> str | None:
    name = segment.casefold()
    if segment in {".", ".."}:
        return "it leads out of the project's folder"
    if segment != segment.strip() or segment.endswith("."):
        return "a name begins or ends with a space, or ends with a dot"
    if len(segment) > LONGEST_SEGMENT:
        return f"a name is longer than {LONGEST_SEGMENT} characters"
    if unicodedata.normalize("NFKC", name).split(".")[0].strip() in _RESERVED:
        return f"`{segment}` is a reserved name on Windows"
    if name in _GENERATED or (name.startswith(".") and name not in _HIDDEN):
        return f"`{segment}` is a hidden, generated or tool file, which is not written here"
    return None


def key(path: str) -> str:
    """What two paths share that are the same file on some system."""
    return unicodedata.normalize("NFKC", path).casefold()


def collisions(paths: Iterable[str]) -> Iterator[str]:
    """Findings: paths that would be one file, or both a file and a folder."""
    seen: dict[str, str] = {}
    for path in paths:
        same = seen.setdefault(key(path), path)
        if same != path:
            yield f"`{path}` and `{same}` are the same file on systems that ignore case."
    folders = {
        "/".join(parts[:depth])
        for parts in (k.split("/") for k in seen)
        for depth in range(1, len(parts))
    }
    for clash in sorted(folders & seen.keys()):
        yield f"`{seen[clash]}` is both a file and a folder."


def refusals(paths: Iterable[str]) -> list[str]:
    """Findings over a whole set of paths: each path, and what they are together."""
    every = tuple(paths)
    found = [f"`{printable(p)}`: {why}." for p in every if (why := refusal(p))]
    if len(every) > MOST_FILES:
        found.append(f"There are {len(every)} files; at most {MOST_FILES} are allowed.")
    # Longer ones are refused already, and their letters are not worth composing.
    return [*found, *collisions(path for path in every if len(path) <= LONGEST_PATH)]


def oversizes(files: Mapping[str, str]) -> list[str]:
    """Findings: files, or all of them together, that are too large."""
    sizes = {path: len(content.encode("utf-8", "replace")) for path, content in files.items()}
    found = [
        f"`{path}` has {size:,} bytes; at most {LARGEST_FILE:,} are allowed."
        for path, size in sizes.items()
        if size > LARGEST_FILE
    ]
    total = sum(sizes.values())
    if total > LARGEST_SET:
        found.append(f"All files have {total:,} bytes; at most {LARGEST_SET:,} are allowed.")
    return found


def printable(path: str) -> str:
    """A path as it may be shown: what cannot be seen stands as its code."""
    return "".join(c if c.isprintable() and c != "`" else f"\\u{ord(c):04x}" for c in path[:80])
