"""What is left in a file of the way it was handed over: marks of a tool call, of a merge, fences.

Invariant: only whole lines count, and not where the file itself opens what the line closes; a
document that explains such marks shows them in a fence.
"""

import re
from collections.abc import Iterator
from typing import Final

_NAMES: Final = (
    r"(?:antml:)?(?:invoke|parameters?|function_calls?|function|tool_calls?|tool_use|tool_result"
    r"|content|file_content|write_files?|file|files|path|arguments|answer|artifact|boltAction"
    r"|boltArtifact|assistant|output|result|code|source)"
)
_CLOSING: Final = re.compile(rf"(?:</{_NAMES}>\s?)+")
_CLOSED: Final = re.compile(rf"</({_NAMES})>")
_SURE: Final = re.compile(
    r"(?:</?(?:antml:)?(?:invoke|function_calls?|tool_calls?|tool_use|tool_result)(?: [^<>]*)?>"
    r"|<(?:antml:)?parameter(?: name=[^<>]*)?>?"
    r"|<\|[a-z_]{2,20}\|>|\[/?INST\]|<(?:<SYS>>|/s>)"
    r"|<{7}(?: .*)?|>{7}(?: .*)?|\|{7}(?: .*)?)"
)
_TAIL: Final = re.compile(
    r"</(?:antml:)?(?:invoke|parameter|function_calls?|tool_calls?|tool_use)>"
    r"|<\|(?:im_end|im_start|endoftext|eot_id|end_of_text|end)\|>"
)
_FENCE: Final = re.compile(r"(?:`{3,}|~{3,})[\w+-]*")
_PROSE: Final = frozenset({"md", "mdx", "markdown", "txt", "rst"})
_LAST: Final = 3
"""Lines at the end that are looked at even in prose."""
_LONGEST: Final = 400
"""Characters of a line that are looked at."""


def residue(path: str, content: str) -> Iterator[str]:
    """Findings: lines that are no part of the file but of how it was handed over."""
    lines = [" ".join(line[:_LONGEST].split()) for line in content.splitlines()]
    filled = [number for number, line in enumerate(lines, start=1) if line]
    last = set(filled[-_LAST:])
    prose = path.rpartition(".")[2].lower() in _PROSE
    fenced = False
    for number in filled:
        line = lines[number - 1]
        if _FENCE.fullmatch(line):
            if prose:
                fenced = not fenced
            elif number in {filled[0], filled[-1]}:
                yield _told(path, number, line)
            continue
        if prose and (fenced or number not in last):
            continue
        if (
            _SURE.fullmatch(line)
            or (number in last and _TAIL.search(line) and not fenced and not _quoted(line))
            or (number in last and _CLOSING.fullmatch(line) and not _opened(line, content))
        ):
            yield _told(path, number, line)


def _opened(line: str, content: str) -> bool:
    """Whether all that a line closes is opened in the file."""
    return all(
        content.count(f"<{name}>") + content.count(f"<{name} ") >= content.count(f"</{name}>")
        for name in _CLOSED.findall(line)
    )


def _quoted(line: str) -> bool:
    return any(mark in line for mark in "`'\"")


def _told(path: str, number: int, line: str) -> str:
    shown = line.replace("`", "'")[:80]
    return (
        f"`{path}` line {number} is left over from handing the file over: `{shown}`. "
        "Write the file without it."
    )
