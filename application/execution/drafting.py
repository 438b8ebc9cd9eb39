"""Reads the prose of a document while it is written: it comes as the input of a call, in JSON.

Invariant: however the JSON is cut into pieces, the prose is the same: every text in it that has a
space, each on lines of its own. A text without one is an id, a path or a choice, and is left out.
"""

from typing import Final

_SPOKEN: Final = {'"': '"', "\\": "\\", "/": "/", "b": "", "f": "", "n": "\n", "r": "", "t": "\t"}
_UNIT: Final = 6
"""Characters of an escape such as \\u00e9."""


class Draft:
    """Reads one call's input after the other, piece by piece."""

    def __init__(self) -> None:
        """Begin before the first character."""
        self._inside: list[str] = []
        self._names = False
        """Whether the next string is a name, and no value."""
        self._string: list[str] | None = None
        self._shown = False
        self._escape = ""
        self._high = ""

    def read(self, piece: str) -> str:
        """Take the next piece of JSON; what it adds to the prose."""
        prose: list[str] = []
        for character in piece:
            if self._string is None:
                self._outside(character)
            else:
                prose += self._within(character)
        return "".join(prose)

    def _outside(self, character: str) -> None:
        match character:
            case '"':
                self._string, self._shown = [], False
            case "{" | "[":
                self._inside.append(character)
                self._names = character == "{"
            case "}" | "]":
                del self._inside[-1:]
                self._names = False
            case ",":
                self._names = self._inside[-1:] == ["{"]
            case ":":
                self._names = False
            case _:
                pass

    def _within(self, character: str) -> list[str]:
        if self._escape or character == "\\":
            self._escape += character
            character = self._unescaped()
        elif character == '"':
            self._string = None
            return ["\n"] if self._shown else []
        return self._of_string(character)

    def _of_string(self, character: str) -> list[str]:
        if self._names or not character or self._string is None:
            return []
        self._string.append(character)
        if not self._shown and character != " ":
            return []
        self._shown = True
        read, self._string = self._string, []
        return read

    def _unescaped(self) -> str:
        """The character that an escape stands for, once it is whole; until then nothing."""
        escape = self._escape
        if len(escape) < 2 or (escape[1] == "u" and len(escape) < _UNIT):  # noqa: PLR2004
            return ""
        self._escape = ""
        if escape[1] != "u":
            return _SPOKEN.get(escape[1], "")
        try:
            unit = chr(int(f"0x{escape[2:]}", 16))
        except ValueError:
            return ""
        if "\ud800" <= unit <= "\udbff":
            self._high = unit
            return ""
        pair, self._high = self._high + unit, ""
        return pair.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
