"""From each point of the brief to the files: why every part of the code is there.

Invariant: computed from the recorded structures alone, by their ids; what leads nowhere is listed
as a gap, never left out.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from application.agents.checks.shared_by_tests import helpers_used
from application.agents.markdown import bullets, code, ids, inline, page, section
from application.delivery.changelog import sentence
from domain.documents import Plan, Spec, Tests
from domain.events import FileWritten
from domain.reading import Reading, reading_of


class TracedPoint(Struct, frozen=True):
    """A point of the brief and what became of it."""

    id: str
    text: str
    requirements: tuple[str, ...]
    left_out: tuple[str, ...]
    """Why it is not built, where the specification says so."""


class TracedCriterion(Struct, frozen=True):
    """An acceptance criterion and the tests that cover it."""

    id: str
    text: str
    tests: tuple[str, ...]
    untestable: tuple[str, ...]
    """Why no test covers it."""


class TracedRequirement(Struct, frozen=True):
    """A requirement between the brief it comes from and the files that fulfil it."""

    id: str
    text: str
    priority: str
    sources: tuple[str, ...]
    criteria: tuple[TracedCriterion, ...]
    tests: tuple[str, ...]
    """Files that cover it, or one of its criteria."""
    tasks: tuple[str, ...]
    files: tuple[str, ...]


class TracedTask(Struct, frozen=True):
    """A task of the plan and the files it wrote."""

    id: str
    title: str
    requirements: tuple[str, ...]
    files: tuple[str, ...]


class TracedFile(Struct, frozen=True):
    """A delivered file and what it is there for."""

    path: str
    sha256: str
    by: str
    """The agent that wrote it."""
    tasks: tuple[str, ...]
    serves: tuple[str, ...]
    """Requirements and, of a test, criteria."""


class Trace(Struct, frozen=True):
    """The whole way."""

    points: tuple[TracedPoint, ...]
    requirements: tuple[TracedRequirement, ...]
    tasks: tuple[TracedTask, ...]
    files: tuple[TracedFile, ...]
    gaps: tuple[str, ...]
    """Ids and paths that lead nowhere, a sentence each."""


def trace_of(
    brief: str,
    spec: Spec,
    plan: Plan,
    tests: Tests,
    files: Sequence[FileWritten],
    reading: Reading | None = None,
) -> Trace:
    """Follow every id from the brief's text, as it was read, to the delivered files."""
    read = reading or reading_of(brief)
    delivered = {file.path for file in files}
    covering = _covering(tests)
    untestable = _grouped((each.id, each.reason) for each in tests.untestable)
    tasks_for = _grouped((need, task.id) for task in plan.tasks for need in task.requirements)
    wrote = {
        task.id: tuple(path for path in task.writes if path in delivered) for task in plan.tasks
    }
    requirements = tuple(
        TracedRequirement(
            id=need.id,
            text=sentence(need),
            priority=need.priority.value,
            sources=need.sources,
            criteria=(
                criteria := tuple(
                    TracedCriterion(
                        each.id,
                        f"Given {each.given}, when {each.when}, then {each.then}",
                        covering.get(each.id, ()),
                        untestable.get(each.id, ()),
                    )
                    for each in need.criteria
                )
            ),
            tests=_once([*covering.get(need.id, ()), *(t for c in criteria for t in c.tests)]),
            tasks=tasks_for.get(need.id, ()),
            files=_once(path for task in tasks_for.get(need.id, ()) for path in wrote[task]),
        )
        for need in spec.requirements
    )
    tasks = tuple(
        TracedTask(task.id, task.title, task.requirements, wrote[task.id]) for task in plan.tasks
    )
    needed = _grouped((source, need.id) for need in spec.requirements for source in need.sources)
    excluded = _grouped(
        (source, each.text) for each in spec.out_of_scope for source in each.sources
    )
    points = tuple(
        TracedPoint(point.id, point.text, needed.get(point.id, ()), excluded.get(point.id, ()))
        for point in read.points
    )
    helped_by = _helped_by(tests)
    traced = tuple(
        TracedFile(
            file.path,
            file.sha256,
            str(file.by),
            owners := tuple(task.id for task in tasks if file.path in task.files),
            _once(
                [
                    *(need for task in tasks if task.id in owners for need in task.requirements),
                    *(
                        id_
                        for test in tests.files
                        if file.path in (test.path, *helped_by.get(test.path, ()))
                        for id_ in test.covers
                    ),
                ]
            ),
        )
        for file in files
    )
    gaps = _gaps(points, requirements, traced, plan, delivered)
    return Trace(points, requirements, tasks, traced, tuple(gaps))


def trace_markdown(trace: Trace) -> str:
    """The same, for people."""
    by_id = {need.id: need for need in trace.requirements}
    parts = [_point(point, by_id) for point in trace.points]
    rows = [
        f"| {code(file.path)} | {ids(file.tasks)} | {ids(file.serves)} | {file.by} |"
        for file in trace.files
    ]
    table = ["| File | Task | For | By |", "| --- | --- | --- | --- |", *rows]
    return page(
        "From the brief to the files",
        section("What leads nowhere", bullets(map(inline, trace.gaps)) or "Nothing."),
        section("Points of the brief", "\n\n".join(parts)),
        section("Files", "\n".join(table)),
    )


def _point(point: TracedPoint, by_id: Mapping[str, TracedRequirement]) -> str:
    lines = [f"### {point.id} · {inline(point.text)}", ""]
    lines += [f"- Left out: {inline(why)}" for why in point.left_out]
    for need in (by_id[each] for each in point.requirements):
        lines.append(f"- **{need.id}** ({need.priority}) {inline(need.text)}")
        lines += [f"  - {_criterion(each)}" for each in need.criteria]
        files = ", ".join(map(code, need.files)) or "—"
        lines.append(f"  - {ids(need.tasks)} wrote {files}")
    return "\n".join(lines)


def _criterion(criterion: TracedCriterion) -> str:
    shown = ", ".join(map(code, criterion.tests))
    why = "; ".join(map(inline, criterion.untestable))
    return f"**{criterion.id}** {inline(criterion.text)}: {shown or why or 'no test'}"


def _gaps(
    points: Iterable[TracedPoint],
    requirements: Iterable[TracedRequirement],
    files: Iterable[TracedFile],
    plan: Plan,
    delivered: set[str],
) -> list[str]:
    gaps = [
        f"{point.id} has no requirement, and nothing says that it is left out."
        for point in points
        if not point.requirements and not point.left_out
    ]
    for need in requirements:
        if not need.tasks:
            gaps.append(f"{need.id} has no task.")
        gaps += [
            f"{each.id} has no test, and nothing says why."
            for each in need.criteria
            if not each.tests and not each.untestable
        ]
    planned = [path for task in plan.tasks for path in task.writes]
    gaps += [f"{path} was planned, and is not there." for path in planned if path not in delivered]
    gaps += [
        f"{file.path} belongs to no task and covers nothing."
        for file in files
        if not file.tasks and not file.serves
    ]
    return gaps


def _helped_by(tests: Tests) -> Mapping[str, set[str]]:
    """The helpers that each test uses; they serve what it covers."""
    if all(file.covers for file in tests.files):
        return {}
    contents = {file.path: file.content for file in tests.files}
    return {file.path: helpers_used(file.path, contents) for file in tests.files if file.covers}


def _covering(tests: Tests) -> Mapping[str, tuple[str, ...]]:
    return _grouped((id_, file.path) for file in tests.files for id_ in file.covers)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: _once(values) for name, values in found.items()}


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
