"""Whether a specification says what the points say that it cites.

Invariant: it only compares words; what is in doubt is told to a person, and never refused. The work
is in proportion to the specification.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from application.agents.checks.facts import facts_of, holds, said_in
from application.agents.checks.negation import excludes, says_no
from application.agents.markdown import clipped
from domain.documents import Exclusion, Requirement, Spec
from domain.reading import BriefPoint

FEWEST_POINTS: Final = 5
MOST_CITED: Final = 0.9
"""A requirement that cites this part of so many points answers none of them by itself."""
MOST_LOOKED_FOR: Final = 100
"""Facts of one point."""
MOST_FACTS: Final = 12
"""Of one point, in one finding."""


def fidelity_findings(
    spec: Spec,
    points: tuple[BriefPoint, ...],
    previous: Spec | None = None,
    before: tuple[BriefPoint, ...] = (),
) -> list[str]:
    """What the specification seems to have bent, a sentence each: sent back to its writer once.

    Args:
        spec: What is checked.
        points: The points of its brief.
        previous: The specification of the brief before.
        before: The points of the brief before.
    """
    return [
        *_bent(spec, points, sure=True),
        *_unchanged(spec, points, previous, before),
        *_done_all_the_same(spec, points),
        *_catch_all(spec, points),
    ]


def fidelity_notes(
    spec: Spec,
    points: tuple[BriefPoint, ...],
    previous: Spec | None = None,
    before: tuple[BriefPoint, ...] = (),
) -> list[str]:
    """The same, with what may be no fact at all, for the person who decides."""
    return [
        *fidelity_findings(spec, points, previous, before),
        *_bent(spec, points, sure=False),
    ]


def _bent(spec: Spec, points: Sequence[BriefPoint], *, sure: bool) -> Iterator[str]:
    """Facts of a point that stand in no requirement that cites it.

    Those that stand elsewhere in the specification, as in its bounds, are in doubt only.
    """
    citing = _citing(spec)
    left_out = {ident for each in spec.out_of_scope for ident in each.sources}
    said = {need.id: said_in(_said(need)) for need in spec.requirements}
    elsewhere = said_in(_elsewhere(spec))
    for point in points:
        needs = citing.get(point.id, [])
        if not needs or point.id in left_out:
            continue
        missing = [
            fact
            for fact in facts_of(point.text)[:MOST_LOOKED_FOR]
            if not any(holds(fact, said[need.id]) for need in needs)
        ]
        certain = {fact.said for fact in missing if fact.sure and not holds(fact, elsewhere)}
        wanted = [fact.said for fact in missing if (fact.said in certain) is sure][:MOST_FACTS]
        if wanted:
            words = ", ".join(f"“{one}”" for one in wanted)
            ids = ", ".join(need.id for need in needs[:5])
            yield (
                f"{point.id} ({clipped(point.text)}) says {words}; "
                f"{ids}, which {'cites' if len(needs) == 1 else 'cite'} it, "
                f"{'does' if len(needs) == 1 else 'do'} not."
            )


def _unchanged(
    spec: Spec,
    points: Sequence[BriefPoint],
    previous: Spec | None,
    before: Sequence[BriefPoint],
) -> Iterator[str]:
    """Points that changed, of which every requirement stayed the same."""
    if previous is None:
        return
    was = {point.id: point.text for point in before}
    had = {need.id: need for need in previous.requirements}
    excluded = {each.text for each in previous.out_of_scope}
    citing = _citing(spec)
    for point in points:
        if was.get(point.id, point.text) == point.text:
            continue
        needs = citing.get(point.id, [])
        answers = [each for each in spec.out_of_scope if point.id in each.sources]
        same = all(_same(need, had.get(need.id)) for need in needs)
        if needs and same and all(_stood(each, excluded) for each in answers):
            ids = ", ".join(need.id for need in needs[:5])
            yield (
                f"{point.id} was changed from “{clipped(was[point.id])}” to “{clipped(point.text)}”"
                f", and {ids}, which {'answers' if len(needs) == 1 else 'answer'} it, "
                f"{'is' if len(needs) == 1 else 'are'} the same as before."
            )


def _done_all_the_same(spec: Spec, points: Sequence[BriefPoint]) -> Iterator[str]:
    """Points that say what is not wanted, cited by requirements that say no to nothing."""
    citing = _citing(spec)
    left_out = {ident for each in spec.out_of_scope for ident in each.sources}
    for point in points:
        needs = citing.get(point.id, [])
        if not needs or point.id in left_out or not excludes(point.text):
            continue
        if not any(says_no(_said(need)) for need in needs):
            ids = ", ".join(need.id for need in needs[:5])
            yield (
                f"{point.id} ({clipped(point.text)}) says what is not wanted; {ids}, which "
                f"{'cites' if len(needs) == 1 else 'cite'} it, "
                f"{'does' if len(needs) == 1 else 'do'} not say so. Say what must not be, or leave "
                "it out by name in what is out of scope."
            )


def _same(need: Requirement, before: Requirement | None) -> bool:
    return before is not None and _said(need) == _said(before)


def _stood(exclusion: Exclusion, before: set[str]) -> bool:
    return exclusion.text in before


def _catch_all(spec: Spec, points: Sequence[BriefPoint]) -> Iterator[str]:
    known = {point.id for point in points}
    if len(known) < FEWEST_POINTS:
        return
    for need in spec.requirements:
        cited = known & set(need.sources)
        if len(cited) >= MOST_CITED * len(known):
            yield (
                f"{need.id} cites {len(cited)} of {len(known)} points: a requirement is one "
                "behaviour. Let each point be answered by the requirements that are about it."
            )


def _citing(spec: Spec) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for need in spec.requirements:
        for source in dict.fromkeys(need.sources):
            found.setdefault(source, []).append(need)
    return found


def _said(need: Requirement) -> str:
    criteria = (f"{one.given}\n{one.when}\n{one.then}" for one in need.criteria)
    return "\n".join([need.actor, need.trigger, need.response, *criteria])


def _elsewhere(spec: Spec) -> str:
    """What a specification says beside its requirements."""
    entities = (
        f"{entity.name}\n{entity.description}\n"
        + "\n".join(f"{field.name}\n{field.type}\n{field.note}" for field in entity.fields)
        for entity in spec.entities
    )
    roles = ("\n".join([role.name, *role.may]) for role in spec.roles)
    errors = (f"{case.when}\n{case.then}" for case in spec.errors)
    left_out = (each.text for each in spec.out_of_scope)
    return "\n".join([*entities, *roles, *spec.bounds, *errors, *left_out, spec.summary])
