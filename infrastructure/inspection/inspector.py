"""All static checks over a set of files.

Invariant: every file gets either a reading or a note that no parser here reads its kind; a parser
that fails is a finding about the file, never an exception.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from application.agents.inspection import StaticFinding
from infrastructure.inspection.imports import import_findings
from infrastructure.inspection.manifests import manifest_findings
from infrastructure.inspection.secrets import secret_findings
from infrastructure.inspection.sql import sql_findings
from infrastructure.inspection.syntax import LANGUAGES, suffix, syntax_findings

PLAIN: Final = frozenset({"", "md", "txt", "csv", "svg", "example", "sh", "dockerfile"})
"""Kinds of files whose shape says nothing."""


class Inspector:
    """The inspection that the agents' harness asks for."""

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str]
    ) -> Sequence[StaticFinding]:
        """Findings in order of path and line; see `application.agents.inspection`."""
        read = await asyncio.to_thread(lambda: list(_read(files, packages)))
        sql = {path: content for path, content in files.items() if suffix(path) == "sql"}
        found = {*read, *(await sql_findings(sql) if sql else ())}
        return sorted(found, key=lambda f: (f.path, f.line, f.rule, f.message))


def _read(files: Mapping[str, str], packages: Sequence[str]) -> Iterator[StaticFinding]:
    known = frozenset(files)
    for path, content in files.items():
        yield from secret_findings(path, content)
        kind = suffix(path)
        if kind in LANGUAGES:
            broken = list(syntax_findings(path, content))
            yield from broken
            if not broken:
                yield from import_findings(path, content, known, packages)
                yield from manifest_findings(path, content, packages)
        elif kind != "sql" and kind not in PLAIN:
            message = f"Files that end in .{kind} are not read by a parser here."
            yield StaticFinding(path, 1, "not_inspected", message, error=False)
