"""All static checks over a set of files.

Invariant: every file gets either a reading or a note that no parser here reads its kind; a parser
that fails, or does not come to an end, is a finding about the file, never an exception.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from application.agents.inspection import StaticFinding
from application.running.computing import Computing, CouldNotCompute
from application.running.recent import Recent
from infrastructure.inspection.imports import import_findings
from infrastructure.inspection.manifests import manifest_findings
from infrastructure.inspection.secrets import secret_findings
from infrastructure.inspection.sql import sql_findings
from infrastructure.inspection.syntax import LANGUAGES, suffix, syntax_findings

PLAIN: Final = frozenset({"", "md", "txt", "csv", "svg", "example", "sh", "dockerfile"})
"""Kinds of files whose shape says nothing."""


REMEMBERED: Final = 512
"""Sets of files whose findings are kept: what was just written is what is reviewed next."""


MOST_UNREADABLE: Final = 3
"""Files that may use up their time. Then no other one is tried: the set is refused anyway."""
UNREADABLE: Final = "The parser cannot read this file in the time it has."
NOT_TRIED: Final = "This file was not read: others used up the time there is."


class Inspector:
    """The inspection that the agents' harness asks for; parsers run in processes of their own."""

    def __init__(self, computing: Computing) -> None:
        self._computing = computing
        self._known: Recent[str, tuple[StaticFinding, ...]] = Recent(REMEMBERED)

    async def inspect(
        self, whose: object, files: Mapping[str, str], packages: Sequence[str]
    ) -> Sequence[StaticFinding]:
        """Findings in order of path and line; see `application.agents.inspection`."""
        key = _key(files, packages)
        known = self._known.find(key)
        if known is not None:
            return known
        read = await self._read(whose, files, packages)
        sql = {p: text for p, text in files.items() if suffix(p) == "sql" and text.strip()}
        found = {*read, *(await sql_findings(sql) if sql else ())}
        ordered = tuple(sorted(found, key=lambda f: (f.path, f.line, f.rule, f.message)))
        if any(finding.rule == "unreadable" for finding in ordered):
            # Perhaps the tool was short of time or memory: it is asked again.
            return ordered
        self._known.keep(key, ordered)
        return ordered

    async def _read(
        self, whose: object, files: Mapping[str, str], packages: Sequence[str]
    ) -> list[StaticFinding]:
        paths = tuple(files)
        try:
            return await self._computing.run(whose, read, dict(files), paths, tuple(packages))
        except CouldNotCompute:
            return await self._one_by_one(whose, files, packages)

    async def _one_by_one(
        self, whose: object, files: Mapping[str, str], packages: Sequence[str]
    ) -> list[StaticFinding]:
        """Find the files that a parser does not survive."""
        found: list[StaticFinding] = []
        failed = 0
        for path, content in files.items():
            if failed == MOST_UNREADABLE:
                found.append(StaticFinding(path, 1, "unreadable", NOT_TRIED))
                continue
            alone, paths = {path: content}, tuple(files)
            try:
                found += await self._computing.run(whose, read, alone, paths, tuple(packages))
            except CouldNotCompute:
                failed += 1
                found.append(StaticFinding(path, 1, "unreadable", UNREADABLE))
        return found


def _key(files: Mapping[str, str], packages: Sequence[str]) -> str:
    """The hash of everything that findings depend on."""
    return sha256(msgspec.json.encode([sorted(files.items()), list(packages)])).hexdigest()


def read(
    files: dict[str, str], paths: tuple[str, ...], packages: tuple[str, ...]
) -> list[StaticFinding]:
    """What is wrong with files; `paths` are all there are, so that imports can be resolved."""
    return list(_findings(files, frozenset(paths), packages))


def _findings(
    files: Mapping[str, str], known: frozenset[str], packages: Sequence[str]
) -> Iterator[StaticFinding]:
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
