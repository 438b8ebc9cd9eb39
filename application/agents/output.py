"""What each output mode makes of a brief: its language, its files, what is looked for in them.

Invariant: that the result is TypeScript for Node is said here, and in the stack profile with its
check and its paragraph of governance; nowhere else in the application.
The prompts take its words, the bill of materials and the inspection its names of files and
packages. What a parser can read is the parsers' affair.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from application.agents.stack_profile import PROFILE
from domain.status import OutputMode


class Output(NamedTuple):
    """The kind of project that a mode results in; all texts stand in prompts as they are here."""

    language: str
    """What source files and tests are written in."""
    rules: str
    """How, in a clause that goes on with a comma or `on`."""
    platform: str
    """What the finished project needs to run, and what its pages are made of."""
    database: str
    test_runner: str
    project_files: tuple[str, ...]
    """What a plan must not forget, beside its sources."""
    scripts: tuple[str, ...]
    """What names of files end in that can export something."""
    schemas: str
    """What names of files end in that make tables."""
    tests_folder: str
    """Where the tests stand, with a slash."""
    declaration: str
    """Name of the files that declare packages."""
    built_in: str
    """Beginning of an import that needs no package."""
    build_tools: frozenset[str]
    """Packages that every such project is built with; no plan need name them."""

    def words(self) -> dict[str, str]:
        """What a prompt's placeholders stand for."""
        named = {name: value for name, value in self._asdict().items() if isinstance(value, str)}
        return {**named, "project_files": ", ".join(f"`{file}`" for file in self.project_files)}


OUTPUTS: Final[Mapping[OutputMode, Output]] = {
    OutputMode.FULL_CODE: Output(
        language="TypeScript",
        rules="TypeScript in strict mode",
        platform="a current long-term release of Node, PostgreSQL for data, plain HTML and CSS "
        "for pages",
        database="PostgreSQL",
        test_runner="the test runner of Node (`node:test` and `node:assert/strict`)",
        project_files=("package.json", "tsconfig.json", ".env.example"),
        scripts=(".ts", ".tsx", ".mts", ".js", ".mjs"),
        schemas=".sql",
        tests_folder=PROFILE.tests,
        declaration="package.json",
        built_in="node:",
        build_tools=frozenset({"typescript"}),
    ),
}
FULL_CODE: Final = OUTPUTS[OutputMode.FULL_CODE]
