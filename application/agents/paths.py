"""Which file paths agents may write: such as unpack as they are named, on every system.

Invariant: a set of files without refusals has one file per path on systems that ignore case too,
stays inside its folder, and holds nothing that runs or is obeyed by itself (`obeyed.py`). Reserved
names are those of Windows.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from application.agents.obeyed import folded, obeyed

MOST_FILES: Final = 2_000
LARGEST_FILE: Final = 1 << 20
"""Bytes."""
LARGEST_SET: Final = 50 << 20
"""Bytes."""
LONGEST_PATH: Final = 240
"""Bytes of UTF-8."""
LONGEST_ON_WINDOWS: Final = 140
"""Characters, as Windows counts them (UTF-16 units). A whole path there has at most 259: this
leaves 119 for the folder that is unpacked into. Of these the zip's name, ` (1)`, the folder in it
and `code` take 67 (`application.delivery.names`); so what it lies in may be as long as
`C:\\Users\\some.body\\OneDrive - A Company\\Downloads\\`."""
LONGEST_SEGMENT: Final = 100
DEEPEST: Final = 16

_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
FORBIDDEN: Final = re.compile(r'[<>:"|?*\\\uff00-\uff0f\uff1a\uff3c\uffe8-\uffff]')
"""Beside what cannot be seen: what Windows refuses, and look-alikes of dots and slashes."""
_HIDDEN: Final = frozenset(
    {
        ".dockerignore", ".editorconfig", ".env.example", ".eslintrc.json", ".gitignore",
        ".gitkeep", ".node-version", ".nvmrc", ".prettierignore", ".prettierrc",
        ".prettierrc.json", ".well-known",
    }
)  # fmt: skip
"""Hidden names that only describe. Others may run code when a folder is opened or installed."""


def refusal(path: str) -> str | None:
    """Why a path may not be written, in plain words; None if it may."""
    if not path or len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        return f"a path has 1 to {LONGEST_PATH} bytes"
    if (units := len(path.encode("utf-16-le", "surrogatepass")) // 2) > LONGEST_ON_WINDOWS:
        return (
            f"it has {units} characters, and a path has at most {LONGEST_ON_WINDOWS}, so that it "
            "can be unpacked on Windows below any folder of downloads: use shorter names"
        )
    if not path.isprintable() or FORBIDDEN.search(path):
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
    last = len(segments) - 1
    found = (_segment(segment, is_file=at == last) for at, segment in enumerate(segments))
    return next((why for why in found if why), None)


def _segment(segment: str, *, is_file: bool) -> str | None:
    name = folded(segment)
    if segment in {".", ".."}:
        return "it leads out of the project's folder"
    if segment != segment.strip() or segment.endswith("."):
        return "a name begins or ends with a space, or ends with a dot"
    if segment[0] in "-~":
        return "a name begins with a dash or a tilde, which commands take for something else"
    if len(segment) > LONGEST_SEGMENT:
        return f"a name is longer than {LONGEST_SEGMENT} characters"
    if name.split(".")[0].strip() in _RESERVED:
        return f"`{segment}` is a reserved name on Windows"
    if name.startswith(".") and name not in _HIDDEN:
        return f"`{segment}` is a hidden, generated or tool file, which is not written here"
    if why := obeyed(segment, is_file=is_file):
        return f"`{segment}` {why}"
    return None


def key(path: str) -> str:
    """What two paths share that are the same file on some system."""
    return folded(path)


def collisions(paths: Iterable[str]) -> Iterator[str]:
    """Findings: paths that would be one file, one folder under two names, or both of these."""
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
    spelled: dict[str, str] = {}
    for path in seen.values():
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            same = spelled.setdefault(key(folder), folder)
            if same != folder:
                yield f"`{folder}` and `{same}` are the same folder on systems that ignore case."
                break


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
