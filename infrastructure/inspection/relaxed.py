"""Settings in JSON with comments and trailing commas, as TypeScript and its friends read them.

Invariant: lines stay where they are, so that an error still names its line.
"""

import re
from typing import Final

COMMENTED: Final = re.compile(
    r"(?:^|/)(?:(?:ts|js)config[^/]*\.json|\.eslintrc\.json|\.swcrc|\.babelrc|deno\.jsonc?"
    r"|turbo\.json|devcontainer\.json|api-extractor\.json|[^/]+\.jsonc)$"
)
"""Names of files that may hold comments."""
_COMMENTS: Final = re.compile(
    r'(?P<text>"(?:[^"\\\n]|\\.)*+"?)|(?P<comment>//[^\n]*|/\*(?s:.*?)(?:\*/|\Z))|[^"/]++|/'
)
_COMMAS: Final = re.compile(r'(?P<text>"(?:[^"\\\n]|\\.)*+"?)|(?P<comma>,[\s]*+[}\]])|[^",]++|,')
_INSIDE: Final = re.compile(r"[^\n]")


def relaxed(text: str) -> str:
    """The text as strict JSON."""
    plain = "".join(
        _INSIDE.sub(" ", found.group()) if found.lastgroup == "comment" else found.group()
        for found in _COMMENTS.finditer(text)
    )
    return "".join(
        " " + found.group()[1:] if found.lastgroup == "comma" else found.group()
        for found in _COMMAS.finditer(plain)
    )
