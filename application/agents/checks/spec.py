"""Checks of a specification against the brief, and against the version before it.

Invariant: every point of the brief is answered by a requirement or left out by name, and an id once
given never means anything else.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from application.agents.checks.naming import misnamed, repeated, unknown
from application.agents.markdown import clipped
from domain.documents import Spec
from domain.reading import BriefPoint


def spec_findings(spec: Spec, points: tuple[BriefPoint, ...], previous: Spec | None) -> list[str]:
    """What is wrong with the specification, a sentence each."""
    return [*_ids(spec), *_coverage(spec, points), *_stability(spec, previous)]


def _ids(spec: Spec) -> Iterator[str]:
    requirements = [r.id for r in spec.requirements]
    criteria = [c.id for r in spec.requirements for c in r.criteria]
    yield from misnamed("Requirement", "FR", requirements)
    yield from repeated("Requirement", requirements)
    yield from misnamed("Criterion", "AC", criteria)
    yield from repeated("Criterion", criteria)
    yield from repeated("Entity", [e.name for e in spec.entities])


def _coverage(spec: Spec, points: tuple[BriefPoint, ...]) -> Iterator[str]:
    known = {point.id for point in points}
    answered: set[str] = set()
    for requirement in spec.requirements:
        answered.update(requirement.sources)
        yield from unknown(requirement.id, requirement.sources, known, "a point of the brief")
    for exclusion in spec.out_of_scope:
        answered.update(exclusion.sources)
        yield from unknown("Out of scope", exclusion.sources, known, "a point of the brief")
    for point in points:
        if point.id not in answered:
            yield (
                f"{point.id} of the brief ({clipped(point.text)}) is in no requirement's sources "
                "and in nothing that is out of scope."
            )


def _stability(spec: Spec, previous: Spec | None) -> Iterator[str]:
    if previous is None:
        return
    now = {r.id for r in spec.requirements}
    before = {r.id for r in previous.requirements}
    for ident in sorted(now & (set(previous.superseded) | set(spec.superseded))):
        yield f"{ident} is superseded and must not be used again; give the requirement a new id."
    for ident in sorted(before - now - set(spec.superseded)):
        yield f"{ident} of the previous version is missing; keep it, or list it as superseded."
    owner = {c.id: r.id for r in previous.requirements for c in r.criteria}
    for requirement in spec.requirements:
        for criterion in requirement.criteria:
            if owner.get(criterion.id, requirement.id) != requirement.id:
                yield (
                    f"{criterion.id} belonged to {owner[criterion.id]} before; criteria of other "
                    "requirements get new ids."
                )


def with_gone_listed(spec: Spec, previous: Spec) -> Spec:
    """The specification with what is gone among its superseded ids: that follows by itself."""
    now = {need.id for need in spec.requirements}
    gone = (need.id for need in previous.requirements if need.id not in now)
    return replace(spec, superseded=tuple(dict.fromkeys((*previous.superseded, *gone))))


def with_history(spec: Spec, previous: Spec | None) -> Spec:
    """The specification with every id that was ever superseded: none is used again, for ever."""
    if previous is None:
        return replace(spec, superseded=())
    every = dict.fromkeys((*previous.superseded, *spec.superseded))
    real = {*previous.superseded, *(r.id for r in previous.requirements)}
    return replace(spec, superseded=tuple(ident for ident in every if ident in real))
