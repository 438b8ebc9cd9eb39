"""What a migration may not do, because the version before it is still running while it is applied.

Squawk finds statements that hold others up or that PostgreSQL's own rules make dangerous; the rest
are names that running processes use. A rule is waived where it stands, with a reason:
`-- allow RULE: reason` (`-- squawk-ignore RULE` for Squawk's own).
"""

import json
import re
import subprocess
from importlib.metadata import files
from pathlib import Path
from typing import Final

RELEASED: Final = "0013"
"""Up to here files were released before the rules; they are never changed."""

NOT_OURS: Final = (
    "ban-drop-function",  # `drop-used` below says it, with a reason where it is waived.
    "prefer-bigint-over-int",  # A version of a stream, an attempt: an int is what they are.
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-text-field",
    "prefer-robust-stmts",  # A file is one transaction, and applied once.
    "require-lock-timeout",  # infrastructure/postgres/migrations.py sets both, for every file.
    "require-statement-timeout",
)

PROCESSES: Final = r"bp_(?:api|worker|relay|projector|sweeper|keeper)"
USED: Final = {
    "drop-used": r"\bdrop\s+(?:function|procedure|view|type|schema|role|sequence|policy|trigger)\b",
    "rename-used": r"\brename\s+to\b|\brename\s+(?:column\s+)?\w+\s+to\b",
    "revoke-used": rf"\brevoke\b[^;]*\bfrom\b[^;]*\b(?:{PROCESSES}|public)\b",
    "lock-table": r"(?:^|;)\s*lock\s+(?:table\b|\w+\.)",
    "backfill": r"(?:^|;|\b(?:begin|then|else|loop))\s*(?:update|delete\s+from|truncate)\b",
    "set-not-null": r"\balter\s+(?:column\s+)?\w+\s+set\s+not\s+null\b",
}
"""Rule to what breaks it, outside of comments and of the bodies of functions."""

UP, DOWN = "-- migrate:up", "-- migrate:down"
_WAIVED: Final = re.compile(r"--[ \t]*allow[ \t]+([a-z-]+):[ \t]*\S{3,}")
_BODY: Final = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
_DO: Final = re.compile(r"\bdo\s+\$(\w*)\$(.*?)\$\1\$", re.DOTALL | re.IGNORECASE)


def complaints(text: str) -> list[str]:
    """The rules that a migration breaks, each once."""
    head, _, rest = text.partition(UP)[2].partition("\n")
    up = rest.partition(DOWN)[0]
    outside = head.strip() == "transaction:false"
    found = {*_squawk(up, in_transaction=not outside), *_own(up)}
    if outside and len(_statements(up)) != 1:
        found.add("one-statement-outside")
    if not outside and any("concurrently" in part.lower() for part in _statements(up)):
        found.add("concurrently-inside")
    return sorted(found)


def _own(up: str) -> set[str]:
    waived = {match[1] for match in _WAIVED.finditer(up)}
    # What a DO block does, the migration does; a function's body is only kept.
    shown = _BODY.sub("", _DO.sub(lambda match: match[2], up))
    shown = re.sub(r"--[^\n]*", "", shown)
    broken = {
        rule
        for rule, pattern in USED.items()
        if re.search(pattern, shown, re.IGNORECASE | re.MULTILINE)
    }
    return broken - waived


def _statements(up: str) -> list[str]:
    shown = re.sub(r"--[^\n]*", "", _BODY.sub("", up))
    return [part for part in shown.split(";") if part.strip()]


def _squawk(up: str, *, in_transaction: bool) -> set[str]:
    command = [
        str(_binary()),
        "--reporter=json",
        "--pg-version=16",
        f"--exclude={','.join(NOT_OURS)}",
        *(["--assume-in-transaction"] if in_transaction else []),
    ]
    done = subprocess.run(command, input=up, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode in (0, 1), done.stderr
    return {found["rule_name"] for found in json.loads(done.stdout or "[]")}


def _binary() -> Path:
    for entry in files("squawk-cli") or []:
        path = Path(str(entry.locate())).resolve()
        if entry.name in ("squawk", "squawk.exe") and path.is_file():
            return path
    raise AssertionError("squawk-cli is pinned, and not installed")
