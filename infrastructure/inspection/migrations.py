"""Whether two migrations claim one place in the order.

Invariant: a step up and its step down share a number; nothing else does.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final

from application.agents.inspection import StaticFinding

_NUMBERED: Final = re.compile(r"^[vV]?(\d{1,14})(?:[_.-]|__)(.{1,200})$")
_DOWN: Final = re.compile(r"(?:^|[._-])(?:down|undo|rollback|revert)[._-]", re.IGNORECASE)
_FOLDER: Final = re.compile(r"(?:^|/)(?:\w{0,20}migrations?|versions|db|sql|schema|database)/$")
_KINDS: Final = ("sql", "ts", "js", "mjs", "cjs", "mts")


def migration_findings(paths: Collection[str]) -> Iterator[StaticFinding]:
    """Migrations of one folder that have one number."""
    seen: dict[tuple[str, int, bool], str] = {}
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        found = _NUMBERED.match(name)
        if found is None or name.rpartition(".")[2] not in _KINDS or name.endswith(".d.ts"):
            continue
        if not name.endswith(".sql") and not _FOLDER.search(f"{folder}/"):
            continue
        place = folder, int(found.group(1)), bool(_DOWN.search(name))
        first = seen.setdefault(place, path)
        if first != path:
            yield StaticFinding(
                path, 1, "duplicate_migration",
                f"It has the number {found.group(1)}, as `{first}` has: the order of the two is "
                "open. Give it the next number that is free.",
            )  # fmt: skip
