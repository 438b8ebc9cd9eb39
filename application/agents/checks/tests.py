"""Checks of the contract tests: they cover what must be, and each of them can fail.

Invariant: tests that pass cite only ids that exist, and every requirement that must be met is
either covered by a file that names it or listed as untestable with its reason.
"""

import re
from collections.abc import Iterator

from application.agents.checks.lexing import RegionKind, regions
from application.agents.checks.naming import repeated, unknown
from application.agents.checks.placeholders import placeholders
from application.agents.paths import key, oversizes, refusals
from domain.documents import Plan, Priority, Spec, Tests

_ASSERTION = re.compile(
    r"\b(?:assert|expect|should|rejects|throws|check|verify|ensure)\w*\b|\bt\.\w+\(", re.IGNORECASE
)
_TITLED = re.compile(
    r"\b(?:test|it|describe|suite|specify|context)(?:\.\w{1,20}){0,3}(?:\([^()]{0,400}\))?\(\s{0,200}$"
)
_REASON = re.compile(r"[^\W\d_]")
_BEFORE = 600
"""Characters before a text that say whether it is a title."""
LEAST_REASON = 6
"""Letters: a dash or "n/a" is no reason."""
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
    for given in tests.untestable:
        if len(_REASON.findall(given.reason)) < LEAST_REASON:
            yield f"{given.id} is said to be untestable without a reason: write why, or a test."
    named: set[str] = set()
    for file in tests.files:
        yield from unknown(f"`{file.path}`", file.covers, known, "in the specification")
        answered.update(file.covers)
        for title in _titles(file.path, file.content):
            ids = _IDENT.findall(title)
            if ids and not known & set(ids):
                yield f"`{file.path}`: no id in the title `{title[:80]}` is in the specification."
            named.update(ids)
    reasons = {given.id for given in tests.untestable}
    answered |= named
    for requirement in spec.requirements:
        if requirement.priority is not Priority.MUST:
            continue
        own = {criterion.id for criterion in requirement.criteria}
        if not ({requirement.id} | own) & answered:
            yield f"{requirement.id} must be met, yet no test covers it and no reason says why."
        elif requirement.id not in reasons:
            for ident in sorted(own - answered):
                yield (
                    f"{ident} of {requirement.id} must be met, yet no test covers it and no reason "
                    "says why: write a test with its id in the title."
                )


def _titles(path: str, content: str) -> Iterator[str]:
    """The titles of tests and of their groups: texts, not comments."""
    before = ""
    for region in regions(path, content):
        if region.part is RegionKind.TEXT and _TITLED.search(before):
            yield " ".join(region.text.strip("'\"`").split())
        before = (
            f"{before}{region.text}"[-_BEFORE:] if region.part is not RegionKind.COMMENT else before
        )


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
        named = {
            ident
            for region in regions(file.path, file.content)
            if region.part is RegionKind.TEXT
            for ident in _IDENT.findall(region.text)
        }
        for ident in file.covers:
            if ident not in named:
                yield f"`{file.path}` says that it covers {ident}, but no test in it names {ident}."
        yield from placeholders(file.path, file.content)
