"""Puts what a person said into the shape of a brief. Invariant: it adds no wish of its own."""

import msgspec

from domain import documents as d
from infrastructure.demo_model.author.brief import LIMIT, Section, read, sentences, wishes
from infrastructure.demo_model.author.fields import said as field_words
from infrastructure.demo_model.author.nouns import find_things
from infrastructure.demo_model.author.titles import title_of

LARGEST_BYTES = 13_000
"""Of a proposed brief as JSON: a turn of the conversation has 4,000 tokens."""


def data_lines(text: str) -> tuple[str, ...]:
    """The things a text speaks about with their fields, a line each."""
    drawn = find_things(text)
    labels = [thing.label for thing in drawn.things]
    return tuple(
        f"{thing.label.capitalize()}: "
        + ", ".join(field_words(part, labels, thing.label) for part in thing.parts)
        for thing in drawn.things
    )


def _of(text: str, section: Section, longest: int) -> tuple[str, ...]:
    lines = [line for line in read(text) if line.section is section]
    return tuple(line.text[:longest] for line in lines)[:20]


def propose(text: str, spoken: list[tuple[str, str]]) -> d.Brief:
    """The brief for a text; `spoken` are the messages as (id, text) that points may cite."""
    sizes = ((LIMIT, 60), (400, 60), (200, 60), (80, 40))
    briefs = (_propose(text, spoken, longest, most) for longest, most in sizes)
    return next((b for b in briefs if len(msgspec.json.encode(b)) <= LARGEST_BYTES), None) or (
        _propose(text[:2_000], spoken, 80, 20)
    )


def _propose(text: str, spoken: list[tuple[str, str]], longest: int, most: int) -> d.Brief:
    story = [s for x in read(text) if x.section is Section.STORY for s in sentences(x.text)]
    wanted = wishes(text)[:most]
    keys = [key for key, _ in wanted]
    if len(set(keys)) < len(keys):
        keys = [f"BF-{number}" for number in range(1, len(keys) + 1)]
    said = [(key, " ".join(message.split())) for key, message in spoken if key]
    points = tuple(
        d.Point(key, wish[:longest], tuple(k for k, m in said if wish[:60] in m) or _first(said))
        for key, (_, wish) in zip(keys, wanted, strict=True)
    )
    return d.Brief(
        title=title_of(text),
        goal=" ".join(story[:3])[:longest] or points[0].text,
        users=_of(text, Section.USERS, longest) or ("Everybody who can open the page.",),
        must_haves=points,
        wont_haves=_of(text, Section.WONT, longest),
        data=data_lines(text),
        constraints=_of(text, Section.BOUNDS, longest),
        assumptions=_of(text, Section.ASSUMED, longest)
        or ("One page for everybody, without sign-in, in English.",),
    )


def _first(said: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(key for key, _ in said[:1])
