"""Defects of tracing: requirements without a test, tests without a requirement, files out of place.

The plan, the specification and the tests are those of the agents' samples; as they stand, no check
says anything of them.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec.structs import replace

from application.agents.checks.code import file_findings
from application.agents.checks.tests import tests_findings
from domain import documents as d
from tests.application.agents.attempt_context import CODE, PLAN, SPEC, TEST_CODE, TESTS

TEST: Final = TESTS.files[0]
PART: Final = TEST_CODE.replace(" FR-2 AC-2", "")
ANOTHER: Final = 'test("{}", () => {{ assert.equal(ask("chain").part, "chain"); }});\n'
NO_REASONS: Final = (
    "-", "n/a", "...", "none", "Not testable.", "This cannot be tested.", "untestable", "no reason",
    "To be done later.", "see above", "无法测试", "テストできない", "nicht testbar",
)  # fmt: skip
UNCOVERED: Final = {
    "the id in a comment": PART + "// FR-2 AC-2\n",
    "the id in a block comment": PART + "/* test FR-2 AC-2 */\n",
    "the id in a text that is no title": PART + 'const ids = "FR-2 AC-2";\n',
    "the id in the title of an empty suite": PART + 'describe("FR-2 AC-2", () => {});\n',
    "the id in a suite beside": PART
    + 'describe("FR-2 AC-2", () => {});\ndescribe("FR-1", () => { '
    + ANOTHER.format("AC-1").strip()
    + " });\n",
    "the test in a comment": PART + "// " + ANOTHER.format("FR-2 AC-2"),
    "not at all": PART,
    "one criterion of two": PART + ANOTHER.format("FR-2"),
}
STRANGERS: Final = (
    "FR-99: is listed", "AC-99: is listed", "FR-1 AC-99: is listed", "is listed", "it works",
    "FR-99 AC-99", "fr one", "BF-1: is listed", "FR1: is listed", "requirement 1",
)  # fmt: skip
OUT_OF_PLACE: Final = (
    "src/extra.ts", "tests/requests.test.ts", "TESTS/Requests.test.ts", "src/Requests.ts", "src/con.ts",
    "node_modules/x/index.js", "../escape.ts", "/etc/passwd", "src/../../x.ts", "C:\\x.ts", "src\\a.ts",
    ".git/hooks/pre-commit", ".github/workflows/a.yml", ".env", ".npmrc", ".vscode/settings.json",
    "src/aux.ts", "src/requests.ts ", "src/requests.ts.", "src//requests.ts", "./src/requests.ts",
    "src/requests\u200b.ts", "src/request\u0455.ts", "AGENTS.md", "CLAUDE.md", "package-lock.json",
    "binding.gyp", "tests/helpers/extra.ts", "README.MD", "src/requests.js", "~/x", "-rf",
)  # fmt: skip
TESTS_OUT_OF_PLACE: Final = (
    "src/requests.ts", "SRC/requests.ts", "requests.test.ts", "src/requests.test.ts",
    "test/requests.test.ts", "Tests/requests.test.ts", "tests/../x.test.ts", "tests/requests.ts",
    "tests/requests.spec.ts", "tests/requests.test.js", "tests/.hidden.test.ts", "tests/con.test.ts",
)  # fmt: skip


class Traced(NamedTuple):
    """A defect of a kind, and what the checks say of it."""

    kind: str
    wording: str
    told: tuple[str, ...]


def traced() -> Iterator[Traced]:
    """All of them."""
    for why in NO_REASONS:
        stated = replace(_with(PART), untestable=(d.Untestable("FR-2", why),))
        yield _seed("26", f"untestable: {why}", stated)
    for wording, content in UNCOVERED.items():
        yield _seed("26", wording, _with(content))
        named = replace(_with(content), files=(replace(TEST, content=content),))
        yield _seed("26", f"{wording}, and `covers` names it", named)
    for title in STRANGERS:
        yield _seed("27", f"title `{title}`", _with(TEST_CODE + ANOTHER.format(title)))
    for ident in ("FR-99", "AC-99", "BF-1", "T-1"):
        yield _seed("27", f"`covers` names {ident}", _with(TEST_CODE, (*TEST.covers, ident)))
    yield _seed("27", "a file that covers nothing", _with(TEST_CODE, ()))
    lone = d.TestFile("tests/helpers/lone.ts", "export const noon = 12;\n")
    yield _seed("27", "a helper that nothing uses", replace(TESTS, files=(TEST, lone)))
    for path in OUT_OF_PLACE:
        yield Traced("28", f"file `{path}`", tuple(file_findings(path, CODE, PLAN, TESTS)))
    for path in TESTS_OUT_OF_PLACE:
        yield _seed("28", f"test `{path}`", replace(TESTS, files=(replace(TEST, path=path),)))


def told_of_good() -> tuple[str, ...]:
    """What the checks say of the samples as they stand; nothing, or the kinds measure nothing."""
    return (
        *tests_findings(TESTS, SPEC, PLAN),
        *(one for file in PLAN.files for one in file_findings(file.path, CODE, PLAN, TESTS)),
    )


def _with(content: str, covers: tuple[str, ...] = ("FR-1", "AC-1")) -> d.Tests:
    return replace(TESTS, files=(replace(TEST, content=content, covers=covers),))


def _seed(kind: str, wording: str, tests: d.Tests) -> Traced:
    return Traced(kind, wording, tuple(tests_findings(tests, SPEC, PLAN)))
