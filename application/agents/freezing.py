"""What of an application stays as it is in a later round: carried by code, and refused to agents.

Invariant: what is frozen keeps its words and bytes, whatever an agent hands over, unless it asks
for the change with a reason. What is frozen is given from outside; nothing here decides it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from domain import documents as d
from domain.content import sha256_of
from domain.events import FileWritten
from domain.impact import Base, Impact, ImpactKind
from domain.impact_index import interfaces_of
from domain.reading import BriefPoint

T = TypeVar("T")

_ASK: Final = (
    "Leave it as it is, or, if the change is impossible without it, list it in `also_changed` with "
    "the reason."
)


class Frozen(Struct, frozen=True):
    """The application that a round goes on from, and what of it stays."""

    base: Base
    impact: Impact
    files: tuple[FileWritten, ...] = ()
    """Its files as they are stored, tests included."""

    def stays(self, kind: ImpactKind) -> frozenset[str]:
        """Ids and paths that nobody may change unasked."""
        return frozenset(self.impact.stays.get(kind, ()))

    def frozen_files(self) -> dict[str, str]:
        """The SHA-256 of each planned file that stays, by path."""
        stays = self.stays(ImpactKind.FILES)
        return {file.path: file.sha256 for file in self.files if file.path in stays}


def texts_of(
    before: Sequence[BriefPoint], after: Sequence[BriefPoint]
) -> tuple[dict[str, str], dict[str, str]]:
    """The points of two briefs as they are compared: a heading counts where it is another one."""
    heads = [{point.id: point.under for point in points} for points in (before, after)]
    moved = {ident for ident in heads[0] if heads[0][ident] != heads[1].get(ident)}

    def told(points: Sequence[BriefPoint]) -> dict[str, str]:
        return {
            point.id: f"{point.under}: {point.text}" if point.id in moved else point.text
            for point in points
        }

    return told(before), told(after)


def changed_since(
    base: Base, spec: d.Spec | None, plan: d.Plan | None, tests: d.Tests | None
) -> tuple[str, ...]:
    """Requirements, tasks and paths of an application that documents have changed since."""
    found: list[str] = []
    if spec is not None:
        now = {need.id: need for need in spec.requirements}
        found += [need.id for need in base.spec.requirements if now.get(need.id) != need]
    if plan is not None:
        tasks = {task.id: task for task in plan.tasks}
        for task in base.plan.tasks:
            same = tasks.get(task.id)
            if same is None or _core(same) != _core(task) or _gained(task, same):
                found.append(task.id)
        purposes = {file.path: file for file in plan.files}
        found += [file.path for file in base.plan.files if purposes.get(file.path) != file]
        found += _owners_of_changed(base.plan, plan)
    if tests is not None:
        contents = {file.path: file.content for file in tests.files}
        found += [file.path for file in base.tests.files if contents.get(file.path) != file.content]
    return tuple(dict.fromkeys(found))


def held(
    document: d.AgentDocument, standing: Frozen | None, spec: d.Spec | None
) -> tuple[d.AgentDocument, list[str]]:
    """A document at a gate with what stays as it was, and what was changed unasked."""
    match document:
        case d.Spec() if standing:
            return frozen_spec(document, standing)
        case d.Plan() if standing and spec:
            return frozen_plan(document, standing, spec)
        case d.Tests() if standing:
            return frozen_tests(document, standing)
        case d.Spec() | d.Plan() | d.Tests():
            return replace(document, also_changed=()), []
        case _:
            raise TypeError(f"{type(document).__name__} stands at no gate")


def asked_before(document: d.AgentDocument, previous: d.AgentDocument) -> d.AgentDocument:
    """A document written anew with comments: what was asked for of what stays is as it was."""
    match previous:
        case d.Spec(also_changed=also) | d.Plan(also_changed=also) | d.Tests(also_changed=also):
            return replace(document, also_changed=also)
        case _:
            return document


def frozen_spec(spec: d.Spec, standing: Frozen) -> tuple[d.Spec, list[str]]:
    """The specification with what stays as it was, and what was changed unasked."""
    stays = standing.stays(ImpactKind.REQUIREMENTS)
    asked, findings = _asked(spec.also_changed, stays)
    frozen = stays - asked.keys()
    before = {need.id: need for need in standing.base.spec.requirements}
    now = {need.id: need for need in spec.requirements}
    for ident, kept in before.items():
        if ident in frozen and now.get(ident, kept) != kept:
            findings.append(f"{ident} rests on nothing that was changed. {_ASK}")
        if ident in frozen and ident in spec.superseded:
            findings.append(f"{ident} is superseded although nothing it rests on changed. {_ASK}")
    needs = _merged(before, now, frozen)
    superseded = tuple(ident for ident in spec.superseded if ident not in frozen)
    also = tuple(asked.values())
    return replace(spec, requirements=needs, superseded=superseded, also_changed=also), findings


def frozen_plan(plan: d.Plan, standing: Frozen, spec: d.Spec) -> tuple[d.Plan, list[str]]:
    """The plan with what stays as it was, and what was changed unasked."""
    base = standing.base
    kinds = (ImpactKind.TASKS, ImpactKind.FILES, ImpactKind.INTERFACES)
    stays = frozenset[str]().union(*map(standing.stays, kinds))
    asked, findings = _asked(plan.also_changed, stays)
    frozen = stays - asked.keys()
    before = {task.id: task for task in base.plan.tasks}
    now = {task.id: task for task in plan.tasks}
    known = {need.id for need in spec.requirements}
    paths = {file.path for file in plan.files}
    standing_paths = {file.path for file in base.plan.files}
    tasks = {
        ident: replace(
            before[ident],
            requirements=_still(before[ident].requirements, known),
            depends_on=_still(before[ident].depends_on, {*now, *(frozen & before.keys())}),
            reads=_still(before[ident].reads, {*paths, *(frozen & standing_paths)}),
        )
        for ident in before
        if ident in frozen
    }
    for ident, kept in tasks.items():
        given = now.get(ident)
        if given is not None and (_core(given) != _core(kept) or _gained(kept, given)):
            findings.append(f"{ident} needs no change. {_ASK}")
    files = {file.path: file for file in base.plan.files}
    given_files = {file.path: file for file in plan.files}
    for path, file in files.items():
        if path in frozen and given_files.get(path, file) != file:
            findings.append(f"`{path}` needs no change, and its purpose and task neither. {_ASK}")
    was, is_now = _interfaces(base.plan), _interfaces(plan)
    findings += [
        f"{ident} needs no change. {_ASK}"
        for kind in was
        for ident, one in was[kind].items()
        if ident in frozen and is_now[kind].get(ident, one) != one
    ]
    merged = replace(
        plan,
        tasks=_merged({**before, **tasks}, now, frozen),
        files=_merged(files, given_files, frozen),
        **{kind: _merged(was[kind], is_now[kind], frozen) for kind in was},
        also_changed=tuple(asked.values()),
    )
    return merged, findings


def frozen_tests(tests: d.Tests, standing: Frozen) -> tuple[d.Tests, list[str]]:
    """The tests with the files that stay as they were, and what was changed unasked."""
    stays = standing.stays(ImpactKind.TESTS)
    asked, findings = _asked(tests.also_changed, stays)
    frozen = stays - asked.keys()
    before = {file.path: file for file in standing.base.tests.files}
    now = {file.path: file for file in tests.files}
    for path, file in before.items():
        if path in frozen and now.get(path, file).content != file.content:
            findings.append(f"`{path}` needs no change. {_ASK}")
    files = _merged(before, now, frozen)
    return replace(tests, files=files, also_changed=tuple(asked.values())), findings


def unasked(path: str) -> str:
    """What a writer is told who writes a file that stays."""
    return f"`{path}` stays as it is in this round: nothing that it rests on changed. {_ASK}"


def same_bytes(content: str, sha256: str) -> bool:
    """Whether a text has this hash."""
    return sha256_of(content) == sha256


def _asked(
    also: Iterable[d.AlsoChanged], stays: frozenset[str]
) -> tuple[dict[str, d.AlsoChanged], list[str]]:
    """What is asked for of what stays, by id, and what is asked for in vain."""
    asked = {one.id: one for one in also if one.id in stays and one.reason.strip()}
    findings = [
        f"`also_changed` names `{one.id}` without a reason."
        for one in also
        if one.id in stays and not one.reason.strip()
    ]
    return asked, findings


def _merged(before: Mapping[str, T], now: Mapping[str, T], frozen: frozenset[str]) -> tuple[T, ...]:
    """What stays, in the words of before and in its old place; the rest as it is now."""
    kept = [
        before[ident] if ident in frozen else now[ident]
        for ident in before
        if ident in frozen or ident in now
    ]
    return (*kept, *(one for ident, one in now.items() if ident not in before))


def _interfaces(plan: d.Plan) -> dict[str, dict[str, Any]]:
    """Exports, routes and tables by their ids, each under the name of its field."""
    return {
        "exports": {f"export {x.path}#{x.name}": x for x in plan.exports},
        "routes": {f"route {x.method} {x.path}": x for x in plan.routes},
        "tables": {f"table {x.name}": x for x in plan.tables},
    }


def _core(task: d.Task) -> tuple[Any, ...]:
    return task.title, task.writes, task.done_when


def _gained(before: d.Task, now: d.Task) -> bool:
    """Whether a task is to build a requirement that it did not."""
    return bool({*now.requirements} - {*before.requirements})


def _still(requirements: Sequence[str], known: set[str]) -> tuple[str, ...]:
    return tuple(ident for ident in requirements if ident in known)


def _owners_of_changed(before: d.Plan, now: d.Plan) -> list[str]:
    """Files whose exports are others now."""
    was, is_now = interfaces_of(before), interfaces_of(now)
    return [
        one.path
        for one in before.exports
        if is_now.get(key := f"export {one.path}#{one.name}") != was[key]
    ]
