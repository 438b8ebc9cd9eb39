"""Writes the specification.

Invariant: an id once given is never given to another requirement; a lost one is superseded.
"""

from typing import Any

import msgspec

from application.agents.checks.facts import facts_of
from domain import documents as d
from infrastructure.demo_model.author.brief import (
    Section,
    plain,
    points_of,
    read,
    sections_in,
    text_of,
)
from infrastructure.demo_model.author.mistakes import promised
from infrastructure.demo_model.author.nouns import find_things
from infrastructure.demo_model.author.requirements import Deed, WantedRequirement, share
from infrastructure.demo_model.author.sketch import FieldKind, Sketch, to_entities
from infrastructure.demo_model.author.titles import title_of
from infrastructure.demo_model.author.words import a, listed

MARK = "Written by the demo model"


def _earlier(inputs: dict[str, Any]) -> d.Spec | None:
    try:
        return msgspec.convert(inputs["previous_spec"], d.Spec)
    except (KeyError, msgspec.ValidationError):
        return None


class _Ids:
    """Hands out ids: the one a text had before, else one never used."""

    def __init__(self, prefix: str, before: dict[str, str], used: set[str]) -> None:
        self._prefix = prefix
        self._before = before
        numbers = [int(i.split("-")[1]) for i in used if i.startswith(f"{prefix}-")]
        self._last = max(numbers, default=0)
        self.given: list[str] = []

    def take(self, text: str) -> str:
        known = self._before.get(text)
        if known is None or known in self.given:
            self._last += 1
            known = f"{self._prefix}-{self._last}"
        self.given.append(known)
        return known


def _criteria(wanted: WantedRequirement) -> tuple[tuple[str, str, str], ...]:
    thing, one = wanted.thing, a(wanted.thing.label)
    needed = [part.label for part in thing.needed]
    if wanted.deed is Deed.ADD:
        return (
            (
                f"The page of the {thing.many} is open",
                f"{one} is saved with its {listed(needed)}",
                f"the {thing.label} is stored and stands in the list of {thing.many}",
            ),
            (
                f"The page of the {thing.many} is open",
                f"{one} is saved without its {needed[0]}",
                f"nothing is stored and the page says that the {needed[0]} is needed",
            ),
        )
    if wanted.deed is Deed.FIND:
        return (
            (
                f"Two {thing.many} are stored",
                f"the list of {thing.many} is opened",
                "both stand in it, the newer one first",
            ),
            (
                f"Two {thing.many} are stored",
                "a text that only one of them contains is searched for",
                "only that one is shown",
            ),
        )
    return (
        (
            f"{one.capitalize()} is stored",
            f"its {thing.shown.label} is changed and saved",
            f"the {thing.label} is shown with the new {thing.shown.label}",
        ),
        (
            f"{one.capitalize()} is stored and nothing refers to it",
            "it is removed",
            f"the {thing.label} is gone and asking for it answers that it is not there",
        ),
    )


def _response(wanted: WantedRequirement, texts: dict[str, str]) -> str:
    thing = wanted.thing
    said = {
        Deed.ADD: f"The {thing.label} is checked, stored and shown in the list of {thing.many}.",
        Deed.FIND: f"The {thing.many} are shown, the newest first, narrowed by a search text.",
        Deed.CHANGE: f"The {thing.label} is checked and stored anew, or removed for good.",
    }[wanted.deed]
    facts = [fact.said for key in wanted.sources for fact in facts_of(texts.get(key, ""))]
    words = ", ".join(dict.fromkeys(facts))[:1_500]
    return f"{said} As the brief has it: {words}." if words else said


def _errors(drawn: Sketch) -> tuple[d.ErrorCase, ...]:
    first = drawn.things[0]
    used = next(
        (t for t in drawn.things if any(p.kind is FieldKind.REFERENCE for p in t.parts)), None
    )
    cases = [
        d.ErrorCase(
            "A needed field is empty or a value has the wrong form.",
            "Nothing is stored; each wrong field is named with what it needs.",
        ),
        d.ErrorCase(
            f"A {first.label} is opened that does not exist any more.",
            "The page says that it is not there.",
        ),
        d.ErrorCase(
            "The database cannot be reached.",
            "The page says so in plain words; nothing is half stored.",
        ),
    ]
    if used is not None:
        target = next(p.target for p in used.parts if p.kind is FieldKind.REFERENCE)
        cases.append(
            d.ErrorCase(
                f"A {target} is removed that {a(used.label)} refers to.",
                f"It is kept, and the page says that {a(used.label)} still needs it.",
            )
        )
    return tuple(cases)


def write_spec(inputs: dict[str, Any]) -> d.Spec:
    """The specification of a brief, with its previous ids where texts are the same."""
    brief, points = text_of(inputs.get("brief", "")), points_of(inputs)
    flat = " ".join(plain(brief).split())
    unsaid = [f"- {text}" for _, text in points if " ".join(text.split()) not in flat]
    drawn = find_things("\n".join([brief, "", "## It must do", "", *unsaid]))
    refused = [key for key, about in sections_in(inputs).items() if about is Section.WONT]
    wanted, left_out = share(drawn, [p for p in points if p[0] not in refused] or points[:1])
    old = _earlier(inputs)
    before = old.requirements if old else ()
    used = {r.id for r in before} | {c.id for r in before for c in r.criteria}
    used |= set(old.superseded) if old else set()
    requirement_ids = _Ids("FR", {r.trigger: r.id for r in before}, used)
    criterion_ids = _Ids(
        "AC",
        {f"{r.trigger}/{c.given}/{c.when}/{c.then}": c.id for r in before for c in r.criteria},
        used,
    )
    texts = dict(points)
    requirements = []
    for want in wanted:
        trigger = want.deed.trigger(want.thing)
        criteria = tuple(
            d.Criterion(criterion_ids.take(f"{trigger}/{given}/{when}/{then}"), given, when, then)
            for given, when, then in _criteria(want)
        )
        requirements.append(
            d.Requirement(
                id=requirement_ids.take(trigger),
                actor="A person",
                trigger=trigger,
                response=_response(want, texts),
                sources=want.sources,
                criteria=criteria,
            )
        )
    declined = [d.Exclusion(texts[key][:1_900], (key,)) for key in refused] or [
        d.Exclusion(x.text[:1_900]) for x in read(brief) if x.section is Section.WONT and x.bullet
    ]
    return d.Spec(
        title=title_of(brief),
        summary=(
            f"{MARK}: a plain stand-in that recognises the things a brief speaks about. The "
            f"application keeps {listed([t.many for t in drawn.things])}: people add, find, change "
            "and remove them on one page that also works on a phone." + promised(brief)
        ),
        requirements=tuple(requirements),
        entities=to_entities(drawn),
        roles=(d.Role("A person", ("see, add, change and remove everything",)),),
        bounds=(
            "A list of 10,000 entries answers within one second; it is shown 50 at a time.",
            "Pages work by keyboard and screen reader (WCAG 2.2 AA) and from 320 pixels of width.",
            "There is no sign-in yet: the server listens on the local computer only by default.",
        ),
        errors=_errors(drawn),
        out_of_scope=(
            *(
                d.Exclusion(f"“{texts[key][:300]}”: what the demo model writes {why}.", (key,))
                for key, why in left_out.items()
            ),
            *declined[: max(20, len(refused))],
        ),
        superseded=tuple(
            sorted(used - set(requirement_ids.given) - set(criterion_ids.given), key=_by_number)
        ),
    )


def _by_number(ident: str) -> tuple[str, int]:
    prefix, number = ident.split("-")
    return prefix, int(number)
