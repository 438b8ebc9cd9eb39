"""SQL as words: statements, each a list of tokens with their lines.

Invariant: what stands in strings, comments, bodies of functions and data of COPY is no statement.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"(?P<blank>\s++|--[^\n]*|/\*(?s:.*?)(?:\*/|\Z))"
    r"|(?P<dollar>\$(?:[A-Za-z_]\w{0,60})?\$)"
    r"|(?P<text>[eEbBxXnN]?'(?:[^'\\]|''|\\(?s:.))*+'?)"
    r"|(?P<name>\"[^\"]*+\"?)"
    r"|(?P<word>[^\W\d][\w$]*+)"
    r"|(?P<number>\d[\w.]*+)"
    r"|(?P<mark>.)"
)
_DOWN: Final = re.compile(
    r"^[ \t]*+--[ \t+]*+(?:goose |migrate:|migration )?(?:down|rollback|undo|revert)\b.*",
    re.IGNORECASE | re.MULTILINE,
)
"""From here on a migration says how it is undone."""
_END_OF_DATA: Final = "\\."


class Token(NamedTuple):
    """A word, a name in quotes, a text, a number or a mark."""

    kind: str
    text: str
    """Words in lower case; names without their quotes."""
    line: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these words, not in quotes."""
        return self.kind == "word" and self.text in words


def without_data(content: str) -> str:
    """The text with data of `COPY … FROM stdin` blanked, lines kept."""
    if _END_OF_DATA not in content:
        return content
    out: list[str] = []
    inside = False
    before = ""
    for line in content.split("\n"):
        if inside:
            inside = line.strip() != _END_OF_DATA
            out.append("")
            continue
        out.append(line)
        before = f"{before}\n{line}"[-800:]
        if ";" in line:
            said = " ".join(before.lower().split())
            inside = "copy " in said and "from stdin" in said
            before = ""
    return "\n".join(out)


def statements(content: str) -> Iterator[list[Token]]:
    """The statements of a file, up to where it says how to undo them."""
    found = _DOWN.search(content)
    text = without_data(content[: found.start()] if found else content)
    place, line = 0, 1
    current: list[Token] = []
    while match := _TOKEN.match(text, place):
        kind, said = match.lastgroup or "", match.group()
        place = match.end()
        if kind == "dollar":
            end = text.find(said, place)
            body = text[place : end if end >= 0 else len(text)]
            current.append(Token("body", body, line))
            line += body.count("\n")
            place = end + len(said) if end >= 0 else len(text)
            continue
        if kind == "mark" and said == ";":
            if current:
                yield current
            current = []
        elif kind == "word":
            current.append(Token(kind, said.lower(), line))
        elif kind == "name":
            current.append(Token(kind, said.strip('"'), line))
        elif kind != "blank":
            current.append(Token(kind, said, line))
        line += said.count("\n")
    if current:
        yield current


def inside(tokens: Sequence[Token], at: int) -> tuple[list[Token], int]:
    """What stands between the bracket at a place and its end, and the place behind it."""
    depth = 0
    for index in range(at, len(tokens)):
        if tokens[index].text == "(" and tokens[index].kind == "mark":
            depth += 1
        elif tokens[index].text == ")" and tokens[index].kind == "mark":
            depth -= 1
            if depth == 0:
                return list(tokens[at + 1 : index]), index + 1
    return list(tokens[at + 1 :]), len(tokens)


def parts(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """What commas part, outside of brackets."""
    depth = 0
    current: list[Token] = []
    for token in tokens:
        if token.kind == "mark":
            if token.text in "([":
                depth += 1
            elif token.text in ")]":
                depth -= 1
            elif token.text == "," and depth == 0:
                yield current
                current = []
                continue
        current.append(token)
    if current:
        yield current
