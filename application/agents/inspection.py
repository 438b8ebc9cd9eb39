"""What can be known of generated code without running it: a port, and what it reports.

Invariant: nothing that is inspected is ever executed, imported or fetched.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct


class StaticFinding(Struct, frozen=True):
    """Something a parser found, with its place."""

    path: str
    line: int
    """1 for the first line."""
    rule: str
    """`syntax`, `unresolved_import`, `unplanned_package`, `secret`, `install_script`,
    `unreadable`, `not_inspected`."""
    message: str
    error: bool = True
    """Whether it blocks; otherwise a note, such as a language that no parser here reads."""

    def __str__(self) -> str:
        """The finding in one line."""
        return f"{self.path}:{self.line}: {self.message}"


class Inspection(Protocol):
    """Parsers for what agents write."""

    async def inspect(
        self, whose: object, files: Mapping[str, str], packages: Sequence[str]
    ) -> Sequence[StaticFinding]:
        """Read the files, by path, and report in order of path and line.

        Args:
            whose: The tenant who waits for it.
            files: All files of the feature, tests included, so that imports can be resolved.
            packages: Third-party packages that the plan allows.
        """


def errors(findings: Sequence[StaticFinding]) -> tuple[StaticFinding, ...]:
    """Those that block."""
    return tuple(finding for finding in findings if finding.error)
