"""Holds to what stays in a later round: carries it over, and asks for what it cannot do without.

Invariant: an item of `frozen` is either as it was before, or named with a reason.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from domain import documents as d

T = TypeVar("T")


def frozen_in(inputs: dict[str, Any]) -> frozenset[str]:
    """Ids and paths that stay."""
    given = inputs.get("frozen")
    return frozenset(map(str, given)) if isinstance(given, list) else frozenset()


def before(inputs: dict[str, Any], name: str, kind: type[T]) -> T | None:
    """The document of the round before, if it is given."""
    try:
        return msgspec.convert(inputs[name], kind)
    except (KeyError, msgspec.ValidationError):
        return None


def hold_spec(spec: d.Spec, inputs: dict[str, Any]) -> d.Spec:
    """With requirements that stay as they were, but for those that a new point needs."""
    frozen, old = frozen_in(inputs), before(inputs, "previous_spec", d.Spec)
    if old is None or not frozen:
        return spec
    was = {need.id: need for need in old.requirements}
    answered = {
        source
        for need in spec.requirements
        for source in (was[need.id] if need.id in frozen and need.id in was else need).sources
    } | {source for left in spec.out_of_scope for source in left.sources}
    known = {source for need in spec.requirements for source in need.sources} - answered
    also, needs = [], []
    for need in spec.requirements:
        if need.id not in frozen or need.id not in was:
            needs.append(need)
        elif fresh := [source for source in need.sources if source in known]:
            kept = was[need.id]
            known -= set(fresh)
            needs.append(replace(need, sources=(*kept.sources, *fresh)))
            also.append(d.AlsoChanged(need.id, f"It answers {', '.join(fresh)}, too."))
        else:
            needs.append(was[need.id])
    needs += [was[ident] for ident in was if ident in frozen and ident not in _ids(needs)]
    gone = tuple(ident for ident in spec.superseded if ident not in frozen)
    return replace(spec, requirements=tuple(needs), superseded=gone, also_changed=tuple(also))


def hold_plan(plan: d.Plan, inputs: dict[str, Any]) -> d.Plan:
    """With the tasks of before under their ids, and new ones behind them."""
    frozen, old = frozen_in(inputs), before(inputs, "previous_plan", d.Plan)
    if old is None or not frozen:
        return plan
    plan = _with_old_ids(plan, old)
    was = {task.id: task for task in old.tasks}
    also = []
    tasks = []
    for task in plan.tasks:
        kept = was.get(task.id)
        if task.id not in frozen or kept is None:
            tasks.append(task)
        elif kept.writes == task.writes:
            tasks.append(kept)
        else:
            tasks.append(task)
            also.append(d.AlsoChanged(task.id, "It writes other files now."))
    for kind, key in (("exports", _export), ("routes", _route), ("tables", _table)):
        given = {key(one): one for one in getattr(plan, kind)}
        also += [
            d.AlsoChanged(key(one), "The change needs it otherwise.")
            for one in getattr(old, kind)
            if key(one) in frozen and given.get(key(one)) not in (None, one)
        ]
    return replace(plan, tasks=tuple(tasks), also_changed=tuple(also))


def hold_tests(tests: d.Tests, inputs: dict[str, Any]) -> d.Tests:
    """With a reason for each test file that was to stay and cannot."""
    old = before(inputs, "previous_tests", d.Tests)
    was = {file.path: file.content for file in old.files} if old else {}
    also = (
        d.AlsoChanged(file.path, "It holds tests of what the change brings.")
        for file in tests.files
        if file.path in frozen_in(inputs) and was.get(file.path) != file.content
    )
    return replace(tests, also_changed=tuple(also))


def asked_for(paths: Iterable[str], inputs: dict[str, Any]) -> list[d.AlsoChanged]:
    """Files that were to stay and are written again, with the reason."""
    frozen = frozen_in(inputs)
    reason = "What the change brings must stand in it, too."
    return [d.AlsoChanged(path, reason) for path in paths if path in frozen]


def _ids(needs: Iterable[d.Requirement]) -> set[str]:
    return {need.id for need in needs}


def _with_old_ids(plan: d.Plan, old: d.Plan) -> d.Plan:
    known = {task.title: task.id for task in old.tasks}
    last = max(int(task.id.partition("-")[2]) for task in old.tasks)
    names: dict[str, str] = {}
    for task in plan.tasks:
        if task.title not in known:
            last += 1
        names[task.id] = known.get(task.title, f"T-{last}")
    return replace(
        plan,
        files=tuple(replace(file, task=names[file.task]) for file in plan.files),
        tasks=tuple(
            replace(
                task,
                id=names[task.id],
                depends_on=tuple(names[one] for one in task.depends_on),
            )
            for task in plan.tasks
        ),
    )


def _export(one: d.PlannedExport) -> str:
    return f"export {one.path}#{one.name}"


def _route(one: d.PlannedRoute) -> str:
    return f"route {one.method} {one.path}"


def _table(one: d.PlannedTable) -> str:
    return f"table {one.name}"
