"""Secrets that stand in generated code.

Invariant: the finding names the kind of secret and its line, never the secret. Only shapes that are
nothing else count, so that a made-up password in a test is no finding.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from application.agents.inspection import StaticFinding

SHAPES: Final[Mapping[str, re.Pattern[str]]] = {
    "a private key": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^\S\n]*\n\s*[A-Za-z0-9+/]{32}"
    ),
    "an API key of a model provider": re.compile(r"\bsk-(?:ant|proj)-[\w-]{24,}"),
    "an AWS key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b(?<!EXAMPLE)"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{40,})"),
    "a Slack token": re.compile(r"\bxox[abprs]-[\w-]{20,}"),
    "a Google API key": re.compile(r"\bAIza[\w-]{35}\b"),
    "a Stripe key": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
    "a signed token": re.compile(r"(?<![\w-])eyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{16,}"),
    "a database password": re.compile(
        r"\bpostgres(?:ql)?://[^\s:/@'\"$<{]{1,100}:"
        r"(?!(?:password|postgres|secret|change|your|example)\w{0,100}@)"
        r"[^\s@'\"$<{]{8,200}@"
        r"(?!localhost|127\.0\.0\.1|\[::1\]|db\b|postgres\b|[\w.-]{0,200}example)",
        re.IGNORECASE,
    ),
}


def secret_findings(path: str, content: str) -> Iterator[StaticFinding]:
    """One finding for each secret."""
    for what, shape in SHAPES.items():
        line, read = 1, 0
        for found in shape.finditer(content):
            line += content.count("\n", read, found.start())
            read = found.start()
            yield StaticFinding(path, line, "secret", f"It looks like {what} stands in the file.")
