"""Puts what a person said into the shape of a brief. Invariant: it adds no wish of its own."""

from itertools import islice

import msgspec
from msgspec import Struct

from domain import documents as d
from infrastructure.demo_model.author.brief import LIMIT, Section, read, sentences, wishes
from infrastructure.demo_model.author.fields import said as field_words
from infrastructure.demo_model.author.nouns import find_things
from infrastructure.demo_model.author.titles import title_of

MOST_LINES = 20
"""Of a part of the brief, such as its users."""
STORY_SENTENCES = 3
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


class _Parts(Struct, frozen=True):
    """What a text says, whatever its length."""

    title: str
    story: str
    wishes: list[tuple[str, str]]
    data: tuple[str, ...]
    of: dict[Section, list[str]]


def _parts(text: str) -> _Parts:
    lines = read(text)
    of: dict[Section, list[str]] = {section: [] for section in Section}
    for line in lines:
        if len(of[line.section]) < MOST_LINES:
            of[line.section].append(line.text)
    prose = (s for x in lines if x.section is Section.STORY for s in sentences(x.text))
    story = " ".join(islice(prose, STORY_SENTENCES))
    return _Parts(title_of(text), story, wishes(text), data_lines(text), of)


def propose(text: str, spoken: list[tuple[str, str]]) -> d.Brief:
    """The brief for a text; `spoken` are the messages as (id, text) that points may cite."""
    parts = _parts(text)
    said = [(key, " ".join(message.split())) for key, message in spoken if key]
    sizes = ((LIMIT, 60), (400, 60), (200, 60), (80, 40))
    briefs = (_brief(parts, said, longest, most) for longest, most in sizes)
    return next((b for b in briefs if len(msgspec.json.encode(b)) <= LARGEST_BYTES), None) or (
        _brief(_parts(text[:2_000]), said, 80, 20)
    )


def _brief(parts: _Parts, said: list[tuple[str, str]], longest: int, most: int) -> d.Brief:
    wanted = parts.wishes[:most]
    keys = [key for key, _ in wanted]
    if len(set(keys)) < len(keys):
        keys = [f"BF-{number}" for number in range(1, len(keys) + 1)]
    points = tuple(
        d.Point(key, wish[:longest], tuple(k for k, m in said if wish[:60] in m) or _first(said))
        for key, (_, wish) in zip(keys, wanted, strict=True)
    )

    def of(section: Section) -> tuple[str, ...]:
        return tuple(line[:longest] for line in parts.of[section])

    return d.Brief(
        title=parts.title,
        goal=parts.story[:longest] or points[0].text,
        users=of(Section.USERS) or ("Everybody who can open the page.",),
        must_haves=points,
        wont_haves=of(Section.WONT),
        data=parts.data,
        constraints=of(Section.BOUNDS),
        assumptions=of(Section.ASSUMED)
        or ("One page for everybody, without sign-in, in English.",),
    )


def _first(said: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(key for key, _ in said[:1])
