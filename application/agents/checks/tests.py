"""Checks of the contract tests: they cover what must be, and each of them can fail.

Invariant: tests that pass cite only ids that exist; each test names what it proves; every
requirement that must be met is either covered by a test whose title names it or listed as
untestable with its reason. What stands beside the tests and holds none helps them, and covers
nothing.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from application.agents.checks.naming import repeated, unknown
from application.agents.checks.placeholders import placeholders
from application.agents.checks.shared_by_tests import helper_findings, helpers_used
from application.agents.checks.titles import CaseTitle, titles_of
from application.agents.paths import key, oversizes, refusals
from application.agents.stack_profile import PROFILE
from domain.documents import Plan, Priority, Requirement, Spec, TestFile, Tests

_ASSERTION = re.compile(
    r"\b(?:assert|expect|should|rejects|throws|check|verify|ensure)\w*\b|\bt\.\w+\(", re.IGNORECASE
)
_REASON = re.compile(r"[^\W\d_]")
LEAST_REASON = 6
"""Letters, of which wide ones count twice: a dash or "n/a" is no reason."""
_NO_REASON = re.compile(
    r"(?:\W|\b(?:it|this|that|is|are|can|cannot|can't|not|be|un|a|an|any|no|none|the|by|with|reason"
    r"|reasons|given|tests?|tested|testable|untestable|testing|later|todo|tbd|done|to|see|above|below"
    r"|obvious|trivial|unknown|applicable|nicht|testbar|kein|grund|sin|motivo)\b"
    r"|不可测试|无法测试|不能测试|テストできない|テスト不可)+",
    re.IGNORECASE,
)
"""Words that say no more than that there is no test."""
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
    reasons: set[str] = {u.id for u in tests.untestable}
    yield from unknown("Untestable", reasons, known, "in the specification")
    for given in tests.untestable:
        if _is_empty(given.reason):
            yield f"{given.id} is said to be untestable without a reason: write why, or a test."
    named: set[str] = set()
    for file in tests.files:
        yield from unknown(f"`{file.path}`", file.covers, known, "in the specification")
        for title in titles_of(file.path, file.content):
            yield from _of_title(file, title, known)
            named.update(_IDENT.findall(title.whole) if title.is_test else ())
    for requirement in spec.requirements:
        if requirement.priority is Priority.MUST:
            yield from _uncovered(requirement, named, reasons)


def _of_title(file: TestFile, title: CaseTitle, known: set[str]) -> Iterator[str]:
    shown = title.own[:80].replace("`", "'")
    strangers = [ident for ident in dict.fromkeys(_IDENT.findall(title.own)) if ident not in known]
    if strangers:
        named = ", ".join(strangers)
        yield f"`{file.path}`: the title `{shown}` names {named}, not in the specification."
    elif title.is_test and not _IDENT.search(title.whole):
        yield (
            f"`{file.path}`: the test `{shown}` names no requirement: write in its title the ids "
            "that it proves, or leave it out."
        )


def _uncovered(need: Requirement, named: set[str], reasons: set[str]) -> Iterator[str]:
    own = {criterion.id for criterion in need.criteria}
    if not ({need.id} | own) & (named | reasons):
        yield f"{need.id} must be met, yet no test covers it and no reason says why."
    elif need.id not in reasons:
        for ident in sorted(own - named - reasons):
            yield (
                f"{ident} of {need.id} must be met, yet no test covers it and no reason "
                "says why: write a test with its id in the title."
            )


def _is_empty(reason: str) -> bool:
    """Whether a reason says nothing."""
    letters = _REASON.findall(reason)
    wide = sum(unicodedata.east_asian_width(letter) == "W" for letter in letters)
    return len(letters) + wide < LEAST_REASON or bool(_NO_REASON.fullmatch(reason))


def _files(tests: Tests, plan: Plan) -> Iterator[str]:
    paths = [f.path for f in tests.files]
    yield from refusals(paths)
    yield from repeated("Test file", paths)
    yield from oversizes({f.path: f.content for f in tests.files})
    planned = {key(f.path) for f in plan.files}
    for path in paths:
        if key(path) in planned:
            yield f"`{path}` is a file of the plan; tests stand in files of their own."
        elif not path.startswith(PROFILE.tests):
            yield f"`{path}` does not stand under `{PROFILE.tests}`, where tests are looked for."


def _content(tests: Tests) -> Iterator[str]:
    every = {file.path: file.content for file in tests.files}
    yield from helper_findings(tests.files)
    for file in tests.files:
        if not PROFILE.is_test_helper(file.path):
            asserting = (file.content, *(every[path] for path in helpers_used(file.path, every)))
            yield from _of_test_file(file, asserting)
        if found := _EMPTY.search(file.content):
            yield f"`{file.path}` holds an assertion that cannot fail: `{found.group()}`."
        yield from placeholders(file.path, file.content)


def _of_test_file(file: TestFile, asserting: Sequence[str]) -> Iterator[str]:
    if not any(map(_ASSERTION.search, asserting)):
        yield f"`{file.path}` asserts nothing."
    if not file.covers:
        yield f"`{file.path}` covers nothing: list in `covers` the ids that its tests name."
    named = {
        ident
        for title in titles_of(file.path, file.content)
        if title.is_test
        for ident in _IDENT.findall(title.whole)
    }
    for ident in file.covers:
        if ident not in named:
            yield f"`{file.path}` says that it covers {ident}, but no test in it names {ident}."
