"""Checks of the contract tests: they cover what must be, and each of them can fail.

Invariant: tests that pass cite only ids that exist, and every requirement that must be met is
either covered by a file that names it or listed as untestable with its reason.
"""

import re
from collections.abc import Iterator

from application.agents.checks.naming import repeated, unknown
from application.agents.checks.placeholders import placeholders
from application.agents.paths import key, oversizes, refusals
from domain.documents import Plan, Priority, Spec, Tests

_ASSERTION = re.compile(r"\b(?:assert|expect|should|rejects|throws)\b|\bt\.\w+\(", re.IGNORECASE)
_EMPTY = re.compile(
    r"\bassert(?:\.ok)?\(\s*(?:true|1)\s*\)"
    r"|\bexpect\(\s*(true|false|1|0)\s*\)\.(?:toBe|toEqual|toStrictEqual)\(\s*\1\s*\)"
    r"|\bassert\.(?:equal|strictEqual|deepEqual)\(\s*(true|false|\d+)\s*,\s*\2\s*\)"
)
_IDENT = re.compile(r"\b(?:FR|AC)-[0-9]{1,4}\b")


def tests_findings(tests: Tests, spec: Spec, plan: Plan) -> list[str]:
    """What is wrong with the tests, a sentence each."""
    return [*_coverage(tests, spec), *_files(tests, plan), *_content(tests)]


def _coverage(tests: Tests, spec: Spec) -> Iterator[str]:
    criteria = {c.id for r in spec.requirements for c in r.criteria}
    known = {r.id for r in spec.requirements} | criteria
    answered: set[str] = {u.id for u in tests.untestable}
    yield from unknown("Untestable", answered, known, "in the specification")
    for file in tests.files:
        yield from unknown(f"`{file.path}`", file.covers, known, "in the specification")
        answered.update(file.covers)
    for requirement in spec.requirements:
        ids = {requirement.id, *(c.id for c in requirement.criteria)}
        if requirement.priority is Priority.MUST and not ids & answered:
            yield f"{requirement.id} must be met, yet no test covers it and no reason says why."


def _files(tests: Tests, plan: Plan) -> Iterator[str]:
    paths = [f.path for f in tests.files]
    yield from refusals(paths)
    yield from repeated("Test file", paths)
    yield from oversizes({f.path: f.content for f in tests.files})
    planned = {key(f.path) for f in plan.files}
    for path in paths:
        if key(path) in planned:
            yield f"`{path}` is a file of the plan; tests stand in files of their own."


def _content(tests: Tests) -> Iterator[str]:
    for file in tests.files:
        if not _ASSERTION.search(file.content):
            yield f"`{file.path}` asserts nothing."
        if found := _EMPTY.search(file.content):
            yield f"`{file.path}` holds an assertion that cannot fail: `{found.group()}`."
        named = set(_IDENT.findall(file.content))
        for ident in file.covers:
            if ident not in named:
                yield f"`{file.path}` says that it covers {ident}, but no test in it names {ident}."
        yield from placeholders(file.path, file.content)
