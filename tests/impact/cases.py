"""Reads the applications and the changes that a person judged.

Invariant: what is read is what stands in `apps`; nothing of the truth is computed.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from domain import documents as d

APPS: Final = Path(__file__).parent / "apps"
KEPT_BACK: Final = frozenset({"library"})
"""Applications that the rules were not fitted to: written after them, and tried once."""
KINDS: Final = ("requirements", "criteria", "interfaces", "tasks", "tests", "files")


class App(Struct, frozen=True):
    """An application as it stands."""

    name: str
    by_demo: bool
    points: Mapping[str, str]
    spec: d.Spec
    plan: d.Plan
    tests: d.Tests
    files: Mapping[str, str]
    """Planned files by path, without the tests."""

    def ids(self) -> dict[str, set[str]]:
        """All that could become stale, by kind."""
        plan = self.plan
        return {
            "requirements": {need.id for need in self.spec.requirements},
            "criteria": {one.id for need in self.spec.requirements for one in need.criteria},
            "interfaces": {
                *(f"export {one.path}#{one.name}" for one in plan.exports),
                *(f"route {one.method} {one.path}" for one in plan.routes),
                *(f"table {one.name}" for one in plan.tables),
            },
            "tasks": {task.id for task in plan.tasks},
            "tests": {file.path for file in self.tests.files},
            "files": {file.path for file in plan.files},
        }


class Case(Struct, frozen=True):
    """A change of an application's brief, and what it makes stale."""

    app: App
    name: str
    points: Mapping[str, str]
    """All points of the changed brief."""
    truth: Mapping[str, frozenset[str]]
    """By kind."""


def cases() -> list[Case]:
    """All changes, application by application."""
    found: list[Case] = []
    for path in sorted(APPS.glob("*.toml")):
        raw = tomllib.loads(path.read_text("utf-8"))
        app = _demo(path.stem, raw["base"]) if "base" in raw else _by_hand(path.stem, raw)
        found += [_case(app, change) for change in raw["changes"]]
    return found


def _case(app: App, change: dict[str, Any]) -> Case:
    gone = change.get("removed", ())
    points = {ident: text for ident, text in app.points.items() if ident not in gone}
    points |= {**change.get("changed", {}), **change.get("added", {})}
    truth = {kind: frozenset(change.get(kind, ())) for kind in KINDS}
    return Case(app, change["name"], points, truth)


def _demo(name: str, base: str) -> App:
    raw = msgspec.json.decode((APPS / base).read_bytes())
    return App(
        name,
        by_demo=True,
        points=raw["points"],
        spec=msgspec.convert(raw["spec"], d.Spec),
        plan=msgspec.convert(raw["plan"], d.Plan),
        tests=msgspec.convert(raw["tests"], d.Tests),
        files=raw["files"],
    )


def _by_hand(name: str, raw: dict[str, Any]) -> App:
    criteria: dict[str, list[d.Criterion]] = {}
    for ident, text in raw["criteria"].items():
        need, given, when, then = (part.strip() for part in text.split("|"))
        criteria.setdefault(need, []).append(d.Criterion(ident, given, when, then))
    needs = tuple(
        d.Requirement(
            ident, one["who"], one["when"], one["then"], tuple(one["from"]), tuple(criteria[ident])
        )
        for ident, one in raw["requirements"].items()
    )
    entities = tuple(
        d.Entity(entity, entity, tuple(d.Field(field, "text") for field in fields.split(", ")))
        for entity, fields in raw["entities"].items()
    )
    return App(
        name,
        by_demo=False,
        points=raw["points"],
        spec=d.Spec(name, name, needs, entities),
        plan=_plan(raw),
        tests=d.Tests(name, tuple(_test(path, text) for path, text in raw["tests"].items())),
        files=raw["files"],
    )


def _plan(raw: dict[str, Any]) -> d.Plan:
    tasks = tuple(
        d.Task(
            ident,
            one["title"],
            tuple(one["for"]),
            tuple(one["writes"]),
            depends_on=tuple(one.get("needs", ())),
        )
        for ident, one in raw["tasks"].items()
    )
    return d.Plan(
        summary="By hand.",
        files=tuple(
            d.PlannedFile(path, task.title, task.id) for task in tasks for path in task.writes
        ),
        tasks=tasks,
        exports=tuple(
            d.PlannedExport(*place.split("#"), signature)
            for place, signature in raw["exports"].items()
        ),
        routes=tuple(_route(address, text) for address, text in raw.get("routes", {}).items()),
        tables=tuple(
            d.PlannedTable(
                name, tuple(d.PlannedColumn(*one.split(" ", 1)) for one in columns.split("; "))
            )
            for name, columns in raw.get("tables", {}).items()
        ),
    )


def _route(address: str, text: str) -> d.PlannedRoute:
    method, path = address.split(" ", 1)
    who, sent, answers = (part.strip() for part in text.split("|"))
    given = tuple(
        d.PlannedAnswer(int(status), body)
        for status, _, body in (answer.strip().partition(" ") for answer in answers.split(";"))
    )
    return d.PlannedRoute(d.HttpMethod(method), path, (who,), given, sent)


def _test(path: str, text: str) -> d.TestFile:
    words = text.replace('"', " ").split()
    named = dict.fromkeys(word for word in words if word.startswith(("FR-", "AC-")))
    return d.TestFile(path, text, tuple(named))
