"""All static checks over a set of files.

Invariant: every file gets either a reading or a note that no parser here reads its kind; a parser
that fails is a finding about the file, never an exception.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from application.agents.inspection import StaticFinding
from infrastructure.inspection.imports import import_findings
from infrastructure.inspection.manifests import manifest_findings
from infrastructure.inspection.secrets import secret_findings
from infrastructure.inspection.sql import sql_findings
from infrastructure.inspection.syntax import LANGUAGES, suffix, syntax_findings

PLAIN: Final = frozenset({"", "md", "txt", "csv", "svg", "example", "sh", "dockerfile"})
"""Kinds of files whose shape says nothing."""


REMEMBERED: Final = 512
"""Sets of files whose findings are kept: what was just written is what is reviewed next."""


class Inspector:
    """The inspection that the agents' harness asks for."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[StaticFinding, ...]] = OrderedDict()

    async def inspect(
        self, files: Mapping[str, str], packages: Sequence[str]
    ) -> Sequence[StaticFinding]:
        """Findings in order of path and line; see `application.agents.inspection`."""
        key = _key(files, packages)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        read = await asyncio.to_thread(lambda: list(_read(files, packages)))
        sql = {p: text for p, text in files.items() if suffix(p) == "sql" and text.strip()}
        found = {*read, *(await sql_findings(sql) if sql else ())}
        ordered = tuple(sorted(found, key=lambda f: (f.path, f.line, f.rule, f.message)))
        if any(finding.rule == "unreadable" for finding in ordered):
            # Perhaps the tool was short of time or memory: it is asked again.
            return ordered
        self._known[key] = ordered
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return ordered


def _key(files: Mapping[str, str], packages: Sequence[str]) -> str:
    """The hash of everything that findings depend on."""
    return sha256(msgspec.json.encode([sorted(files.items()), list(packages)])).hexdigest()


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
