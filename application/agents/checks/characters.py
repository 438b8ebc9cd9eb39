"""Characters that hide what a file says: they turn text around, are not seen, or look like others.

Invariant: what human writing needs is accepted where people read it: joiners and marks of direction
in strings, in prose and in translations, soft hyphens, flags. In code none of them means anything.
Sources: Unicode Technical Reports 36 and 39, and "Trojan Source" (Boucher and Anderson, 2021).
"""

import re
from collections.abc import Iterator
from typing import Final

from application.agents.checks.lexing import CODE, Region, RegionKind, ending, regions

_NEVER: Final = re.compile(r"[\x00\u202d\u202e\u2061-\u2064\u206a-\u206f\u180e\ufff9-\ufffb]")
_HIDDEN: Final = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180d\u200b-\u200f\u2028-\u202c\u2060"
    r"\u2066-\u2069\u3164\ufe00-\ufe0e\ufeff\uffa0]"
)
"""In code each of these is out of place."""
_BLANK: Final = re.compile(r"[\u115f\u1160\u2060\u3164\ufeff\uffa0]")
"""Out of place in text too, but for a byte order mark at the very beginning."""
_ZERO_WIDTH_SPACE: Final = re.compile("\u200b")
_WRAPPING: Final = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u4e00-\u9fff]"
)
"""Scripts that are written without spaces, and break lines at U+200B."""
_OPENING: Final = re.compile(r"[\u202a\u202b\u2066-\u2068]")
_CLOSING: Final = re.compile(r"[\u202c\u2069]")
_TAGS: Final = re.compile(r"[\U000e0000-\U000e007f]")
_FLAG: Final = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f")
_SELECTORS: Final = re.compile(r"[\U000e0100-\U000e01ef]{2}")
_MARKUP_INSIDE: Final = frozenset({"tsx", "jsx", "svelte", "vue"})
_WRITTEN: Final = re.compile(r"[\u0590-\u08ff\u0900-\u0dff\ufb1d-\ufdff\ufe70-\ufefc]")
"""Scripts that need joiners and marks of direction; between tags they are text for people."""
_GREEK_MARK: Final = re.compile("\u037e")
_GREEK: Final = re.compile(r"[\u0370-\u037d\u0384-\u03ff\u1f00-\u1fff]")
_IDENTIFIER: Final = re.compile(r"[^\W\d][\w$]*+")
_LIKE_LATIN: Final = frozenset(
    "аеорсухіјѕһԁԛԝӏүАВЕКМНОРСТХІЈЅҮԌɡ"  # noqa: RUF001 - what is looked for.
    "αινορυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧϲϳ"
)
_ASCII: Final = re.compile(r"[A-Za-z]")
_INVISIBLE: Final = "invisible characters that hide or turn around what it says"


def hidden(path: str, content: str) -> Iterator[str]:
    """Findings: lines that hold characters which hide what they say, once a line and kind."""
    if content.isascii() and "\x00" not in content:
        return
    body = content.removeprefix("\ufeff")
    is_code = ending(path) in CODE
    markup = ending(path) in _MARKUP_INSIDE
    seen: set[tuple[int, str]] = set()
    for region in regions(path, body):
        if region.text.isascii() and "\x00" not in region.text:
            continue
        in_code = is_code and region.part is RegionKind.CODE
        if in_code and markup and _WRITTEN.search(region.text):
            in_code = False
        for line, what in _code(region) if in_code else _text(region, is_code=is_code):
            if (line, what) not in seen:
                seen.add((line, what))
                yield f"`{path}` line {line} holds {what}: write it without them."


def _text(region: Region, *, is_code: bool) -> Iterator[tuple[int, str]]:
    """What is wrong even where people read it."""
    for line, text in enumerate(region.text.splitlines() or [region.text], start=region.line):
        if text.isascii() and "\x00" not in text:
            continue
        plain = _FLAG.sub("", text)
        alone = _ZERO_WIDTH_SPACE.search(plain) and not _WRAPPING.search(plain)
        if (
            _NEVER.search(plain)
            or _TAGS.search(plain)
            or _BLANK.search(plain)
            or _SELECTORS.search(plain)
            or alone
            or not _balanced(plain)
            or (is_code and region.part is RegionKind.COMMENT and _OPENING.search(plain))
        ):
            yield line, _INVISIBLE
        if _GREEK_MARK.search(plain) and not _GREEK.search(plain):
            yield line, "a Greek question mark, which looks like a semicolon"


def _balanced(text: str) -> bool:
    """Whether marks that turn text around end in the line they begin in."""
    depth = 0
    for char in text:
        if _OPENING.match(char):
            depth += 1
        elif _CLOSING.match(char):
            depth -= 1
            if depth < 0:
                return False
    return depth == 0


def _code(region: Region) -> Iterator[tuple[int, str]]:
    for line, text in enumerate(region.text.split("\n"), start=region.line):
        if text.isascii() and "\x00" not in text:
            continue
        if _NEVER.search(text) or _HIDDEN.search(text) or _TAGS.search(text):
            yield line, _INVISIBLE
        if _SELECTORS.search(text):
            yield line, _INVISIBLE
        if _GREEK_MARK.search(text):
            yield line, "a Greek question mark, which looks like a semicolon"
        if any(_disguised(name.group()) for name in _IDENTIFIER.finditer(text)):
            yield line, "a name whose letters look like Latin ones and are none"


def _disguised(name: str) -> bool:
    """Whether letters of another script pass for Latin ones in a name."""
    if name.isascii():
        return False
    alike = [char for char in name if char in _LIKE_LATIN]
    if not alike:
        return False
    letters = [char for char in name if char.isalpha()]
    return bool(_ASCII.search(name)) or (len(letters) > 1 and len(alike) == len(letters))
