"""Words that stand where code should: an agent that abbreviates has not written the file.

Invariant: only whole comment lines and bare dots count, so that a text shown to users may well say
"…" or speak of what is to be done.
"""

import re
from collections.abc import Iterator
from typing import Final

LONGEST_LINE: Final = 2_000
"""Characters that are looked at: who abbreviates does so at the beginning."""

# Each pattern reads a line whose white space is single spaces already.
_COMMENT: Final = r"(?://|#|/\*{1,8}|\*|<!--|--|\{/\*)"
_PHRASES: Final = (
    r"(?:the )?(?:rest|remainder) of (?:the )?(?:\w+ )?"
    r"(?:code|file|function|class|component|methods?|logic|implementation|imports?)\b"
    r"|(?:existing|previous|other|same) (?:code|imports?|methods?|functions?|content)\b.*"
    r"(?:unchanged|here|as before|remains?|same)"
    r"|(?:code|everything|content|file|below|above|rest)\b.{0,30}\bunchanged\b"
    r"|(?:todo|fixme|xxx)\b"
    r"|(?:to be implemented|not (?:yet )?implemented|implement(?:ation)? (?:goes )?here"
    r"|your code here|add (?:your )?(?:code|logic|implementation) here"
    r"|placeholder (?:for|implementation|code|only)\b|omitted for brevity|and so on\b|etc\.? ?$)"
)
_LAZY: Final = re.compile(rf"{_COMMENT} ?(?:\.{{3}}|…)?[ \-(\[]*(?:{_PHRASES})", re.IGNORECASE)
_DOTS: Final = re.compile(rf"(?:{_COMMENT} ?)?(?:\.{{3,}}|…) ?(?:\*/|-->|\*/\}})?")
_THROWN: Final = re.compile(
    r"throw new \w*Error\( ?['\"`](?:not (?:yet )?implemented|todo|unimplemented)", re.IGNORECASE
)
_BIDI: Final = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069\x00]")


def placeholders(path: str, content: str) -> Iterator[str]:
    """Findings: lines that stand for code that is not there, or that hide what they do."""
    for number, whole in enumerate(content.splitlines(), start=1):
        line = " ".join(whole[:LONGEST_LINE].split())
        heading = number == 1 and "\n" in content.strip()
        # Of a file that goes on: its title may be any words, such as "Todo list".
        if line and (
            (_LAZY.match(line) and not heading) or _DOTS.fullmatch(line) or _THROWN.search(line)
        ):
            yield f"`{path}` line {number} stands for code that is missing: `{_shown(line)}`."
        if _BIDI.search(whole):
            yield f"`{path}` line {number} holds invisible characters that turn text around."


def _shown(line: str) -> str:
    return line.strip().replace("`", "'")[:80]
