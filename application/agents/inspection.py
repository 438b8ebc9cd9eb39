"""What can be known of generated code without running it: a port, and what it reports.

Invariant: nothing that is inspected is ever executed, imported or fetched.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from domain.documents import Plan

UNCHECKED: Final = "could_not_be_checked"
"""The rule of a finding: a check came to no end, twice. Nobody is at fault, and nothing passes."""


class StaticFinding(Struct, frozen=True):
    """Something a parser found, with its place."""

    path: str
    line: int
    """1 for the first line."""
    rule: str
    """`syntax`, `type`, `unresolved_import`, `missing_export`, `wrong_arguments`,
    `unplanned_package`, `missing_package`, `stub`, `hollow_test`, `duplicate_migration`, `sql`,
    `secret`, `install_script`, `unreadable`, `signature`, `planned_export`, `planned_signature`,
    `planned_route`, `unplanned_route`, `planned_table`, `stack`; as notes `unused`, `weak_test`,
    `not_inspected`, and `could_not_be_checked`, which keeps a review from passing."""
    message: str
    error: bool = True
    """Whether it blocks; otherwise a note, such as a language that no parser here reads."""

    def __str__(self) -> str:
        """The finding in one line."""
        return f"{self.path}:{self.line}: {self.message}"


class RuleNote(Struct, frozen=True):
    """A place that a rule finds worth a look: no refusal, but a question for the reviewer."""

    rule: str
    path: str
    line: int
    """1 for the first line."""
    says: str
    """What is there, for a person."""
    asks: str
    """What the reviewer must answer."""

    def __str__(self) -> str:
        """The note in one line."""
        return f"{self.path}:{self.line}: {self.says} {self.asks}"


class Inspection(Protocol):
    """Parsers for what agents write."""

    async def inspect(
        self,
        whose: object,
        files: Mapping[str, str],
        packages: Sequence[str],
        plan: Plan | None = None,
    ) -> Sequence[StaticFinding]:
        """Read the files, by path, and report in order of path and line.

        Args:
            whose: The tenant who waits for it.
            files: All files of the feature, tests included, so that imports can be resolved.
            packages: Third-party packages that the plan allows.
            plan: What the files are held to: exports, routes and tables; none of them without.
        """

    async def notes(
        self, whose: object, files: Mapping[str, str], plan: Plan | None = None
    ) -> Sequence[RuleNote]:
        """Places that a reviewer must look at, in order of path and line; nothing is refused.

        Args:
            whose: The tenant who waits for it.
            files: All files of the feature.
            plan: What says who may call a route.
        """

    async def beside(
        self, whose: object, files: Mapping[str, str], paths: Sequence[str]
    ) -> Sequence[str]:
        """Files that import one of `paths`, or that one of these imports, in order; without them.

        What no parser can read in its time has no such files: then fewer may change.

        Args:
            whose: The tenant who waits for it.
            files: All files of the feature.
            paths: Of these files.
        """


def errors(findings: Sequence[StaticFinding]) -> tuple[StaticFinding, ...]:
    """Those that block."""
    return tuple(finding for finding in findings if finding.error)
