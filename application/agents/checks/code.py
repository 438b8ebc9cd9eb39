"""Checks of what the implementer writes: file by file as it comes, and the whole at the end.

Invariant: a file that is accepted is in the plan, is no frozen test, and is whole.
"""

from collections.abc import Iterator, Mapping

from application.agents.checks.placeholders import placeholders
from application.agents.paths import LARGEST_FILE, key, printable, refusal
from domain.documents import Plan, Tests

EMPTY_BY_NATURE = frozenset({".gitkeep", "__init__.py"})


def file_findings(path: str, content: str, plan: Plan, tests: Tests) -> list[str]:
    """Why a written file is not accepted, a sentence each; empty if it is."""
    if why := refusal(path):
        return [f"`{printable(path)}` is not written: {why}."]
    if key(path) in {key(f.path) for f in tests.files}:
        return [f"`{path}` is not written: it is an approved test, and tests are frozen."]
    if path not in {f.path for f in plan.files}:
        return [f"`{path}` is not written: it is not in the plan. Write only the plan's files."]
    return list(_content(path, content))


def _content(path: str, content: str) -> Iterator[str]:
    try:
        size = len(content.encode())
    except UnicodeEncodeError:
        yield f"`{path}` is not written: it holds half of a character."
        return
    if size > LARGEST_FILE:
        yield f"`{path}` is not written: it has {size:,} bytes; at most {LARGEST_FILE:,} may be."
    if not content.strip() and path.rpartition("/")[2] not in EMPTY_BY_NATURE:
        yield f"`{path}` is not written: it is empty."
    yield from placeholders(path, content)


def missing(plan: Plan, written: Mapping[str, str]) -> tuple[str, ...]:
    """Planned files that are not written yet, in the plan's order."""
    return tuple(file.path for file in plan.files if file.path not in written)
