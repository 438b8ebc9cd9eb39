"""Words that stand where code should: an agent that abbreviates has not written the file.

Invariant: only whole comment lines and bare dots count, so that a text shown to users may well say
"…" or speak of what is to be done.
"""

import re
from collections.abc import Iterator
from typing import Final

LONGEST_LINE: Final = 2_000
"""Characters that are looked at: who abbreviates does so at the beginning."""

_COMMENT: Final = r"(?://|#|/\*+|\*|<!--|--|\{/\*)"
_PHRASES: Final = (
    r"(?:the\s+)?(?:rest|remainder)\s+of\s+(?:the\s+)?(?:\w+\s+)?"
    r"(?:code|file|function|class|component|methods?|logic|implementation|imports?)\b"
    r"|(?:existing|previous|other|same)\s+(?:code|imports?|methods?|functions?|content)\b.*"
    r"(?:unchanged|here|as\s+before|remains?|same)"
    r"|(?:code|everything|content|file|below|above|rest)\b.{0,30}\bunchanged\b"
    r"|(?:todo|fixme|xxx)\b"
    r"|(?:to\s+be\s+implemented|not\s+(?:yet\s+)?implemented|implement(?:ation)?\s+(?:goes\s+)?here"
    r"|your\s+code\s+here|add\s+(?:your\s+)?(?:code|logic|implementation)\s+here"
    r"|placeholder\s+(?:for|implementation|code|only)\b|omitted\s+for\s+brevity|and\s+so\s+on\b|etc\.?\s*$)"
)
_LAZY: Final = re.compile(
    rf"^\s*{_COMMENT}\s*(?:\.{{3}}|…)?[\s\-(\[]*(?:{_PHRASES})", re.IGNORECASE
)
_DOTS: Final = re.compile(rf"^\s*(?:{_COMMENT}\s*)?(?:\.{{3,}}|…)\s*(?:\*/|-->|\*/\}})?\s*$")
_THROWN: Final = re.compile(
    r"throw\s+new\s+\w*Error\(\s*['\"`](?:not\s+(?:yet\s+)?implemented|todo|unimplemented)",
    re.IGNORECASE,
)
_BIDI: Final = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069\x00]")


def placeholders(path: str, content: str) -> Iterator[str]:
    """Findings: lines that stand for code that is not there, or that hide what they do."""
    for number, whole in enumerate(content.splitlines(), start=1):
        line = " ".join(whole[:LONGEST_LINE].split())
        if _LAZY.search(line) or _DOTS.match(line) or _THROWN.search(line):
            yield f"`{path}` line {number} stands for code that is missing: `{_shown(line)}`."
        if _BIDI.search(whole):
            yield f"`{path}` line {number} holds invisible characters that turn text around."


def _shown(line: str) -> str:
    return line.strip().replace("`", "'")[:80]
