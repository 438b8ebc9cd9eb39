"""Files that stand among the tests and hold none: what several tests share.

Invariant: a helper that passes holds no test, covers nothing by itself, and is reached from a test.
"""

from collections.abc import Iterator, Mapping, Sequence
from posixpath import dirname, join, normpath
from typing import Final

from application.agents.checks.lexing import SCRIPTS, RegionKind, ending, regions
from application.agents.checks.titles import titles_of
from application.agents.stack_profile import PROFILE
from domain.documents import TestFile

LONGEST: Final = 300
"""Characters of a text that may name a file."""


def helper_findings(files: Sequence[TestFile]) -> Iterator[str]:
    """What is wrong with the helpers among test files, a sentence each."""
    every = {file.path: file.content for file in files}
    reached = {
        path
        for file in files
        if not PROFILE.is_test_helper(file.path)
        for path in helpers_used(file.path, every)
    }
    for file in files:
        if not PROFILE.is_test_helper(file.path):
            continue
        if any(title.is_test for title in titles_of(file.path, file.content)):
            yield (
                f"`{file.path}` holds tests, and the runner does not find them there: give it a "
                f"name that ends in `{PROFILE.test_ending}`."
            )
        elif file.path not in reached:
            yield (
                f"`{file.path}` holds no test, and no test imports it: tests stand in files whose "
                f"names end in `{PROFILE.test_ending}`, and other files only help them."
            )
        elif file.covers:
            yield f"`{file.path}` helps tests and holds none, so it covers nothing: empty `covers`."


def helpers_used(path: str, files: Mapping[str, str]) -> set[str]:
    """The other files among the tests that one of them uses, directly or through others."""
    found: set[str] = set()
    open_paths = [path]
    while open_paths:
        now = open_paths.pop()
        for named in _named_in(now, files[now], files):
            if named not in found and named != path:
                found.add(named)
                open_paths.append(named)
    return found


def _named_in(path: str, content: str, files: Mapping[str, str]) -> Iterator[str]:
    """Files that a file names in its texts, from its own folder or from that of the project."""
    if ending(path) not in SCRIPTS:
        return
    for region in regions(path, content):
        if region.part is not RegionKind.TEXT or len(region.text) > LONGEST:
            continue
        said = region.text.strip("'\"`")
        for whole in (normpath(join(dirname(path), said)), normpath(said)):
            script = f"{whole.removesuffix('.js')}{PROFILE.extension}"
            yield from (name for name in (whole, script) if name in files)
