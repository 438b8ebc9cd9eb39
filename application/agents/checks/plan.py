"""Checks of a plan: an acyclic set of tasks that covers the specification and owns every file once.

Invariant: a plan that passes says of each file who writes it and of each requirement where it is
built, and can be worked through in some order.
"""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from application.agents.checks.meeting import meeting_findings
from application.agents.checks.naming import misnamed, repeated, unknown
from application.agents.output import FULL_CODE
from application.agents.paths import refusals
from domain.documents import Plan, Spec

MOST_PACKAGES = 20
"""Third-party packages: each is code that nobody here reviews."""


def plan_findings(plan: Plan, spec: Spec) -> list[str]:
    """What is wrong with the plan, a sentence each."""
    return [
        *_tasks(plan, spec),
        *_files(plan),
        *_project(plan),
        *_order(plan),
        *_packages(plan),
        *meeting_findings(plan, spec),
    ]


def _tasks(plan: Plan, spec: Spec) -> Iterator[str]:
    requirements = {r.id for r in spec.requirements}
    tasks = {t.id for t in plan.tasks}
    planned = {f.path for f in plan.files}
    yield from misnamed("Task", "T", [t.id for t in plan.tasks])
    yield from repeated("Task", [t.id for t in plan.tasks])
    covered: set[str] = set()
    for task in plan.tasks:
        covered.update(task.requirements)
        yield from unknown(
            task.id, task.requirements, requirements, "a requirement of the specification"
        )
        yield from unknown(task.id, task.depends_on, tasks, "a task")
        yield from unknown(f"{task.id} reads", task.reads, planned, "a planned file")
    for requirement in spec.requirements:
        if requirement.id not in covered:
            yield f"{requirement.id} has no task."


def _files(plan: Plan) -> Iterator[str]:
    paths = [f.path for f in plan.files]
    yield from refusals(paths)
    yield from repeated("File", paths)
    for path in paths:
        if path.startswith(FULL_CODE.tests_folder):
            yield f"`{path}` stands among the tests, which are written apart: leave it out."
    tasks = {t.id: t for t in plan.tasks}
    planned = {f.path: f.task for f in plan.files}
    for file in plan.files:
        task = tasks.get(file.task)
        if task is None:
            yield f"`{file.path}` belongs to {file.task}, which is not a task."
        elif file.path not in task.writes:
            yield f"`{file.path}` belongs to {file.task}, whose `writes` do not list it."
    for task in plan.tasks:
        for path in task.writes:
            if path not in planned:
                yield f"{task.id} writes `{path}`, which is not in the list of files."
            elif planned[path] != task.id:
                yield f"{task.id} writes `{path}`, which belongs to {planned[path]}."


def _project(plan: Plan) -> Iterator[str]:
    """What every project needs that has a program, whatever else is planned."""
    paths = {file.path for file in plan.files}
    if any(path.endswith(FULL_CODE.scripts) for path in paths):
        for path in (*FULL_CODE.project_files, "README.md"):
            if path not in paths:
                yield f"`{path}` is missing in the list of files: every project needs it."


def _order(plan: Plan) -> Iterator[str]:
    try:
        TopologicalSorter({t.id: t.depends_on for t in plan.tasks}).prepare()
    except CycleError as cycle:
        yield f"Tasks wait for each other in a circle: {' → '.join(cycle.args[1])}."


def _packages(plan: Plan) -> Iterator[str]:
    if len(plan.packages) > MOST_PACKAGES:
        yield f"The plan needs {len(plan.packages)} packages; at most {MOST_PACKAGES} are allowed."
    yield from repeated("Package", plan.packages)
