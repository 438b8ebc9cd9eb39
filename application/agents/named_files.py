"""Which files a text names, however their paths are written.

Invariant: a path is found with anything around it: line numbers, links, marks of emphasis, a folder
in front, other case, or the folder or the bare name alone where these are one file's only.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

_MARKS: Final = " \t\r\n\"'`\u00b4*_<>()[]{}|,;:.!?\u2018\u2019\u201c\u201d«»"
_PLACE: Final = re.compile(r"(?:#L|:L?|\(|, ?line )\d{1,7}", re.IGNORECASE)
_WORD: Final = re.compile(r"[\w$]{3,80}(?=\()|`[\w$]{3,80}`")
SHORTEST_NAME: Final = 4
"""Characters of a bare name that is looked for in running text."""


class NamedFiles:
    """The paths of an implementation, to be found in what somebody writes."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._known = {_folded(path): path for path in sorted(paths)}
        self._longest = sorted(self._known, key=lambda path: (-len(path), path))
        self._ends: dict[str, list[str]] = {}
        self._folders: dict[str, str] = {}
        for folded, path in self._known.items():
            names = folded.split("/")
            for start in range(1, len(names)):
                self._ends.setdefault("/".join(names[start:]), []).append(path)
                self._folders.setdefault("/".join(names[:start]), path)

    def of_path(self, text: str) -> str | None:
        """The file that a field for a path means."""
        if text in self._known.values():
            return text
        folded = _folded(text)
        for tried in (folded, _PLACE.split(folded, maxsplit=1)[0]):
            names = [name for name in tried.strip(_MARKS).split("/") if name not in {"", "."}]
            for start in range(len(names)):
                end = "/".join(names[start:])
                if end in self._known:
                    return self._known[end]
            if len(found := self._ends.get("/".join(names), [])) == 1:
                return found[0]
        return next(iter(self.in_text(text)), None)

    def in_text(self, text: str) -> Sequence[str]:
        """The files that a text names by their path; else by their name, where it is unique."""
        folded = _folded(text)
        found = [self._known[path] for path in self._longest if _stands(folded, path)]
        if found:
            return found
        return [
            paths[0]
            for end, paths in self._ends.items()
            if len(paths) == 1 and len(end) >= SHORTEST_NAME and _stands(folded, end)
        ]

    def folder_in(self, text: str) -> str | None:
        """A file of the folder that a text names, with its slash."""
        folded = _folded(text)
        return next(
            (path for name, path in self._folders.items() if _stands(folded, f"{name}/")), None
        )


def functions_in(text: str) -> Sequence[str]:
    """Names of functions that a text names as code, each with an opening bracket."""
    return [f"{name.strip('`')}(" for name in _WORD.findall(text)[:20]]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("\\", "/")


def _stands(text: str, name: str) -> bool:
    """Whether a name stands in a text by itself, or behind a folder's slash."""
    place = text.find(name)
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(name) : place + len(name) + 2]
        begins = not before or before == "/" or not (before.isalnum() or before in "-_.$")
        begins = begins or (before == "." and text[place - 2 : place - 1] in {"", " "})
        ends = not after or not (after[0].isalnum() or after[0] in "-_")
        ends = ends and not (after[:1] == "." and after[1:].isalnum())
        if begins and ends:
            return True
        place = text.find(name, place + 1)
    return False
