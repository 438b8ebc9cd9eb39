"""Puts what a person said into the shape of a brief. Invariant: it adds no wish of its own."""

from domain import documents as d
from infrastructure.demo_model.author.brief import LIMIT, Section, read, sentences, wishes
from infrastructure.demo_model.author.fields import said
from infrastructure.demo_model.author.nouns import find_things
from infrastructure.demo_model.author.titles import title_of


def data_lines(text: str) -> tuple[str, ...]:
    """The things a text speaks about with their fields, a line each."""
    return tuple(
        f"{thing.label.capitalize()}: {', '.join(said(part) for part in thing.parts)}"
        for thing in find_things(text).things
    )


def _of(text: str, section: Section) -> tuple[str, ...]:
    lines = [line for line in read(text) if line.section is section]
    return tuple(line.text[:LIMIT] for line in lines)[:20]


def propose(text: str, spoken: list[tuple[str, str]]) -> d.Brief:
    """The brief for a text; `spoken` are the messages as (id, text) that points may cite."""
    story = [s for x in read(text) if x.section is Section.STORY for s in sentences(x.text)]
    points = []
    for number, (_, wish) in enumerate(wishes(text), start=1):
        sources = tuple(
            key for key, message in spoken if key and wish[:60] in " ".join(message.split())
        )
        points.append(
            d.Point(f"BF-{number}", wish, sources or tuple(k for k, _ in spoken[:1] if k))
        )
    named = [(key, wish) for key, wish in wishes(text) if key != f"BF-{len(points)}"]
    if len({key for key, _ in named}) == len(named):
        keys = [key for key, _ in wishes(text)]
        points = [d.Point(key, p.text, p.sources) for key, p in zip(keys, points, strict=True)]
    return d.Brief(
        title=title_of(text),
        goal=" ".join(story[:3])[:LIMIT] or points[0].text,
        users=_of(text, Section.USERS) or ("Everybody who can open the page.",),
        must_haves=tuple(points),
        wont_haves=_of(text, Section.WONT),
        data=data_lines(text),
        constraints=_of(text, Section.BOUNDS),
        assumptions=("One page for everybody, without sign-in, in English.",),
    )
