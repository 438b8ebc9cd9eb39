"""All static checks over a set of files.

Invariant: every file gets either a reading or a note that no parser here reads its kind; a parser
that fails, or does not come to an end, is a finding about the file, never an exception.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from application.agents.inspection import UNCHECKED, RuleNote, StaticFinding
from application.agents.output import FULL_CODE
from application.running.computing import Computing, CouldNotCompute
from application.running.recent import Recent
from domain.documents import Plan, PlannedRoute
from infrastructure.inspection.contract_tests import contract_test_findings, is_test
from infrastructure.inspection.exports import export_findings, exports_of
from infrastructure.inspection.imports import import_findings, neighbours
from infrastructure.inspection.manifests import declared, manifest_findings
from infrastructure.inspection.migrations import migration_findings
from infrastructure.inspection.notes import notes_for_review
from infrastructure.inspection.planned import (
    export_agreement,
    planned_exports,
    query_agreement,
    route_agreement,
    signature_findings,
    table_agreement,
)
from infrastructure.inspection.schema import schema_findings
from infrastructure.inspection.secrets import secret_findings
from infrastructure.inspection.settings import settings_findings
from infrastructure.inspection.sql import sql_findings
from infrastructure.inspection.stubs import stub_findings
from infrastructure.inspection.syntax import (
    LANGUAGES,
    SCRIPTS,
    structure_of,
    suffix,
    syntax_findings,
    tree_of,
)
from infrastructure.inspection.types import Told, type_findings

if TYPE_CHECKING:
    from ast_grep_py import SgNode

PLAIN: Final = frozenset({"", "md", "txt", "csv", "svg", "example", "sh", "dockerfile"})
"""Kinds of files whose shape says nothing."""


REMEMBERED: Final = 512
"""Sets of files whose findings are kept: what was just written is what is reviewed next."""


MOST_UNREADABLE: Final = 3
"""Files that may use up their time. Then no other one is tried: the set is refused anyway."""
UNREADABLE: Final = "The parser cannot read this file in the time it has."
NO_RULE_READ: Final = "No rule could be applied to this file in the time there is."
READ_IT: Final = "Read the whole file: no rule has looked at it."
NOT_TRIED: Final = "This file was not read: others used up the time there is."


class Inspector:
    """The inspection that the agents' harness asks for; parsers run in processes of their own."""

    def __init__(self, computing: Computing) -> None:
        self._computing = computing
        self._known: Recent[str, tuple[StaticFinding, ...]] = Recent(REMEMBERED)

    async def inspect(
        self,
        whose: object,
        files: Mapping[str, str],
        packages: Sequence[str],
        plan: Plan | None = None,
    ) -> Sequence[StaticFinding]:
        """Findings in order of path and line; see `application.agents.inspection`."""
        key = _key(files, packages, plan)
        known = self._known.find(key)
        if known is not None:
            return known
        read = await self._read(whose, files, packages, plan)
        sql = {p: text for p, text in files.items() if suffix(p) == "sql" and text.strip()}
        typed = await type_findings(files)
        found = {*_sure(read, typed), *(await sql_findings(sql) if sql else ())}
        ordered = tuple(sorted(found, key=lambda f: (f.path, f.line, f.rule, f.message)))
        if any(finding.rule in {"unreadable", UNCHECKED} for finding in ordered):
            # Perhaps the tool was short of time or memory: it is asked again.
            return ordered
        self._known.keep(key, ordered)
        return ordered

    async def notes(
        self, whose: object, files: Mapping[str, str], plan: Plan | None = None
    ) -> Sequence[RuleNote]:
        """What a reviewer must look at; see `application.agents.inspection`."""
        routes = plan.routes if plan is not None else ()
        try:
            return await self._computing.run(whose, notes_for_review, dict(files), routes)
        except CouldNotCompute:
            return await self._notes_one_by_one(whose, files, routes)

    async def beside(
        self, whose: object, files: Mapping[str, str], paths: Sequence[str]
    ) -> Sequence[str]:
        """What hangs on files directly; see `application.agents.inspection`."""
        try:
            return await self._computing.run(whose, neighbours, dict(files), tuple(paths))
        except CouldNotCompute:
            return ()

    async def _notes_one_by_one(
        self, whose: object, files: Mapping[str, str], routes: tuple[PlannedRoute, ...]
    ) -> list[RuleNote]:
        found: list[RuleNote] = []
        failed = 0
        for path, content in files.items():
            try:
                if failed < MOST_UNREADABLE:
                    alone = {path: content}
                    found += await self._computing.run(whose, notes_for_review, alone, routes)
                    continue
            except CouldNotCompute:
                failed += 1
            found.append(RuleNote("unreadable", path, 1, NO_RULE_READ, READ_IT))
        return found

    async def _read(
        self,
        whose: object,
        files: Mapping[str, str],
        packages: Sequence[str],
        plan: Plan | None,
    ) -> list[StaticFinding]:
        paths = tuple(files)
        try:
            return await self._computing.run(whose, read, dict(files), paths, tuple(packages), plan)
        except CouldNotCompute:
            return await self._one_by_one(whose, files, packages)

    async def _one_by_one(
        self, whose: object, files: Mapping[str, str], packages: Sequence[str]
    ) -> list[StaticFinding]:
        """Find the files that a parser does not survive. Without the plan, which is about all."""
        found: list[StaticFinding] = []
        failed = 0
        for path, content in files.items():
            if failed == MOST_UNREADABLE:
                found.append(StaticFinding(path, 1, "unreadable", NOT_TRIED))
                continue
            alone, paths = {path: content}, tuple(files)
            try:
                found += await self._computing.run(whose, read, alone, paths, tuple(packages), None)
            except CouldNotCompute:
                failed += 1
                found.append(StaticFinding(path, 1, "unreadable", UNREADABLE))
        return found


def _sure(read: Sequence[StaticFinding], typed: Told) -> Iterator[StaticFinding]:
    """Findings of both readers of scripts.

    Where our grammar gives up over a file that the compiler reads, the compiler is right. Where the
    file is broken indeed, what else is said of it would only be noise.
    """
    broken = {f.path for f in read if f.rule == "syntax" and f.error and f.path not in typed.read}
    for finding in read:
        if finding.rule == "syntax" and finding.path in typed.read and _is_script(finding.path):
            continue
        if finding.path in broken and finding.rule not in {"syntax", "secret"}:
            continue
        yield finding
    yield from (finding for finding in typed.findings if finding.path not in broken)


def _is_script(path: str) -> bool:
    return LANGUAGES.get(suffix(path)) in SCRIPTS


def _key(files: Mapping[str, str], packages: Sequence[str], plan: Plan | None) -> str:
    """The hash of everything that findings depend on."""
    everything = [sorted(files.items()), list(packages), plan]
    return sha256(msgspec.json.encode(everything)).hexdigest()


def read(
    files: dict[str, str], paths: tuple[str, ...], packages: tuple[str, ...], plan: Plan | None
) -> list[StaticFinding]:
    """What is wrong with files; `paths` are all there are, so that imports can be resolved."""
    return list(_findings(files, dict.fromkeys(paths, "") | files, packages, plan))


def _findings(
    files: Mapping[str, str],
    every: Mapping[str, str],
    packages: Sequence[str],
    plan: Plan | None,
) -> Iterator[StaticFinding]:
    scripts: dict[str, SgNode] = {}
    for path, content in files.items():
        yield from secret_findings(path, content)
        kind = suffix(path)
        if kind in LANGUAGES:
            root = tree_of(path, content)
            broken = list(syntax_findings(path, content, root))
            yield from broken
            if root is not None and LANGUAGES[kind] in SCRIPTS:
                scripts[path] = structure_of(path, content, root)
            if not any(finding.error for finding in broken):
                yield from manifest_findings(path, content, packages)
        elif kind != "sql" and kind not in PLAIN:
            message = f"Files that end in .{kind} are not read by a parser here."
            yield StaticFinding(path, 1, "not_inspected", message, error=False)
    exports = {path: exports_of(every[path], root) for path, root in scripts.items()}
    yield from _of_scripts(scripts, every, packages)
    yield from settings_findings(scripts, every)
    planned = planned_exports(plan) if plan is not None else {}
    unwritten = {path: one for path, one in planned.items() if not every.get(path, "").strip()}
    yield from export_findings(scripts, every, {**exports, **unwritten})
    sql = {path: text for path, text in files.items() if suffix(path) == "sql"}
    yield from migration_findings(files)
    yield from schema_findings(sql)
    yield from query_agreement({p: root for p, root in scripts.items() if not is_test(p)}, sql)
    if plan is not None:
        yield from export_agreement(plan, exports, every)
        yield from _agreement(plan, scripts, every, sql)


def _agreement(
    plan: Plan,
    scripts: "Mapping[str, SgNode]",
    every: Mapping[str, str],
    sql: Mapping[str, str],
) -> Iterator[StaticFinding]:
    """Where files do not keep what the plan says of them."""
    yield from signature_findings(plan)
    written = {path: root for path, root in scripts.items() if every[path].strip()}
    tests = {path: root for path, root in written.items() if is_test(path)}
    yield from route_agreement(
        plan, {path: root for path, root in written.items() if path not in tests}, tests
    )
    yield from table_agreement(plan, {path: text for path, text in sql.items() if text.strip()})


def _of_scripts(
    scripts: "Mapping[str, SgNode]",
    every: Mapping[str, str],
    packages: Sequence[str],
) -> Iterator[StaticFinding]:
    """What is wrong with scripts beyond their grammar, each by itself and all together."""
    manifests = {
        path.rpartition("/")[0]: names
        for path, content in every.items()
        if path.rpartition("/")[2] == FULL_CODE.declaration
        and content.strip()
        and (names := declared(content)) is not None
    }
    for path, root in scripts.items():
        yield from import_findings(path, root, every, packages, _nearest(path, manifests))
        yield from stub_findings(path, root)
        if is_test(path):
            yield from contract_test_findings(path, root)


def _nearest(path: str, manifests: Mapping[str, Collection[str]]) -> Collection[str] | None:
    """The packages that the closest declaration above a file names."""
    folder = path.rpartition("/")[0]
    while folder and folder not in manifests:
        folder = folder.rpartition("/")[0]
    return manifests.get(folder)
